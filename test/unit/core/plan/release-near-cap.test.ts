/** Promise 2: gate and fence together, no hold outlasts the cap, and a crowd does not go in its last second. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { PodFacts } from "../../../../src/core/facts.ts";
import { nodeName } from "../../../../src/core/ids.ts";
import type { Pacer } from "../../../../src/core/pacer.ts";
import type { Release } from "../../../../src/core/verdict.ts";
import { aDaemonPod, aGatedPod, aNode, aPod, aShape, bound, changed, START_MS } from "../../../support/core-facts.ts";
import { aFencedNode, aPendingPod, many, pacerWith, released, slots } from "../../../support/core-plan.ts";

const at = (seconds: number) => START_MS + seconds * 1_000;
const capOf = (seconds: number) => ({
  ...slots(1),
  maxHoldSeconds: seconds,
  startup: { until: "Ready" as const, deadlineSeconds: 3_600 },
});
/** It uses its slot until it is Ready, which it never is. */
const busy = bound(aPod("busy", { containersStarted: true }), "n1");

/** As the API server has the pod after the release. */
const afterRelease = ({ pod, node, fence, note }: Release, nowMs: number): PodFacts =>
  changed(pod, {
    gated: false,
    hold: undefined,
    reservation: node && { node, atMs: nowMs },
    release: note,
    fencesTolerated: fence === undefined ? pod.fencesTolerated : [fence],
  });

interface Went extends Release {
  readonly atMs: number;
}

/** Plans at these times, and writes what they release. `restart` makes each plan another leader's. */
function lead(pods: readonly PodFacts[], nodes: Parameters<typeof pacerWith>[0], seconds: number, restart = false) {
  const truth = new Map(pods.map((pod) => [pod.uid, pod]));
  const went: Went[] = [];
  let pacer: Pacer = pacerWith(nodes, pods, capOf(seconds));
  for (let nowMs = at(0); nowMs <= at(seconds + 1); nowMs += 100) {
    if (restart) pacer = pacerWith(nodes, [...truth.values()], capOf(seconds), nowMs);
    for (const release of pacer.plan(nowMs).releases) {
      const after = afterRelease(release, nowMs);
      went.push({ ...release, atMs: nowMs });
      truth.set(after.uid, after);
      pacer.upsertPod(after, nowMs);
    }
  }
  return went;
}

const countIn = (went: readonly Went[], from: number, to: number) =>
  went.filter(({ atMs }) => atMs > at(from) && atMs <= at(to)).length;

describe("a gated pod", () => {
  test("goes when its cap is reached, whatever the slots, with a toleration of every fence; the plan wakes up for it", () => {
    const pacer = pacerWith([aNode("n1")], [busy, aDaemonPod("p", "n1")], capOf(60));
    expect(pacer.plan(START_MS).wakeAtMs).toBe(at(48));
    expect(pacer.plan(at(59.999))).toMatchObject({ releases: [], wakeAtMs: at(60) });
    expect(pacer.plan(at(60)).releases).toMatchObject([
      { reason: "HoldCapReached", node: "n1", fence: "*", overLimit: true, note: { heldMs: 60_000 } },
    ]);
  });

  test("goes though its annotation says that it was held later: a gate comes with the pod", () => {
    const hold = { node: nodeName("n1"), reason: "AwaitingRelease", sinceMs: START_MS + 86_400_000 } as const;
    const pacer = pacerWith([aNode("n1")], [busy, changed(aDaemonPod("p", "n1"), { hold })], capOf(60));
    expect(pacer.plan(at(60)).releases).toMatchObject([{ reason: "HoldCapReached" }]);
  });

  test("goes to the scheduler where it fits no node now, past every fence", () => {
    const joining = aFencedNode("n1", { readySinceMs: undefined, unschedulable: true });
    const pacer = pacerWith([joining], [aGatedPod("p")], capOf(60));
    expect(pacer.plan(at(60)).releases).toMatchObject([{ reason: "HoldCapReached", node: undefined, fence: "*" }]);
  });

  test("is given no toleration where the policy puts up no fences", () => {
    const pacer = pacerWith([aNode("n1")], [busy, aGatedPod("p")], { ...capOf(60), fence: { enabled: false } });
    expect(pacer.plan(at(60)).releases).toMatchObject([{ reason: "HoldCapReached", fence: undefined }]);
  });

  test("uses a free slot where a node has one, and then goes not over the limit", () => {
    const pods = [busy, ...many(3, (name) => aGatedPod(name))];
    const pacer = pacerWith([aNode("n1"), aNode("n2")], pods, capOf(60));
    const { releases } = pacer.plan(at(60));
    expect(releases.map(({ overLimit }) => overLimit)).toEqual([false, true, true]);
    expect(releases[0]?.node).toBe("n2");
  });
});

describe("a pod that a fence keeps out", () => {
  test("passes every fence at its cap, whatever the slots; what came later waits on", () => {
    const pods = [busy, aPendingPod("p"), aPendingPod("late", { createdAtMs: at(30) })];
    const pacer = pacerWith([aFencedNode("n1")], pods, capOf(60));
    expect(pacer.plan(at(31)).releases).toEqual([]);
    expect(pacer.plan(at(60)).releases).toMatchObject([{ pod: { name: "p" }, reason: "HoldCapReached", fence: "*" }]);
    expect(released(pacer.plan(at(90)))).toEqual(["p", "late"]);
  });

  test("is not held by the fence before the node was Ready: until then the node kept it out", () => {
    const rollCall = { state: "done", sinceMs: at(30) } as const;
    const node = aFencedNode("n1", { readySinceMs: at(30), fence: { value: "n1", sinceMs: START_MS, rollCall } });
    const pacer = pacerWith([node], [busy, aPendingPod("p")], capOf(60));
    expect(pacer.plan(at(89.999)).releases).toEqual([]);
    expect(released(pacer.plan(at(90)))).toEqual(["p"]);
  });

  test("gets no new clock from a second fence, nor when its node was not Ready for a while", () => {
    const again = aFencedNode("n1", { readySinceMs: at(40) }); // its roll call was at 0 s
    expect(released(pacerWith([again], [busy, aPendingPod("p")], capOf(60)).plan(at(60)))).toEqual(["p"]);
    const second = aFencedNode("n2", { readySinceMs: at(50), allocatable: {} });
    expect(released(pacerWith([again, second], [busy, aPendingPod("p")], capOf(60)).plan(at(60)))).toEqual(["p"]);
  });

  test("is not in the crowd of a fence whose node has no room for it: that keeps it out", () => {
    const full = aFencedNode("n1", { allocatable: {} });
    expect(pacerWith([full], [aPendingPod("p")], capOf(60)).plan(at(60)).releases).toEqual([]);
  });

  test("goes on with the hold of its gate where it was let go to the scheduler before, less the time between", () => {
    const gone = aPendingPod("p", { release: { atMs: at(20), heldMs: 20_000 } });
    const since = (seconds: number) => [
      aFencedNode("n1", {
        createdAtMs: at(seconds),
        readySinceMs: at(seconds),
        fence: { value: "n1", sinceMs: at(seconds) },
      }),
    ];
    const old = pacerWith([aFencedNode("n1")], [busy, gone], capOf(60));
    expect(old.plan(at(59.9)).releases).toEqual([]);
    expect(released(old.plan(at(60)))).toEqual(["p"]);
    const young = pacerWith(since(50), [busy, gone], capOf(60));
    expect(young.plan(at(89.9)).releases).toEqual([]);
    expect(released(young.plan(at(90)))).toEqual(["p"]);
  });

  test("keeps a slot that the scheduler could not use, and gets no second one: another fence is in the way", () => {
    const reservation = { node: nodeName("n1"), atMs: at(59) };
    const refused = aPendingPod("p", { reservation, refused: true, fencesTolerated: ["n1"] });
    const filling = bound(aPod("filling", { shape: aShape({ requests: { pods: 110 } }) }), "n1");
    const nodes = [aFencedNode("n1"), aFencedNode("n2")];
    const { releases } = pacerWith(nodes, [refused, filling], capOf(60)).plan(at(60));
    expect(releases).toMatchObject([{ node: undefined, fence: "*", overLimit: false }]);
  });

  test("is left alone once it passes every fence, and while it is on its way to a node", () => {
    const passes = aPendingPod("p", { fencesTolerated: ["*"] });
    const onItsWay = aPendingPod("q", { reservation: { node: nodeName("n1"), atMs: at(59) } });
    const pacer = pacerWith([aFencedNode("n1")], [busy, passes, onItsWay], capOf(60));
    expect(pacer.plan(at(60)).releases).toEqual([]);
  });
});

describe("a crowd of gated and fenced-out pods", () => {
  const crowd = (count: number) => many(count, (name) => (name.endsWith("1") ? aPendingPod(name) : aGatedPod(name)));
  const nodes = ["n1", "n2"].map((name) => aFencedNode(name));
  const full = nodes.map(({ name }) => bound(aPod(`busy-${name}`, { containersStarted: true }), name));

  test("of 100 leaves evenly over the last 60 s of 300 s, spread over the nodes, and says how far over the limit", () => {
    const went = lead([...full, ...crowd(100)], nodes, 300);
    expect(went).toHaveLength(100);
    expect(countIn(went, 0, 240)).toBe(0);
    for (let second = 240; second < 300; second += 1) expect(countIn(went, second, second + 1)).toBeLessThanOrEqual(3);
    expect(countIn(went, 240, 270)).toBeGreaterThanOrEqual(49);
    const onFirst = went.filter(({ node }) => node === "n1").length;
    expect(onFirst).toBeGreaterThan(40);
    expect(onFirst).toBeLessThan(60);
    expect(went[0]).toMatchObject({ reason: "NearHoldCap", fence: "*", overLimit: true });
    expect(went[0]?.message).toMatch(/^held for 240 s of 300 s, the most: slot 2 of 1 of node n\d, over its limit$/);
  });

  test("is let go alike by one leader and by another one at each plan (promise 7)", () => {
    const told = (went: readonly Went[]) => went.map(({ pod, node, atMs }) => [pod.name, node, atMs]);
    const [one, others] = [false, true].map((restart) => told(lead([...full, ...crowd(40)], nodes, 120, restart)));
    expect(one).toHaveLength(40);
    expect(others).toEqual(one);
  });

  describe("beside pods whose annotations lie about when they were let go", () => {
    const old = (name: string, atMs: number) =>
      aPod(name, { createdAtMs: at(-3_600), release: { atMs, heldMs: 3_600_000 } });
    /** As {@link lead}, by one leader, with pods that are written anew before each plan. */
    function leadBeside(count: number, forged: (nowMs: number) => readonly PodFacts[], seconds = 120) {
      const pacer = pacerWith(nodes, [...full, ...crowd(count)], capOf(seconds));
      const went: Went[] = [];
      for (let nowMs = at(0); nowMs <= at(seconds + 1); nowMs += 100) {
        for (const pod of forged(nowMs)) pacer.upsertPod(changed(pod, {}), nowMs);
        for (const release of pacer.plan(nowMs).releases) {
          went.push({ ...release, atMs: nowMs });
          pacer.upsertPod(afterRelease(release, nowMs), nowMs);
        }
      }
      return went;
    }
    const perSecond = (went: readonly Went[], seconds = 120) =>
      Array.from({ length: seconds + 1 }, (_, second) => countIn(went, second, second + 1));

    test("goes as it would without them: neither times to come nor times that move on with the clock count", () => {
      const honest = perSecond(leadBeside(60, () => []));
      const ahead = Array.from({ length: 130 }, (_, second) => old(`f${second}`, at(second)));
      expect(perSecond(leadBeside(60, (nowMs) => (nowMs === at(0) ? ahead : [])))).toEqual(honest);
      expect(perSecond(leadBeside(60, (nowMs) => [old("f", nowMs)]))).toEqual(honest);
    });

    test("leaves evenly, each within its cap, whatever they say and when", () => {
      const lie = fc.record({ when: fc.nat(600), says: fc.integer({ min: -100, max: 700 }) });
      fc.assert(
        fc.property(fc.array(lie, { maxLength: 200 }), fc.integer({ min: 1, max: 30 }), (lies, count) => {
          const told = Map.groupBy(lies, ({ when }) => at(when / 10));
          const forged = (nowMs: number) =>
            (told.get(nowMs) ?? []).map(({ says }, index) => old(`f${index}`, at(says / 10)));
          const went = leadBeside(count, forged, 60);
          expect(went).toHaveLength(count);
          expect(Math.max(...went.map(({ atMs }) => atMs))).toBeLessThanOrEqual(at(60));
          expect(Math.max(...perSecond(went, 60))).toBeLessThanOrEqual(3);
        }),
        { numRuns: 10 },
      );
    });
  });

  test("of any ages: no hold outlasts the cap", () => {
    const pod = fc.record({ age: fc.nat(50), gated: fc.boolean() });
    fc.assert(
      fc.property(fc.array(pod, { minLength: 1, maxLength: 30 }), (drawn) => {
        const pods = drawn.map(({ age, gated }, index) =>
          (gated ? aGatedPod : aPendingPod)(`p${index}`, { createdAtMs: at(age - 50) }),
        );
        const went = lead([...full, ...pods], [aFencedNode("n1"), aNode("n2")], 60);
        expect(went).toHaveLength(pods.length);
        for (const {
          pod: { gated, createdAtMs },
          atMs,
        } of went) {
          const since = gated ? createdAtMs : Math.max(createdAtMs, START_MS);
          expect(atMs).toBeLessThanOrEqual(since + 60_000 + 100);
        }
      }),
      { numRuns: 30 },
    );
  });
});

describe("a pod with a lower cap of its own", () => {
  const own = (maxHoldSeconds: number, more = {}) => ({ shape: aShape({ maxHoldSeconds, ...more }) });

  test("goes when that is reached, from gate and fence alike; its like wait for the policy's", () => {
    const gated = pacerWith([aNode("n1")], [busy, aGatedPod("own", own(20)), aGatedPod("other")], capOf(60));
    expect(gated.plan(START_MS).wakeAtMs).toBe(at(16));
    expect(released(gated.plan(at(19.999)))).toEqual([]);
    expect(gated.plan(at(20)).releases).toMatchObject([
      {
        pod: { name: "own" },
        reason: "HoldCapReached",
        message: "held for 20 s, the most: slot 2 of 1 of node n1, over its limit",
      },
    ]);
    const pending = [busy, aPendingPod("own", own(20)), aPendingPod("other")];
    const fenced = pacerWith([aFencedNode("n1")], pending, capOf(60));
    expect(released(fenced.plan(at(19.999)))).toEqual([]);
    expect(fenced.plan(at(20)).releases).toMatchObject([
      { pod: { name: "own" }, fence: "*", note: { heldMs: 20_000 } },
    ]);
  });

  test("cannot raise it, and is let go once: nothing holds it a second time", () => {
    const pacer = pacerWith([aNode("n1")], [busy, aGatedPod("own", own(540))], capOf(60));
    expect(released(pacer.plan(at(60)))).toEqual(["own"]);
    const went = aPendingPod("went", { ...own(20), release: { atMs: at(20), heldMs: 20_000 } });
    const policy = { ...capOf(60), extender: { enabled: true } };
    const core = pacerWith([aNode("n1")], [busy, went], policy);
    const healthy = { synced: true, leaderAlive: true };
    expect(core.offer(went, ["n1"], healthy, at(21)).accepted).toEqual(["n1"]);
    const other = aPendingPod("other", { release: { atMs: at(20), heldMs: 20_000 } });
    expect(core.offer(other, ["n1"], healthy, at(21)).accepted).toEqual([]);
    expect(core.roomBehindPacing(went, healthy, at(21))).toBeUndefined();
    expect(core.roomBehindPacing(other, healthy, at(21))).toBe("n1");
  });

  test("does not go before others by it: it gets no slot earlier, and others keep their caps", () => {
    const image = "app:1";
    const impatient = aGatedPod("impatient", { createdAtMs: at(1), ...own(20, { image }) });
    const pacer = pacerWith([aNode("n1")], [impatient, aGatedPod("calm", { shape: aShape({ image }) })], capOf(300));
    expect(released(pacer.plan(at(12)))).toEqual(["calm"]);
    const crowd = many(30, (name) => aGatedPod(name, own(1)));
    const went = lead([busy, ...crowd, aGatedPod("calm")], [aNode("n1")], 60);
    const late = went.find(({ pod }) => pod.name === "calm");
    expect(late?.atMs).toBeLessThanOrEqual(at(60));
    for (const { pod, atMs } of went.filter((one) => one !== late)) expect(atMs, pod.name).toBeLessThanOrEqual(at(1));
  });

  test("leaves the pace of all others alone, however many such pods a tenant makes", () => {
    const calm = many(30, (name) => aGatedPod(name));
    const impatient = Array.from({ length: 120 }, (_, at_) =>
      aGatedPod(`own${at_}`, { createdAtMs: START_MS - 1 + at_, ...own(1 + (at_ % 59)) }),
    );
    const timesOf = (went: readonly Went[]) =>
      went.filter(({ pod }) => !pod.name.startsWith("own")).map(({ atMs }) => atMs);
    const alone = lead([busy, ...calm], [aNode("n1")], 60);
    const together = lead([busy, ...calm, ...impatient], [aNode("n1")], 60);
    expect(together).toHaveLength(150);
    expect(timesOf(together)).toEqual(timesOf(alone));
    expect(countIn(alone, 48, 54)).toBeGreaterThan(10);
  });
});

test("a release says when its pod must go: at its own cap, where that is lower", () => {
  const capOf = (shape: Parameters<typeof aShape>[0]) => {
    const pacer = pacerWith([aNode("n1")], [aGatedPod("p", { shape: aShape(shape) })], slots(4));
    return pacer.plan(START_MS).releases.map(({ capMs }) => (capMs ?? Infinity) - START_MS);
  };
  expect(capOf({})).toEqual([300_000]);
  expect(capOf({ maxHoldSeconds: 40 })).toEqual([40_000]);
});
