import { describe, expect, test } from "vitest";
import type { NodeFacts, PodFacts } from "../../../../src/core/facts.ts";
import { nodeName } from "../../../../src/core/ids.ts";
import { SettledNodes } from "../../../../src/core/placement/settled-nodes.ts";
import { assignSlots } from "../../../../src/core/plan/assign-slots.ts";
import { holdsOf, keptOut } from "../../../../src/core/plan/hold-reasons.ts";
import type { ClusterState } from "../../../../src/core/state/cluster-state.ts";
import { aDaemonPod, aGatedPod, aNode, aPod, aShape, bound, changed, START_MS } from "../../../support/core-facts.ts";
import {
  aFencedNode,
  aJoiningNode,
  aPendingPod,
  many,
  NOT_READY,
  pacerWith,
  planOf,
  slots,
  stateWith,
} from "../../../support/core-plan.ts";

/** The reasons of the pods that stay gated, by name. */
function reasons(state: ClusterState, nowMs = START_MS): Record<string, string> {
  const plan = planOf(state, nowMs);
  assignSlots(plan, new SettledNodes());
  const held = holdsOf(plan);
  return Object.fromEntries(held.map(({ pod, hold }) => [pod.name, `${hold.reason} at ${hold.node ?? "any"}`]));
}

describe("a pod that stays gated is told", () => {
  const busy = bound(aPod("busy"), "n1");

  test("of its node where it can go to one only, and of no node where several would do", () => {
    const one = slots(1);
    expect(reasons(stateWith([aNode("n1")], [busy, aGatedPod("p")], one))).toEqual({ p: "StartupSlotsFull at n1" });
    const pods = [busy, bound(aPod("busy-2"), "n2"), aGatedPod("p"), aDaemonPod("agent", "n2")];
    expect(reasons(stateWith([aNode("n1"), aNode("n2")], pods, one))).toEqual({
      p: "StartupSlotsFull at any",
      agent: "StartupSlotsFull at n2",
    });
  });

  test("that other pods come first, where nothing else speaks against it", () => {
    const pods = [aGatedPod("old", { createdAtMs: START_MS - 1_000 }), aGatedPod("young")];
    const state = stateWith([aNode("n1")], pods, slots(2));
    expect(holdsOf(planOf(state)).map(({ hold }) => hold.reason)).toEqual(["LowerPriority", "LowerPriority"]);
  });

  test("that the node is still joining, and of the taint that shows it", () => {
    const state = stateWith([aJoiningNode("n1")], [aGatedPod("p")]);
    const [held] = holdsOf(planOf(state));
    expect(held?.hold).toMatchObject({ reason: "NodeJoining", node: "n1" });
    expect(held?.hold.message).toContain(NOT_READY.key);
  });

  test("of a node that takes it as it is rather than of one that joins", () => {
    const state = stateWith([aJoiningNode("n1"), aNode("n2")], [bound(aPod("busy"), "n2"), aGatedPod("p")], slots(1));
    expect(reasons(state)).toEqual({ p: "StartupSlotsFull at any" });
  });

  test("to wait for the leader to look at it where no paced node would take it", () => {
    const shape = aShape({ nodeSelector: { disk: "fast" } });
    expect(reasons(stateWith([aNode("n1")], [aGatedPod("p", { shape })]))).toEqual({ p: "AwaitingRelease at any" });
  });
});

describe("a pod that only a fence keeps out", () => {
  const kept = (nodes: readonly NodeFacts[], pods: readonly PodFacts[], overrides = slots(1)) =>
    keptOut(stateWith(nodes, pods, overrides), START_MS).map(({ pod, hold }) => `${pod.name} at ${hold.node ?? "any"}`);

  test("is one that the scheduler refused, and that the node would take this moment", () => {
    expect(kept([aFencedNode("n1")], [aPendingPod("refused"), aPod("untried")])).toEqual(["refused at n1"]);
    expect(kept([aJoiningNode("n1")], [aPendingPod("p")])).toEqual([]);
    expect(kept([aNode("n1")], [aPendingPod("p")])).toEqual([]);
  });

  test("is told of no more pods than Events can be written for", () => {
    const roomy = aFencedNode("n1", { allocatable: { cpu: 1e9, memory: 1e15, pods: 9_999 } });
    expect(
      kept(
        [roomy],
        many(501, (name) => aPendingPod(name)),
      ),
    ).toHaveLength(500);
  });

  const agents = (...nodes: string[]) =>
    nodes.map((node, at) =>
      aPendingPod(`agent-${node}`, { shape: AGENT, pinnedTo: nodeName(node), createdAtMs: START_MS - 9_000 + at }),
    );
  const AGENT = aShape({ ownerKind: "DaemonSet", ownerName: "agent" });

  test("is told of its own node where it can run on one only", () => {
    expect(kept([aFencedNode("n1"), aFencedNode("n2")], agents("n2"))).toEqual(["agent-n2 at n2"]);
    expect(kept([aFencedNode("n1"), aFencedNode("n2")], agents("n1", "n2"))).toEqual([
      "agent-n1 at n1",
      "agent-n2 at n2",
    ]);
  });

  test("is told so whichever of its DaemonSet's pods is the oldest", () => {
    expect(kept([aFencedNode("n1"), aFencedNode("n2")], agents("n2", "n1"))).toEqual([
      "agent-n2 at n2",
      "agent-n1 at n1",
    ]);
  });
});

describe("pods that a fence keeps out", () => {
  test("are told why, as far as the node has room; exempt, reserved and tolerant pods are not kept out", () => {
    const roomForFour = changed(aFencedNode("n1"), { allocatable: { cpu: 500, memory: 1e12, pods: 110 } });
    const reserved = { fencesTolerated: ["n1"], reservation: { node: nodeName("n1"), atMs: START_MS } };
    const pods = [
      bound(aPod("busy"), "n1"),
      aPendingPod("reserved", reserved),
      aPendingPod("system", { shape: aShape({ namespace: "kube-system" }) }),
      aPendingPod("tolerant", { fencesTolerated: ["*"] }),
      ...many(9, (name) => aPendingPod(name)),
    ];
    const kept = pacerWith([roomForFour], pods, slots(2)).keptOut(START_MS);
    expect(kept.map(({ pod }) => pod.name)).toEqual(["p0", "p1"]);
    expect(kept[0]?.hold).toMatchObject({ reason: "StartupSlotsFull", node: "n1" });
    expect(pacerWith([roomForFour], pods, { ...slots(2), mode: "observe" }).keptOut(START_MS)).toEqual([]);
  });
});
