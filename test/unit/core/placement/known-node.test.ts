import { describe, expect, test } from "vitest";
import type { PodFacts } from "../../../../src/core/facts.ts";
import { nodeName } from "../../../../src/core/ids.ts";
import {
  firstNode,
  fitsNode,
  fitsPacedNode,
  isPaced,
  knownNode,
  pacedNodes,
} from "../../../../src/core/placement/known-node.ts";
import type { ClusterState } from "../../../../src/core/state/cluster-state.ts";
import { aNode, anOldNode, aPod, aShape, bound, START_MS } from "../../../support/core-facts.ts";
import { NOT_READY, stateWith, theNode } from "../../../support/core-plan.ts";

const roomFor = (pods: number) => ({ allocatable: { cpu: 16_000, memory: 1e12, pods } });
const reservedOn = (node: string) => ({ reservation: { node: nodeName(node), atMs: START_MS } });
const fits = (state: ClusterState, pod: PodFacts, claimants: readonly PodFacts[] = [], nowMs = START_MS) =>
  fitsNode(state, pod, theNode(state, "n1"), claimants, nowMs);

describe("a known node", () => {
  test("is one whose Node object was seen, not one that only pods speak of", () => {
    const state = stateWith([aNode("n1")], [bound(aPod("p"), "ghost")]);
    expect(knownNode(state, nodeName("n1"))?.facts.name).toBe("n1");
    expect(knownNode(state, nodeName("ghost"))).toBeUndefined();
    expect(knownNode(state, nodeName("unheard-of"))).toBeUndefined();
  });

  test("is found at the first that is wanted, and no other is looked at", () => {
    const state = stateWith([aNode("n1"), aNode("n2"), aNode("n3")], [bound(aPod("p"), "ghost")]);
    const asked: string[] = [];
    const found = firstNode(state, ({ facts }) => asked.push(facts.name) === 2);
    expect([found?.facts.name, asked]).toEqual(["n2", ["n1", "n2"]]);
    expect(firstNode(state, () => false)).toBeUndefined();
  });
});

describe("a pod fits a node beside", () => {
  test("pods that are bound there", () => {
    expect(fits(stateWith([aNode("n1", roomFor(1))]), aPod("p"))).toBe(true);
    expect(fits(stateWith([aNode("n1", roomFor(1))], [bound(aPod("there"), "n1")]), aPod("p"))).toBe(false);
  });

  test("pods with a reservation there, as long as it counts", () => {
    const state = stateWith([aNode("n1", roomFor(1))], [aPod("coming", reservedOn("n1"))]);
    expect(fits(state, aPod("p"))).toBe(false);
    expect(fits(state, aPod("p"), [], START_MS + 15_000)).toBe(true);
  });

  test("claimants", () => {
    const state = stateWith([aNode("n1", roomFor(2))]);
    expect(fits(state, aPod("p"), [aPod("a")])).toBe(true);
    expect(fits(state, aPod("p"), [aPod("a"), aPod("b")])).toBe(false);
  });

  test("itself: neither its own reservation nor its own claim stands in its way", () => {
    const pod = aPod("p", reservedOn("n1"));
    expect(fits(stateWith([aNode("n1", roomFor(1))], [pod]), pod, [pod])).toBe(true);
  });

  test("host ports that others have", () => {
    const shape = aShape({ hostPorts: [{ protocol: "TCP", hostIP: "", port: 80 }] });
    const pod = aPod("p", { shape });
    expect(fits(stateWith([aNode("n1")], [bound(aPod("there", { shape }), "n1")]), pod)).toBe(false);
    expect(fits(stateWith([aNode("n1")]), pod, [aPod("claims", { shape })])).toBe(false);
    expect(fits(stateWith([aNode("n1")]), pod)).toBe(true);
  });

  test("taints that a young node loses by itself, and no longer once it is not young", () => {
    const joining = aNode("n1", { readySinceMs: undefined, taints: [NOT_READY] });
    const state = stateWith([joining], [], { youngForSeconds: 60 });
    expect(fits(state, aPod("p"), [], START_MS + 59_999)).toBe(true);
    expect(fits(state, aPod("p"), [], START_MS + 60_000)).toBe(false);
  });
});

describe("paced nodes", () => {
  test("are young, hot or fenced; the others have settled", () => {
    const fence = { value: "fenced", sinceMs: START_MS };
    const nodes = [aNode("young"), anOldNode("hot"), anOldNode("fenced", { fence }), anOldNode("old")];
    const state = stateWith(nodes);
    const hot = theNode(state, "hot").facts;
    state.setLimit(hot.name, { ...state.limitOf(hot), hotUntilMs: START_MS + 1 });
    expect(pacedNodes(state, START_MS).map(({ facts }) => facts.name)).toEqual(["young", "hot", "fenced"]);
    expect(isPaced(state, hot, START_MS + 1)).toBe(false);
  });

  test("take a pod only where one of them has room; settled ones do not count", () => {
    expect(fitsPacedNode(stateWith([aNode("n1"), anOldNode("old")]), aPod("p"), START_MS)).toBe(true);
    expect(fitsPacedNode(stateWith([aNode("n1", roomFor(0)), anOldNode("old")]), aPod("p"), START_MS)).toBe(false);
  });
});
