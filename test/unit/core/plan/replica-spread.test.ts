import { describe, expect, test } from "vitest";
import type { PodFacts } from "../../../../src/core/facts.ts";
import { nodeName } from "../../../../src/core/ids.ts";
import { ReplicaSpread } from "../../../../src/core/plan/replica-spread.ts";
import type { ClusterState } from "../../../../src/core/state/cluster-state.ts";
import { aGatedPod, aNode, anOldNode, aPod, aShape, bound, START_MS } from "../../../support/core-facts.ts";
import {
  aFencedNode,
  aPendingPod,
  many,
  pacerWith,
  planOf,
  slots,
  stateWith,
  theNode,
} from "../../../support/core-plan.ts";

const shape = aShape({ ownerName: "web" });
const replicas = (node: string, count: number) =>
  many(count, (name) => bound(aPod(`${name}-${node}`, { shape }), node));
const next = aGatedPod("next", { shape });

/** How many replicas more than the node with the fewest each node has. */
function more(state: ClusterState, pod: PodFacts, ...names: string[]): number[] {
  const spread = new ReplicaSpread(planOf(state));
  return names.map((name) => spread.moreThanFewest(theNode(state, name), pod));
}

describe("replicas", () => {
  test("are counted against the node with the fewest: bound ones, and those that are on their way", () => {
    const reservation = { node: nodeName("n2"), atMs: START_MS };
    const pods = [
      ...replicas("n1", 3),
      ...replicas("n2", 1),
      aPod("coming", { shape, reservation }),
      ...replicas("n3", 1),
    ];
    const state = stateWith([aNode("n1"), aNode("n2"), aNode("n3")], pods);
    expect(more(state, next, "n1", "n2", "n3")).toEqual([2, 1, 0]);
  });

  test("that this plan releases count for the node to which they go", () => {
    const state = stateWith([aNode("n1"), aNode("n2")]);
    const plan = planOf(state);
    const spread = new ReplicaSpread(plan);
    plan.releaseTo(aGatedPod("first", { shape }), theNode(state, "n1").facts, "SlotFree", "");
    plan.releaseTo(aGatedPod("other", { shape: aShape() }), theNode(state, "n2").facts, "SlotFree", "");
    expect(spread.moreThanFewest(theNode(state, "n1"), next)).toBe(1);
    expect(spread.moreThanFewest(theNode(state, "n2"), next)).toBe(0);
  });

  test("of other owners do not count", () => {
    const state = stateWith([aNode("n1"), aNode("n2")], replicas("n1", 3));
    expect(more(state, aGatedPod("other", { shape: aShape({ ownerName: "other" }) }), "n1")).toEqual([0]);
  });

  test("are compared with nodes only that the pod can be scheduled to", () => {
    const taint = { key: "team", value: "a", effect: "NoSchedule" } as const;
    const nodes = [aNode("n1"), aNode("n2"), aNode("closed", { taints: [taint] }), anOldNode("settled")];
    expect(more(stateWith(nodes, [...replicas("n1", 3), ...replicas("n2", 2)]), next, "n1")).toEqual([1]);
  });

  test("are no matter for a pod that only this node could take", () => {
    const state = stateWith([aNode("n1"), aNode("n2")], replicas("n1", 3));
    expect(more(state, { ...next, pinnedTo: nodeName("n1") }, "n1")).toEqual([0]);
  });
});

describe("in a plan", () => {
  test("replicas of one owner are spread over nodes, as kube-scheduler would", () => {
    const apps = ["a", "b", "c"].map((ownerName) => aShape({ ownerName }));
    const pods = apps.flatMap((shape) => many(2, (name) => aPendingPod(`${shape.ownerName}-${name}`, { shape })));
    const { releases } = pacerWith([aFencedNode("n1"), aFencedNode("n2")], pods, slots(3)).plan(START_MS);
    for (const { ownerName } of apps) {
      const nodes = releases.filter(({ pod }) => pod.shape.ownerName === ownerName).map(({ node }) => node);
      expect(nodes.sort()).toEqual(["n1", "n2"]);
    }
  });
});
