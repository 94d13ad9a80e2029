import { describe, expect, it } from "vitest";
import type { Plan, Release } from "../../../src/core/verdict.ts";
import { COALESCE_MS, Dispatcher } from "../../../src/release/dispatcher.ts";
import type { Work } from "../../../src/release/work.ts";
import { aGatedPod, aNode, START_MS } from "../../support/core-facts.ts";

const at = (ms: number) => ({ wallMs: ms, steadyMs: ms });
const aPlan = (given: Partial<Plan> = {}): Plan => ({
  releases: [],
  fences: [],
  held: [],
  wakeAtMs: undefined,
  ...given,
});
const to = (name: string, node: string): Release => ({
  pod: aGatedPod(name),
  node: aNode(node).name,
  fence: undefined,
  reason: "SlotFree",
  message: "",
});

function all(dispatcher: Dispatcher): Work[] {
  const works: Work[] = [];
  for (let work = dispatcher.next(); work; work = dispatcher.next()) works.push(work);
  return works;
}

describe("the dispatcher", () => {
  it("plans once for many pokes, and rests four times as long as the last plan took, at most 40 ms", () => {
    const dispatcher = new Dispatcher(() => 0.5);
    for (let ms = 0; ms < COALESCE_MS; ms++) dispatcher.poke(ms);
    expect(dispatcher.lookAtMs).toBe(COALESCE_MS);
    expect(dispatcher.look(1)).toBe(false);
    expect(dispatcher.look(COALESCE_MS)).toBe(true);
    for (const [tookMs, restMs] of [
      [5, 20],
      [30, 40],
      [100, 100],
    ] as const) {
      dispatcher.planned(aPlan(), at(1_000), tookMs);
      dispatcher.poke(1_000);
      expect(dispatcher.lookAtMs).toBe(1_000 + restMs);
      expect(dispatcher.look(1_000 + restMs)).toBe(true);
    }
  });

  it("looks again when the plan says so, and after 5 s at the latest", () => {
    const dispatcher = new Dispatcher(() => 0.5);
    dispatcher.planned(aPlan({ wakeAtMs: 1_700 }), at(1_000), 0);
    expect(dispatcher.lookAtMs).toBe(1_700);
    dispatcher.planned(aPlan(), at(1_000), 0);
    expect(dispatcher.lookAtMs).toBe(6_000);
    expect(dispatcher.look(6_000)).toBe(false); // a poke: what else happens at that moment is in the same plan
    expect(dispatcher.look(6_000 + COALESCE_MS)).toBe(true);
  });

  it("begins no release twice, and none to a node for which writes on their way use the room", () => {
    const dispatcher = new Dispatcher(() => 0.5);
    const [a, b, c] = [to("a", "n1"), to("b", "n1"), to("c", "n1")];
    dispatcher.planned(aPlan({ releases: [a, b] }), at(0), 0);
    const [first] = all(dispatcher);
    expect(dispatcher.inFlight).toBe(2);
    dispatcher.planned(aPlan({ releases: [a, c] }), at(0), 0); // a better pod than b has come
    expect(all(dispatcher)).toEqual([]);
    if (first) dispatcher.ended(first, { kind: "changed" }, 10);
    dispatcher.planned(aPlan({ releases: [c, b] }), at(10), 0);
    expect(all(dispatcher).map(({ key }) => key)).toEqual([`pod ${c.pod.uid}`]);
  });

  it("gives a node no pods while its fence waits to be adopted", () => {
    const dispatcher = new Dispatcher(() => 0.5);
    const node = aNode("n1", { fence: { value: "", sinceMs: undefined } });
    dispatcher.planned(aPlan({ releases: [to("a", "n1")], fences: [{ kind: "adopt", node, value: "n1" }] }), at(0), 0);
    expect(all(dispatcher).map(({ key }) => key)).toEqual(["node n1"]);
  });

  it("tries a failed write again after its wait, not sooner than the API server asked", () => {
    const dispatcher = new Dispatcher(() => 0.5);
    const plan = aPlan({ releases: [to("a", "n1")] });
    dispatcher.planned(plan, at(0), 0);
    const [work] = all(dispatcher);
    if (work) dispatcher.ended(work, { kind: "failed", retryAfterMs: 3_000, why: "refused" }, 10);
    dispatcher.planned(plan, at(20), 0);
    expect(all(dispatcher)).toEqual([]);
    expect(dispatcher.lookAtMs).toBe(12); // the end of a write is a reason to plan
    expect(dispatcher.look(12)).toBe(true);
    dispatcher.planned(plan, at(12), 0);
    expect(dispatcher.lookAtMs).toBe(3_010);
    dispatcher.planned(plan, at(3_010), 0);
    expect(all(dispatcher)).toHaveLength(1);
  });

  it("sets a pod aside whose write was refused, with why, until its next try, and writes it no note meanwhile", () => {
    const dispatcher = new Dispatcher(() => 0.5);
    const release = to("a", "n1");
    dispatcher.planned(aPlan({ releases: [release] }), at(0), 0);
    const [work] = all(dispatcher);
    if (work) dispatcher.ended(work, { kind: "failed", retryAfterMs: 3_000, why: "denied" }, 10);
    expect([...dispatcher.setAside(20)]).toEqual([[release.pod.uid, "denied"]]);
    const hold = { kind: "hold", reason: "WriteFailed", message: "denied", node: undefined } as const;
    const wallMs = START_MS + 60_000;
    const announced = dispatcher.planned(aPlan({ held: [{ pod: release.pod, hold }] }), { wallMs, steadyMs: 20 }, 0);
    expect(announced).toHaveLength(1);
    expect(all(dispatcher)).toEqual([]);
    expect([...dispatcher.setAside(3_010)]).toEqual([]);
  });

  it("names pods whose release is refused for the third time, also while it is tried again; no other failure counts", () => {
    const dispatcher = new Dispatcher(() => 0.5);
    const [denied, unlucky] = [to("a", "n1"), to("b", "n1")];
    const refused: (readonly string[])[] = [];
    for (let nowMs = 0, tries = 0; tries < 4; nowMs += 100) {
      dispatcher.planned(aPlan({ releases: [denied, unlucky] }), at(nowMs), 0);
      const works = all(dispatcher);
      if (works.length === 0) continue;
      tries += 1;
      refused.push([...(dispatcher.setAside(nowMs).refused ?? [])]);
      for (const work of works) {
        const mayPass = work.key === `pod ${unlucky.pod.uid}`;
        dispatcher.ended(work, { kind: "failed", retryAfterMs: 0, why: "no", mayPass }, nowMs);
      }
    }
    expect(refused).toEqual([[], [], [], [denied.pod.uid]]);
    dispatcher.planned(aPlan({ releases: [denied] }), at(60_000), 0);
    for (const work of all(dispatcher)) dispatcher.ended(work, { kind: "changed" }, 60_000);
    expect(dispatcher.setAside(60_000).refused).toEqual(new Set());
  });

  it("tries a write that was refused time and again once more when the pod's cap comes, and then waits again", () => {
    const dispatcher = new Dispatcher(() => 0.5);
    const capMs = 47_000;
    const wallMs = START_MS;
    const plan = aPlan({ releases: [{ ...to("a", "n1"), capMs: wallMs + capMs }] });
    const tries: number[] = [];
    for (let nowMs = 0; nowMs <= 60_000; nowMs += 10) {
      dispatcher.planned(plan, { wallMs: wallMs + nowMs, steadyMs: nowMs }, 0);
      for (const work of all(dispatcher)) {
        tries.push(nowMs);
        dispatcher.ended(work, { kind: "failed", retryAfterMs: 0, why: "denied" }, nowMs);
      }
    }
    expect(tries).toContain(capMs);
    expect(tries.filter((ms) => ms > capMs).length).toBeLessThan(4);
  });

  it("writes one note for a pod of which another one waits or is on its way, however many plans ask for it", () => {
    const dispatcher = new Dispatcher(() => 0.5);
    const hold = { kind: "hold", reason: "StartupSlotsFull", message: "", node: undefined } as const;
    const freed = Array.from({ length: 40 }, (_, index) =>
      aGatedPod(`p${index}`, { hold: { node: undefined, reason: "OtherGates", sinceMs: START_MS } }),
    );
    const held = freed.map((pod) => ({ pod, hold }));
    const begun = new Map<string, number>();
    const begin = () => {
      for (const { key } of all(dispatcher)) begun.set(key, (begun.get(key) ?? 0) + 1);
    };
    for (let plan = 0; plan < 20; plan++) {
      dispatcher.planned(aPlan({ held }), { wallMs: START_MS + 10_000 + plan, steadyMs: plan }, 0);
      begin();
    }
    expect(begun.size).toBe(8); // as many as may be on their way
    const works = dispatcher.inFlight;
    expect(works).toBe(8);
    expect([...begun.values()]).toEqual(Array(8).fill(1));
    expect(dispatcher.queued).toBe(32);
  });

  it("waits longer after each refusal, also where the pod was set aside in between", () => {
    const dispatcher = new Dispatcher(() => 0.5);
    const waits: number[] = [];
    for (let nowMs = 0, failures = 0; failures < 5; nowMs += 10) {
      const isAside = dispatcher.setAside(nowMs).size > 0;
      dispatcher.planned(aPlan({ releases: isAside ? [] : [to("a", "n1")] }), at(nowMs), 0);
      for (const work of all(dispatcher)) {
        waits.push(nowMs);
        dispatcher.ended(work, { kind: "failed", retryAfterMs: 0, why: "denied" }, nowMs);
        failures += 1;
      }
    }
    const pauses = waits.slice(1).map((ms, index) => ms - (waits[index] ?? 0));
    expect(pauses).toEqual(pauses.toSorted((a, b) => a - b));
    expect(pauses.at(-1)).toBeGreaterThan(4 * (pauses[0] ?? 0));
  });

  it("forgets what had not begun when it may not act", () => {
    const dispatcher = new Dispatcher(() => 0.5);
    dispatcher.planned(aPlan({ releases: [to("a", "n1")] }), at(0), 0);
    dispatcher.standDown(10);
    expect(dispatcher.next()).toBeUndefined();
    expect(dispatcher.lookAtMs).toBe(5_010);
  });
});
