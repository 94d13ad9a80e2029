import { describe, expect, test } from "vitest";
import type { NodeFacts, PodFacts } from "../../../../src/core/facts.ts";
import { imageName, nodeName } from "../../../../src/core/ids.ts";
import { MIB } from "../../../../src/core/measures.ts";
import { claimRoom, releaseExempt, releasePastFences } from "../../../../src/core/plan/release-without-slot.ts";
import type { ClusterState } from "../../../../src/core/state/cluster-state.ts";
import { aDaemonPod, aGatedPod, aNode, anOldNode, aPod, aShape, bound, START_MS } from "../../../support/core-facts.ts";
import {
  aFencedNode,
  aJoiningNode,
  aPendingPod,
  many,
  type Overrides,
  pacerWith,
  planOf,
  slots,
  stateWith,
} from "../../../support/core-plan.ts";

/** The reasons for which the steps before the assignment of slots release pods, by name. */
function releases(state: ClusterState, nowMs = START_MS): Record<string, string> {
  const plan = planOf(state, nowMs);
  plan.waiting.clear();
  releaseExempt(plan);
  claimRoom(plan);
  releasePastFences(plan);
  return Object.fromEntries(
    plan.releases.map(({ pod, reason, node }) => [pod.name, node ? `${reason} to ${node}` : reason]),
  );
}

describe("a waiting pod", () => {
  const oneSlot = { allocatable: { cpu: 100, memory: 1e12, pods: 110 } };

  test("waits on where a paced node has room; exempt pods do not wait at all", () => {
    const system = aShape({ namespace: "kube-system" });
    const state = stateWith([aNode("n1")], [aGatedPod("waits"), aGatedPod("system", { shape: system })]);
    expect(releases(state)).toEqual({ system: "Exempt" });
  });

  test.each([
    ["a pinned pod", aDaemonPod("first", "n1")],
    ["a pod of higher priority", aGatedPod("first", { shape: aShape({ priority: 1 }) })],
    ["an older pod", aGatedPod("first", { createdAtMs: START_MS - 1_000 })],
  ])("yields the last room to %s, and is released as visible demand", (_whom, first) => {
    const pods = [aGatedPod("a", { shape: aShape() }), first];
    expect(releases(stateWith([aNode("n1", oneSlot)], pods))).toEqual({ a: "NoNodeFits" });
  });

  test("is not released for want of room while gates of others hold it, and claims none", () => {
    const blocked = aGatedPod("blocked", { gatedByOthers: true, createdAtMs: START_MS - 1_000 });
    const state = stateWith([aNode("n1", oneSlot)], [blocked, aGatedPod("p")]);
    expect(releases(state)).toEqual({});
    expect(releases(stateWith([], [blocked]))).toEqual({});
  });

  test("is released when the one node that it can run on has no room for it", () => {
    const pods = [bound(aPod("there"), "n1"), aDaemonPod("p", "n1")];
    expect(releases(stateWith([aNode("n1", oneSlot)], pods))).toEqual({ p: "NoNodeFits" });
  });

  test("waits for a fenced node however old that is", () => {
    const fence = { value: "n1", sinceMs: START_MS };
    expect(releases(stateWith([anOldNode("n1", { fence })], [aDaemonPod("p", "n1")]))).toEqual({});
  });
});

describe("a pod that a fence keeps out", () => {
  const system = { shape: aShape({ namespace: "kube-system" }) };

  test("passes if it is exempt, but only a fence that it does not pass anyway, on a node that takes it", () => {
    expect(releases(stateWith([aFencedNode("n1")], [aPendingPod("p", system)]))).toEqual({ p: "Exempt" });
    const tolerant = aPendingPod("p", { ...system, fencesTolerated: ["n1"] });
    expect(releases(stateWith([aFencedNode("n1")], [tolerant]))).toEqual({});
    expect(releases(stateWith([aFencedNode("n1"), aFencedNode("n2")], [tolerant]))).toEqual({ p: "Exempt" });
    expect(releases(stateWith([aJoiningNode("n1")], [aPendingPod("p", system)]))).toEqual({});
  });

  test("is left to kube-scheduler while that has not refused it, and while a slot is reserved for it", () => {
    const reservation = { node: nodeName("n1"), atMs: START_MS };
    const pods = [aPod("untried", system), aPendingPod("reserved", { ...system, reservation })];
    const state = stateWith([aFencedNode("n1")], pods);
    expect(releases(state)).toEqual({});
    expect(releases(state, START_MS + 15_000)).toEqual({ reserved: "Exempt" });
  });

  test("takes no slot from others, however many of them there are", () => {
    const exempt = many(50, (name) => aPendingPod(`exempt-${name}`, system));
    const plan = pacerWith([aFencedNode("n1")], [...exempt, aGatedPod("paced")], slots(1)).plan(START_MS);
    expect(plan.releases.map(({ fence }) => fence)).toEqual(Array(51).fill("n1"));
    expect(plan.releases.filter(({ node }) => node !== undefined).map(({ pod }) => pod.name)).toEqual(["paced"]);
  });

  test("passes none where the policy puts up no fences", () => {
    const overrides = { fence: { enabled: false } };
    expect(releases(stateWith([aFencedNode("n1")], [aPendingPod("p", system)], overrides))).toEqual({});
  });
});

describe("a gated pod is released at once", () => {
  test("on a settled node", () => {
    const pacer = pacerWith(
      [anOldNode("n1")],
      many(20, (name) => aDaemonPod(name, "n1")),
      slots(1),
    );
    expect(pacer.plan(START_MS).releases).toHaveLength(20);
  });

  test("when a settled node has room, and for as many as it has room", () => {
    const roomForTwo = anOldNode("old", { allocatable: { cpu: 250, memory: 1e12, pods: 110 } });
    const pacer = pacerWith(
      [roomForTwo, aNode("n1")],
      many(4, (name) => aGatedPod(name)),
      slots(1),
    );
    const plan = pacer.plan(START_MS);
    expect(plan.releases.filter(({ reason }) => reason === "NodeSettled")).toHaveLength(2);
    expect(plan.releases.filter(({ reason }) => reason === "SlotFree")).toHaveLength(1);
  });

  test("when no node that exists has room for all of them: what is too much becomes visible demand", () => {
    const roomForThree = aNode("n1", { allocatable: { cpu: 350, memory: 1e12, pods: 110 } });
    const pacer = pacerWith(
      [roomForThree],
      many(5, (name) => aGatedPod(name)),
      slots(1),
    );
    const plan = pacer.plan(START_MS);
    expect(plan.releases.filter(({ reason }) => reason === "NoNodeFits")).toHaveLength(2);
    expect(plan.held).toHaveLength(2);
  });

  test("when its node is gone", () => {
    const pacer = pacerWith([aNode("n1")], [aDaemonPod("p", "n1", { createdAtMs: START_MS - 2_000 })], slots(1));
    pacer.deleteNode(nodeName("n1"), START_MS);
    expect(pacer.plan(START_MS).releases).toMatchObject([{ reason: "NoNodeFits", node: undefined }]);
  });

  test("but not before its node can be known: the watch of nodes may be behind that of pods", () => {
    const pods = [aDaemonPod("p", "n1"), aDaemonPod("q", "n1")];
    const pacer = pacerWith([], pods, slots(1));
    expect(pacer.plan(START_MS)).toMatchObject({ releases: [], wakeAtMs: START_MS + 2_000 });
    pacer.upsertNode(aNode("n1", { allocatable: {} }), START_MS); // registered, but it has not said what it can take
    expect(pacer.plan(START_MS).releases).toEqual([]);
    pacer.upsertNode(aNode("n1"), START_MS);
    expect(pacer.plan(START_MS).releases).toMatchObject([{ reason: "SlotFree", node: "n1" }]);
    expect(pacerWith([], pods, slots(1)).plan(START_MS + 2_000).releases).toHaveLength(2);
  });

  test.each([{ mode: "off" }, { mode: "observe" }, { gate: { enabled: false } }] as const)(
    "when the policy says %j",
    (off) => {
      const pacer = pacerWith(
        [aNode("n1")],
        many(3, (name) => aDaemonPod(name, "n1")),
        { ...slots(1), ...off },
      );
      expect(pacer.plan(START_MS).releases.map(({ reason }) => reason)).toEqual(Array(3).fill("PacingOff"));
    },
  );
});

describe("a fence lets pass without a slot", () => {
  test("exempt pods that wait for room pass without a slot", () => {
    const system = aPendingPod("dns", { shape: aShape({ namespace: "kube-system" }) });
    const { releases } = pacerWith([aFencedNode("n1")], [bound(aPod("busy"), "n1"), system], slots(1)).plan(START_MS);
    expect(releases).toMatchObject([{ pod: { name: "dns" }, reason: "Exempt", fence: "n1" }]);
  });

  test("a pod that opted out passes without a slot", () => {
    const optedOut = aPendingPod("free", { shape: aShape({ labels: { "paceline.dev/pacing": "disabled" } }) });
    const { releases } = pacerWith([aFencedNode("n1")], [bound(aPod("busy"), "n1"), optedOut], slots(1)).plan(START_MS);
    expect(releases).toMatchObject([{ pod: { name: "free" }, reason: "Exempt" }]);
  });
});

describe("a waiting pod that settled nodes have room for", () => {
  const shape = aShape({ image: "app" });
  const images = new Map([[imageName("app"), 100 * MIB]]);
  const planFor = (nodes: readonly NodeFacts[], pods: readonly PodFacts[], overrides: Overrides = slots(2)) =>
    pacerWith(nodes, pods, overrides).plan(START_MS);
  const herd = (count: number) => many(count, (name) => aGatedPod(name, { shape }));

  test("goes at once to one that has its images, and kube-scheduler is to prefer that one", () => {
    const { releases } = planFor([anOldNode("cold"), anOldNode("warm", { images })], herd(9));
    expect(releases).toHaveLength(9);
    for (const release of releases) expect(release).toMatchObject({ reason: "NodeSettled", node: "warm" });
  });

  test("is given a slot on one that has not, as on a young node, and the pods are spread", () => {
    const { releases, held } = planFor([anOldNode("a"), anOldNode("b"), anOldNode("c")], herd(9));
    expect(releases.map(({ node }) => node).sort()).toEqual(["a", "a", "b", "b", "c", "c"]);
    expect(held.map(({ hold }) => hold.reason)).toEqual(["StartupSlotsFull", "StartupSlotsFull", "StartupSlotsFull"]);
  });

  test("is demand where they have not enough room for all, saturated or not (promise 3)", () => {
    const room = { allocatable: { cpu: 16_000, memory: 1e12, pods: 3 } };
    const { releases } = planFor([anOldNode("old", room)], herd(5));
    expect(releases.map(({ reason }) => reason).sort()).toEqual(["NoNodeFits", "NoNodeFits", "SlotFree", "SlotFree"]);
  });

  test("is only sent there where settled nodes are observed", () => {
    const { releases } = planFor([anOldNode("a"), aNode("young")], herd(5), { ...slots(2), settledNodes: "observe" });
    expect(releases.map(({ reason, node }) => [reason, node])).toEqual(many(5, () => ["NodeSettled", "a"]));
  });
});
