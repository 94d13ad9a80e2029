/** Nodes that their class leaves out of pacing: no lever touches them, and pods for them do not wait. */
import { describe, expect, test } from "vitest";
import type { NodeFacts } from "../../../../src/core/facts.ts";
import { nodeName } from "../../../../src/core/ids.ts";
import { fenceVerdict } from "../../../../src/core/rules/node-fence.ts";
import { neededNote } from "../../../../src/core/state/opening.ts";
import { defaultPolicy } from "../../../../src/policy/parse.ts";
import { pacesNode } from "../../../../src/policy/resolve.ts";
import {
  aFencedNode,
  aPendingPod,
  CORDON_TAINT,
  NOT_READY,
  observe,
  type Overrides,
  pacerKnowing,
  pacerWith,
  released,
  stateWith,
} from "../../../support/core-plan.ts";
import {
  aDaemonPod,
  aGatedPod,
  aNode,
  anOldNode,
  aPod,
  aShape,
  bound,
  changed,
  START_MS,
} from "../../../support/core-facts.ts";

const healthy = { synced: true, leaderAlive: true };
const labels = { pool: "edge" };
const EDGE: Overrides = {
  nodeClasses: [
    { name: "edge", selector: { matchLabels: labels }, paced: false, slots: { initial: 1, max: 1 } },
    { name: "default", slots: { initial: 1, max: 1 } },
  ],
};
const here = aShape({ nodeSelector: labels, image: "app:1" });
const pod = aPod("p", { shape: here });

describe("which nodes are left out", () => {
  const virtual = { type: "virtual-kubelet" };
  const fargate = { "eks.amazonaws.com/compute-type": "fargate", "kubernetes.io/os": "linux" };

  test.each([
    ["virtual nodes and Fargate's, without a word in the policy", {}, virtual, false],
    ["Fargate's", {}, fargate, false],
    ["no Windows node: it pulls images as others do", {}, { "kubernetes.io/os": "windows" }, true],
    [
      "no control plane: k3s and minikube run everything there",
      {},
      { "node-role.kubernetes.io/control-plane": "" },
      true,
    ],
    [
      "virtual nodes also where a class without a word on it takes them",
      { nodeClasses: [{ name: "default" }] },
      virtual,
      false,
    ],
    ["no virtual node that a class paces", { nodeClasses: [{ name: "default", paced: true }] }, virtual, true],
    ["nodes of a class that says so", EDGE, labels, false],
    ["no node of another class", EDGE, { pool: "core" }, true],
  ] as const)("%s", (_, overrides, given, paced) => {
    const policy = defaultPolicy(overrides);
    expect(pacesNode(policy, given)).toBe(paced);
    expect(fenceVerdict(given, policy, healthy)).toBe(paced ? "fence" : "none");
  });
});

describe("a node that is left out", () => {
  test("has no fence raised, no soft taint and no note, whatever its state", () => {
    const states: Partial<NodeFacts>[] = [
      {},
      { unschedulable: true, taints: [CORDON_TAINT] },
      { readySinceMs: undefined, taints: [NOT_READY] },
    ];
    for (const state of states) {
      const node = aNode("n1", { labels, ...state });
      expect(pacerKnowing([], [node], [aPendingPod("p", { shape: here })], EDGE).plan(START_MS).fences).toEqual([]);
    }
    const closed = aNode("n1", { labels, unschedulable: true, taints: [CORDON_TAINT] });
    const known = stateWith([closed], [], EDGE).ledger.nodes.get(closed.name)?.facts;
    expect(known && neededNote(known, START_MS), "another node would get one").toBeDefined();
  });

  test("loses fence and soft taint that it came with, or had before it got its labels, and says why", () => {
    const pacer = pacerWith([aFencedNode("n1")], [aPendingPod("p", { shape: here })], EDGE);
    expect(pacer.plan(START_MS).fences.map(({ kind }) => kind)).not.toContain("lift");
    pacer.upsertNode(changed(aFencedNode("n1"), { labels }), START_MS);
    const lift = { kind: "lift", reason: "NotPaced", steer: undefined };
    expect(pacer.plan(START_MS).fences).toMatchObject([lift]);
    const steered = aNode("n1", { labels, steered: true });
    expect(pacerWith([steered], [], EDGE).plan(START_MS).fences).toMatchObject([{ kind: "unsteer" }]);
  });

  test("has no pod gated for it, pinned or not, while everything there starts", () => {
    const busy = [1, 2, 3].map((at) => bound(aPod(`busy${at}`), "n1"));
    const pacer = pacerWith([aNode("n1", { labels })], busy, EDGE);
    expect(pacer.admit(pod, healthy, START_MS)).toEqual({ kind: "allow", reason: "SettledNodeFits" });
    const pinned = aPod("d", { pinnedTo: nodeName("n1"), shape: aShape({ ownerKind: "DaemonSet", image: "agent:1" }) });
    expect(pacer.admit(pinned, healthy, START_MS)).toEqual({ kind: "allow", reason: "NodeSettled" });
    for (const one of [aGatedPod("p", { shape: here }), aDaemonPod("d", "n1")]) pacer.upsertPod(one, START_MS);
    expect(pacer.plan(START_MS).releases.map(({ reason }) => reason)).toEqual(["NodeSettled", "NodeSettled"]);
  });

  test("keeps no pod from its turn elsewhere: one that could go to a young node, too, waits for that", () => {
    const pacer = pacerWith([aNode("n1", { labels }), aNode("young")], [bound(aPod("busy"), "young")], EDGE);
    expect(pacer.admit(aPod("p", { shape: aShape({ image: "app:1" }) }), healthy, START_MS).kind).toBe("hold");
  });

  test("is no room before it is Ready: pods for it alone are demand", () => {
    const joining = aNode("n1", { labels, readySinceMs: undefined, taints: [NOT_READY] });
    const pacer = pacerWith([joining], [], EDGE);
    expect(pacer.admit(pod, healthy, START_MS)).toEqual({ kind: "allow", reason: "NoNodeFits" });
  });

  test("is always offered by the extender, with the best score", () => {
    const overrides = { ...EDGE, extender: { enabled: true } };
    const busy = ["n1", "n2"].map((name) => bound(aPod(`on-${name}`), name));
    const pacer = pacerWith([aNode("n1", { labels }), aNode("n2")], busy, overrides);
    const anyone = aPod("p", { shape: aShape({ image: "app:1" }) });
    expect(pacer.offer(anyone, ["n1", "n2"], healthy, START_MS).accepted).toEqual(["n1"]);
    const [leftOut = 0, paced = 0] = pacer.score(anyone, ["n1", "n2"], START_MS);
    expect(leftOut).toBe(10);
    expect(paced).toBeLessThan(10);
    expect(pacer.roomBehindPacing(pod, healthy, START_MS)).toBeUndefined();
  });

  test("is never young, hot or saturated, learns no limit, and is not watched: it only counts", () => {
    const nodes = [aNode("n1", { labels }), anOldNode("n2", { labels })];
    const starting = bound(aPod("starts", { shape: here }), "n2");
    const pacer = pacerWith(nodes, [starting], EDGE);
    observe(pacer, "n1", { awaitMs: 9_000, utilisation: 1 }, START_MS);
    pacer.upsertPod(changed(starting, { overloadFailures: 1 }), START_MS);
    expect(pacer.status(START_MS)).toMatchObject({ nodes: [], settledNodes: 0, leftOutNodes: 2 });
    expect(pacer.takeMoves()).toEqual([]);
    expect(pacer.watchedNodes(START_MS)).toEqual([]);
    expect(pacer.isLeftOut(nodeName("n1"))).toBe(true);
    expect(pacer.leaderFigures(START_MS).size).toBe(0);
  });

  test("is paced as soon as the policy says so, and the other way round", () => {
    const pacer = pacerWith([aNode("n1", { labels })], [bound(aPod("busy"), "n1")], EDGE);
    expect(pacer.admit(pod, healthy, START_MS).kind).toBe("allow");
    pacer.setPolicy(defaultPolicy(), START_MS);
    expect(pacer.admit(pod, healthy, START_MS).kind).toBe("hold");
    pacer.upsertPod(aGatedPod("q", { shape: here }), START_MS);
    pacer.setPolicy(defaultPolicy(EDGE), START_MS);
    expect(released(pacer.plan(START_MS))).toEqual(["q"]);
  });
});
