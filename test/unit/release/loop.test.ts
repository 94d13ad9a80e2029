import { describe, expect, it } from "vitest";
import { ApiError } from "../../../src/kube/client/api-error.ts";
import type { Clock } from "../../../src/kube/clock.ts";
import { silentLog } from "../../../src/kube/log.ts";
import type { EventToEmit } from "../../../src/kube/write/events.ts";
import type { Pacer } from "../../../src/core/pacer.ts";
import { createPacer } from "../../../src/core/pacer.ts";
import { defaultPolicy } from "../../../src/policy/parse.ts";
import type { PacingPolicyInput } from "../../../src/policy/schema.ts";
import { createReleaseLoop } from "../../../src/release/loop.ts";
import type { ReleaseLoop } from "../../../src/release/loop.ts";
import { aDaemonPod, aGatedPod, aNode, aPod, anOldNode, bound, START_MS, started } from "../../support/core-facts.ts";
import { fakeClock } from "../../support/fake-clock.ts";
import type { FakeClock } from "../../support/fake-clock.ts";
import { busy, MemoryCluster } from "../../support/memory-cluster.ts";
import type { MemoryClusterOptions } from "../../support/memory-cluster.ts";

type Overrides = Partial<Omit<PacingPolicyInput, "apiVersion" | "kind">>;

const slots = (initial: number): Overrides => ({
  nodeClasses: [{ name: "test", slots: { initial, min: 1, max: initial } }],
});

interface Leader {
  readonly pacer: Pacer;
  readonly loop: ReleaseLoop;
  readonly events: EventToEmit[];
  leads: boolean;
  /** As if its process were killed: it hears and begins nothing any more. */
  die(): void;
}

function scene(options: Omit<MemoryClusterOptions, "clock"> = {}) {
  const clock = fakeClock(START_MS);
  return { clock, cluster: new MemoryCluster({ clock, ...options }) };
}

/** A replica that leads, with a pacer of its own, fed by the cluster's watch. */
function lead(cluster: MemoryCluster, clock: FakeClock, overrides: Overrides = slots(4), wall: Clock = clock): Leader {
  const pacer = createPacer(defaultPolicy({ steer: { enabled: false }, ...overrides })); // tests of it count all writes
  const events: EventToEmit[] = [];
  const loop = createReleaseLoop({
    pacer,
    apply: cluster,
    mayAct: () => leader.leads,
    clock: wall,
    steady: clock,
    random: () => 0.5,
    log: silentLog,
    events: { emit: (event) => events.push(event) },
  });
  const leader: Leader = {
    pacer,
    loop,
    events,
    leads: true,
    die: () => {
      leader.leads = false;
      unwatch();
      void loop.stop();
    },
  };
  const unwatch = cluster.watch(pacer, () => loop.poke());
  loop.poke();
  return leader;
}

const herd = (cluster: MemoryCluster, count: number, node = "n1") =>
  Array.from({ length: count }, (_, index) => cluster.setPod(aDaemonPod(`${node}-p${index}`, node)));

describe("the release loop", () => {
  it("releases up to the limit, and the next ones as slots come free, until nobody waits", async () => {
    const { clock, cluster } = scene();
    cluster.setNode(aNode("n1"));
    herd(cluster, 20);
    const { loop } = lead(cluster, clock);
    await clock.advance(500);
    expect(cluster.released).toHaveLength(4);
    await clock.advance(10_000);
    expect(new Set(cluster.released).size).toBe(20);
    expect(cluster.released).toHaveLength(20);
    expect(cluster.peak.get("n1")).toBe(4);
    await loop.stop();
  });

  it("ungates the next pod within 100 ms of a slot becoming free", async () => {
    const { clock, cluster } = scene({ startMs: 60_000 });
    cluster.setNode(aNode("n1"));
    herd(cluster, 5);
    const { loop } = lead(cluster, clock);
    await clock.advance(1_000);
    expect(cluster.released).toHaveLength(4);
    const [holder] = [...cluster.pods.values()].filter(({ node }) => node !== undefined);
    if (holder === undefined) throw new Error("nobody is bound");
    cluster.setPod(started(holder));
    await clock.advance(100);
    expect(cluster.released).toHaveLength(5);
    await loop.stop();
  });

  it("promise 6: a release without an answer keeps its slot while reads fail, too, and the watch is late", async () => {
    const { clock, cluster } = scene({ watchLagMs: 5_000, startMs: 60_000 });
    cluster.setNode(aNode("n1"));
    const [first] = herd(cluster, 1);
    const name = first?.name ?? "";
    const unreachable = new ApiError(0, "Unreachable", "the connection broke");
    cluster.failuresAfterwards.set(name, [unreachable]);
    const { loop, pacer } = lead(cluster, clock, slots(1));
    await clock.advance(3); // the release is on its way; reads come after it
    expect(cluster.calls).toEqual([`release ${name}`]);
    cluster.failures.set(name, [unreachable, unreachable]);
    await clock.advance(20);
    expect(cluster.released).toEqual([name]);
    const urgent = aDaemonPod("urgent", "n1", { shape: { ...aDaemonPod("x", "n1").shape, priority: 1 } });
    pacer.upsertPod(cluster.setPod(urgent), clock.now());
    loop.poke();
    await clock.advance(4_000);
    expect(cluster.peak.get("n1")).toBe(1);
    expect(cluster.calls.filter((call) => call.startsWith("look"))).toHaveLength(3);
    await loop.stop();
  });

  it("neither releases a pod twice nor gives its slot away while its write is slow", async () => {
    const { clock, cluster } = scene({ writeMs: 3_000, startMs: 60_000 });
    cluster.setNode(aNode("n1"));
    herd(cluster, 10);
    const { loop } = lead(cluster, clock);
    for (let round = 0; round < 20; round++) {
      // Better candidates arrive all the time, as priorities go.
      const shape = { ...aDaemonPod("x", "n1").shape, priority: round + 1 };
      cluster.setPod(aDaemonPod(`late-${round}`, "n1", { shape }));
      loop.poke();
      await clock.advance(100);
    }
    await clock.advance(20_000);
    expect(cluster.released).toHaveLength(4);
    expect(cluster.calls.filter((call) => call.startsWith("release"))).toHaveLength(4);
    expect(cluster.peak.get("n1")).toBe(4);
    await loop.stop();
  });

  it("tries a refused write again with growing pauses, and lets the others pass", async () => {
    const { clock, cluster } = scene({ startMs: 100 });
    cluster.setNode(aNode("n1"));
    herd(cluster, 6);
    cluster.failures.set("n1-p0", Array.from({ length: 5 }, busy));
    const { loop } = lead(cluster, clock, slots(2));
    await clock.advance(1_000);
    expect(cluster.released).toHaveLength(5);
    expect(cluster.released).not.toContain("n1-p0");
    await clock.advance(10_000);
    expect(cluster.released).toContain("n1-p0");
    expect(cluster.calls.filter((call) => call === "release n1-p0")).toHaveLength(6);
    await loop.stop();
  });

  it("gives no slot to pods whose writes an admission webhook refuses, and tells why in an Event of each", async () => {
    const { clock, cluster } = scene({ startMs: 100 });
    cluster.setNode(aNode("n1"));
    const refused = herd(cluster, 12).slice(0, 6); // the oldest by their names
    const denied = new ApiError(403, "Forbidden", 'admission webhook "kyverno" denied the request');
    for (const { name } of refused)
      cluster.failures.set(
        name,
        Array.from({ length: 100 }, () => denied),
      );
    const { events, loop } = lead(cluster, clock, slots(2));
    await clock.advance(1_000);
    expect(cluster.released.toSorted()).toEqual(["n1-p10", "n1-p11", "n1-p6", "n1-p7", "n1-p8", "n1-p9"]);
    await clock.advance(60_000);
    const told = events.filter(({ note }) => note.startsWith("WriteFailed") && note.includes('"kyverno" denied'));
    expect([...new Set(told.map(({ regarding }) => regarding.name))].toSorted()).toEqual(
      refused.map(({ name }) => name),
    );
    const tries = cluster.calls.filter((call) => call === "release n1-p0").length;
    expect(tries).toBeGreaterThan(8);
    expect(tries).toBeLessThan(20); // pauses grow
    expect(cluster.calls.filter((call) => call.startsWith("hold WriteFailed"))).toEqual([]); // refused as well
    await loop.stop();
  });

  it("lets a pod go that is refused no longer", async () => {
    const { clock, cluster } = scene();
    cluster.setNode(aNode("n1"));
    herd(cluster, 1);
    const denied = new ApiError(403, "Forbidden", "denied");
    cluster.failures.set("n1-p0", [denied, denied, denied]);
    const { loop } = lead(cluster, clock, slots(1));
    await clock.advance(5_000);
    expect(cluster.released).toEqual(["n1-p0"]);
    await loop.stop();
  });

  it("begins nothing any more once leadership is lost, not even what it had planned", async () => {
    const { clock, cluster } = scene({ writeMs: 50 });
    cluster.setNode(anOldNode("n1"));
    for (let index = 0; index < 200; index++) cluster.setPod(aGatedPod(`p${index}`));
    const leader = lead(cluster, clock, { mode: "off" });
    await clock.advance(20); // the first 64 writes are on their way, 136 wait
    expect(cluster.calls).toHaveLength(64);
    leader.leads = false;
    await clock.advance(10_000);
    expect(cluster.calls).toHaveLength(64);
    leader.leads = true;
    leader.loop.poke();
    await clock.advance(1_000);
    expect(cluster.released).toHaveLength(200);
    await leader.loop.stop();
  });

  it("loses and doubles nothing when leaders die at any moment", async () => {
    for (let dieAfterMs = 0; dieAfterMs <= 60; dieAfterMs += 3) {
      const { clock, cluster } = scene({ startMs: 200 });
      cluster.setNode(aNode("n1"));
      cluster.setNode(aNode("n2"));
      herd(cluster, 12, "n1");
      herd(cluster, 12, "n2");
      const first = lead(cluster, clock, slots(3));
      await clock.advance(dieAfterMs);
      first.die();
      await clock.advance(100); // no leader comes sooner: Leases see to that
      const second = lead(cluster, clock, slots(3));
      await clock.advance(5_000);
      expect(cluster.released).toHaveLength(24);
      expect(new Set(cluster.released).size).toBe(24);
      expect(Math.max(...cluster.peak.values())).toBe(3);
      await second.loop.stop();
    }
  });

  it("acts when time alone changes the plan: the hold cap", async () => {
    const { clock, cluster } = scene({ startMs: 10_000_000 });
    cluster.setNode(aNode("n1"));
    herd(cluster, 3);
    const { loop } = lead(cluster, clock, { ...slots(1), maxHoldSeconds: 60, startup: { deadlineSeconds: 600 } });
    await clock.advance(29_000);
    expect(cluster.released).toHaveLength(1);
    await clock.advance(26_000); // of two pods near the cap, one goes in the middle of the time that is left
    expect(cluster.released).toHaveLength(2);
    await clock.advance(5_200);
    expect(cluster.released).toHaveLength(3);
    await loop.stop();
  });

  it("tells each held pod why, once per reason, and nobody who is let go within moments", async () => {
    const { clock, cluster } = scene({ startMs: 20_000 });
    cluster.setNode(aNode("n1"));
    herd(cluster, 5);
    const { loop, events } = lead(cluster, clock, slots(4));
    await clock.advance(10_000);
    const held = events.filter(({ reason }) => reason === "Held");
    expect(held).toHaveLength(1);
    expect(held[0]?.note).toMatch(/^StartupSlotsFull: /);
    expect(held[0]?.regarding).toMatchObject({ kind: "Pod", name: "n1-p4" });
    expect(cluster.calls.filter((call) => call.startsWith("hold"))).toEqual(["hold StartupSlotsFull n1-p4"]);
    const pod = [...cluster.pods.values()].find(({ name }) => name === "n1-p4");
    expect(pod?.hold).toMatchObject({ reason: "StartupSlotsFull", node: "n1", sinceMs: START_MS });
    await clock.advance(15_000);
    expect(events.filter(({ reason }) => reason === "Released")).toHaveLength(5);
    await loop.stop();
  });

  it("writes notes slowly, however many pods are held", async () => {
    const { clock, cluster } = scene({ startMs: 100_000 });
    cluster.setNode(aNode("n1", { allocatable: { cpu: 1e9, memory: 1e15, pods: 5_000 } }));
    herd(cluster, 1_000);
    const { loop } = lead(cluster, clock, slots(4));
    await clock.advance(10_000);
    const notes = cluster.calls.filter((call) => call.startsWith("hold"));
    expect(notes.length).toBeGreaterThan(100);
    expect(notes.length).toBeLessThanOrEqual(20 * 11);
    await loop.stop();
  });

  it("learns from a write that the pod is gone, and gives its slot to the next one", async () => {
    const { clock, cluster } = scene({ watchLagMs: 4_000, startMs: 60_000 });
    cluster.setNode(aNode("n1"));
    const pods = herd(cluster, 3);
    const { loop } = lead(cluster, clock, slots(1));
    cluster.deletePod(pods[0] ?? aPod("none"));
    await clock.advance(1_000);
    expect(cluster.released).toEqual(["n1-p1"]);
    await loop.stop();
  });

  it("adopts a foreign fence, lets pending pods through it to the limit, and lifts it in the end", async () => {
    const { clock, cluster } = scene({ startMs: 1_000 });
    cluster.setNode(aNode("n1", { fence: { value: "", sinceMs: undefined } }));
    for (let index = 0; index < 10; index++) cluster.setPod(aPod(`p${index}`, { unschedulable: true }));
    const { loop } = lead(cluster, clock, slots(3));
    await clock.advance(100);
    expect(cluster.calls).toEqual(["adopt n1", "beginRollCall n1"]);
    expect(cluster.nodes.get("n1")).toMatchObject({ unschedulable: true, fence: { value: "n1" } });
    await clock.advance(3_000);
    expect(cluster.calls.slice(2, 4)).toEqual(["endRollCall n1", "release p0"]);
    expect(cluster.nodes.get("n1")).toMatchObject({ unschedulable: false, fence: { value: "n1" } });
    await clock.advance(30_000);
    expect(cluster.released).toHaveLength(10);
    expect(new Set(cluster.released).size).toBe(10);
    expect([...cluster.pods.values()].every(({ fencesTolerated }) => fencesTolerated.includes("n1"))).toBe(true);
    expect(cluster.peak.get("n1")).toBe(3);
    expect(cluster.nodes.get("n1")?.fence).toBeUndefined();
    await loop.stop();
  });

  it("tells pods that only a fence keeps out why they wait, in an Event, and writes nothing on them", async () => {
    const { clock, cluster } = scene({ startMs: 60_000 });
    const rollCall = { state: "done", sinceMs: START_MS } as const;
    cluster.setNode(aNode("n1", { fence: { value: "n1", sinceMs: START_MS, rollCall } }));
    for (let index = 0; index < 3; index++) cluster.setPod(aPod(`p${index}`, { unschedulable: true }));
    const { loop, events } = lead(cluster, clock, slots(1));
    await clock.advance(8_000);
    const held = events.filter(({ reason }) => reason === "Held");
    expect(held.map(({ regarding }) => regarding.name)).toEqual(["p1", "p2"]);
    expect(held[0]?.note).toMatch(/^StartupSlotsFull: .*n1/);
    expect(cluster.calls).toEqual(["release p0"]);
    await loop.stop();
  });

  it("outlives a plan that throws", async () => {
    const { clock, cluster } = scene();
    cluster.setNode(aNode("n1"));
    herd(cluster, 1);
    const leader = lead(cluster, clock);
    const plan = leader.pacer.plan.bind(leader.pacer);
    leader.pacer.plan = () => {
      leader.pacer.plan = plan;
      throw new Error("a bug");
    };
    await clock.advance(10_000);
    expect(cluster.released).toEqual(["n1-p0"]);
    await leader.loop.stop();
  });

  it("begins by itself within seconds of leading, though nobody told it", async () => {
    const { clock, cluster } = scene();
    cluster.setNode(aNode("n1"));
    herd(cluster, 1);
    const leader = lead(cluster, clock);
    leader.leads = false;
    await clock.advance(12_000);
    expect(cluster.released).toEqual([]);
    leader.leads = true;
    await clock.advance(5_100);
    expect(cluster.released).toEqual(["n1-p0"]);
    await leader.loop.stop();
  });

  it("tries a refused write again in time though the wall clock was set back", async () => {
    const { clock, cluster } = scene();
    cluster.setNode(aNode("n1"));
    herd(cluster, 1);
    cluster.failures.set("n1-p0", [busy(), busy()]);
    let behindMs = 0;
    const wall = { ...clock, now: () => clock.now() - behindMs };
    const { loop } = lead(cluster, clock, slots(4), wall);
    await clock.advance(20);
    expect(cluster.calls).toEqual(["release n1-p0"]);
    behindMs = 3_600_000;
    await clock.advance(2_000);
    expect(cluster.released).toEqual(["n1-p0"]);
    await loop.stop();
  });

  it("leaves no timer behind", async () => {
    const { clock, cluster } = scene();
    const { loop } = lead(cluster, clock);
    await clock.advance(100);
    await loop.stop();
    expect(clock.pending()).toBe(0);
  });

  it("leaves alone what is bound already", async () => {
    const { clock, cluster } = scene();
    cluster.setNode(aNode("n1"));
    cluster.setPod(bound(aPod("p"), "n1"));
    const { loop } = lead(cluster, clock);
    await clock.advance(10_000);
    expect(cluster.calls).toEqual([]);
    await loop.stop();
  });
});
