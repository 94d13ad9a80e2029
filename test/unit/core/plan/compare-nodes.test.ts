/** Several nodes that join together: where a pod goes, and which pull must not be left for the end. */
import { describe, expect, test } from "vitest";
import type { NodeFacts, PodFacts } from "../../../../src/core/facts.ts";
import { imageName, nodeName } from "../../../../src/core/ids.ts";
import { createPacer } from "../../../../src/core/pacer.ts";
import { MOST_COMPARED, NodeComparison } from "../../../../src/core/plan/compare-nodes.ts";
import { ReplicaSpread } from "../../../../src/core/plan/replica-spread.ts";
import type { ClusterState } from "../../../../src/core/state/cluster-state.ts";
import { costOf } from "../../../../src/core/state/load.ts";
import { defaultPolicy } from "../../../../src/policy/parse.ts";
import { aGatedPod, aNode, aPod, aShape, bound, START_MS } from "../../../support/core-facts.ts";
import { aJoiningNode, many, planOf, shows, sizes, stateWith, theNode, withImage } from "../../../support/core-plan.ts";

function planFor(
  nodes: readonly NodeFacts[],
  pods: readonly PodFacts[],
  { initial = 6, diskMiBPerSecond = 125 }: { initial?: number; diskMiBPerSecond?: number } = {},
) {
  const nodeClasses = [{ name: "test", slots: { initial, min: 1, max: 32 }, diskMiBPerSecond }];
  const pacer = createPacer(defaultPolicy({ nodeClasses }));
  for (const node of nodes) pacer.upsertNode(node, START_MS);
  for (const pod of pods) pacer.upsertPod(pod, START_MS);
  const { releases, held } = pacer.plan(START_MS);
  return {
    released: releases.map(({ pod, node }) => `${pod.name} to ${node ?? "any"}`),
    held: held.map(({ pod, hold }) => `${pod.name}: ${hold.reason}`),
  };
}

describe("of nodes that join together", () => {
  test("the one whose disk has least left to write is served first, whatever the slots", () => {
    const images = sizes({ large: 300, small: 50 });
    const fetching = bound(aPod("leader", withImage("large")), "n1");
    const bare = bound(aPod("bare"), "n2");
    const { released } = planFor(
      [shows(images), aNode("n1"), aNode("n2")],
      [fetching, bare, aGatedPod("next", withImage("small"))],
    );
    expect(released).toEqual(["next to n2"]);
  });

  test("a pod waits for the one that has its image, rather than pull it to another one as well", () => {
    const images = sizes({ app: 600, tiny: 5 });
    const nodes = [shows(images), aNode("n1", { images: sizes({ app: 600 }) }), aNode("n2")];
    const leader = bound(aPod("leader", withImage("tiny")), "n1");
    const { released, held } = planFor(nodes, [leader, aGatedPod("waits", withImage("app"))], { initial: 1 });
    expect(released).toEqual([]);
    expect(held).toEqual(["waits: StartupSlotsFull"]); // of the node that it waits for
  });

  test("but not for slots that are held by pods that fetch nothing: they may take for ever", () => {
    const images = sizes({ app: 600 });
    const nodes = [shows(images), aNode("n1", { images }), aNode("n2")];
    const slow = bound(aPod("slow"), "n1");
    const { released } = planFor(nodes, [slow, aGatedPod("goes", withImage("app"))], { initial: 1 });
    expect(released).toEqual(["goes to n2"]);
  });

  test("nor for a node whose cores are busy", () => {
    const images = sizes({ app: 600 });
    const nodeClasses = [{ name: "test", slots: { initial: 20, min: 1, max: 32 } }];
    const pacer = createPacer(defaultPolicy({ nodeClasses }));
    for (const node of [shows(images), aNode("n1", { images }), aNode("n2")]) pacer.upsertNode(node, START_MS);
    for (let at = 0; at < 10; at += 1) pacer.upsertPod(bound(aPod(`slow-${at}`), "n1"), START_MS);
    pacer.upsertPod(aGatedPod("goes", withImage("app")), START_MS);
    const sample = { atMs: START_MS, utilisation: 0, cores: 4, cpuPressure: 1 };
    pacer.observeSample(aNode("n1").name, sample, START_MS);
    expect(pacer.plan(START_MS).releases.map(({ node }) => node)).toEqual(["n2"]);
  });

  test("nor where its replicas would crowd", () => {
    const images = sizes({ app: 600, tiny: 5 });
    const nodes = [shows(images), aNode("n1", { images: sizes({ app: 600 }) }), aNode("n2")];
    const shape = aShape({ image: "app", ownerName: "app" });
    const pods = [
      bound(aPod("leader", withImage("tiny")), "n1"),
      ...["a", "b"].map((name) => bound(aPod(name, { shape, containersStarted: true }), "n1")),
    ];
    const { released } = planFor(nodes, [...pods, aGatedPod("third", { shape })], { initial: 1 });
    expect(released).toEqual(["third to n2"]);
  });

  test("a pinned pod goes to its node, however much its disk owes", () => {
    const images = sizes({ app: 200, other: 100 });
    const shape = aShape({ image: "other", ownerKind: "DaemonSet", ownerName: "agent" });
    const agent = aGatedPod("agent", { shape, pinnedTo: aNode("n1").name });
    const nodes = [shows(images), aNode("n1"), aNode("n2")];
    expect(planFor(nodes, [bound(aPod("leader", withImage("app")), "n1"), agent]).released).toEqual(["agent to n1"]);
  });
});

describe("a pull that takes as long as all the others together", () => {
  const images = sizes({ large: 400, s1: 20, s2: 21, s3: 22 });
  const pods = ["s1", "s2", "s3", "large"].map((image) => aGatedPod(image, withImage(image)));

  test("goes first where one core unpacks it more slowly than the disk writes", () => {
    const { released } = planFor([shows(images), aNode("n1")], pods, { diskMiBPerSecond: 1_000, initial: 1 });
    expect(released).toEqual(["large to n1"]);
  });

  test("waits its turn where the disk is what limits it: the small ones cost it nothing", () => {
    expect(planFor([shows(images), aNode("n1")], pods, { initial: 1 }).released).toEqual(["s1 to n1"]);
  });

  test("goes first where two nodes share the rest", () => {
    const { released } = planFor([shows(images), aNode("n1"), aNode("n2")], pods, { initial: 1 });
    expect(released[0]).toBe("large to n1");
  });
});

describe("a comparison of nodes", () => {
  const images = sizes({ app: 600 });
  const pod = aGatedPod("p", withImage("app"));
  const comparisonOf = (state: ClusterState, plan = planOf(state)) => {
    const nodes = plan.paced;
    return new NodeComparison(plan, nodes, new ReplicaSpread(plan), [[imageName("app"), 1]]);
  };
  /** The node that would be better than n1. */
  const betterThanN1 = (state: ClusterState, who = pod) => {
    const node = theNode(state, "n1");
    const cost = costOf(who, state.loadOf(node.facts, START_MS), state.catalogue);
    return comparisonOf(state).betterNode(node, who, cost);
  };
  const busy = bound(aPod("busy", withImage("other")), "n1");

  test("sends no pod to another node that brings nothing new, or that can run on one node only", () => {
    const state = stateWith([aNode("n1"), aNode("n2")], [busy]);
    expect(betterThanN1(state)).toBe("n2");
    expect(betterThanN1(state, aGatedPod("bare"))).toBeUndefined();
    expect(betterThanN1(state, { ...pod, pinnedTo: nodeName("n1") })).toBeUndefined();
  });

  test("finds no node better that is just as good, has no room, or would not take the pod this moment", () => {
    expect(betterThanN1(stateWith([aNode("n1"), aNode("n2")]))).toBeUndefined();
    const full = aNode("n2", { allocatable: { cpu: 50, memory: 1e12, pods: 110 } });
    expect(betterThanN1(stateWith([aNode("n1"), full], [busy]))).toBeUndefined();
    expect(betterThanN1(stateWith([aNode("n1"), aJoiningNode("n2")], [busy]))).toBeUndefined();
  });

  test("leaves a pull to a disk that is about to run dry, unless the other node need not fetch it", () => {
    const nearlyDry = bound(aPod("busy", withImage("tiny")), "n1"); // 60 MiB × 4 at 125 MiB/s take 1.92 s
    const seen = shows(sizes({ app: 600, tiny: 60 }));
    expect(betterThanN1(stateWith([seen, aNode("n1"), aNode("n2")], [nearlyDry]))).toBeUndefined();
    const has = aNode("n2", { images });
    expect(betterThanN1(stateWith([seen, aNode("n1"), has], [nearlyDry]))).toBe("n2");
  });

  test("is given up for more nodes than can be compared in time", () => {
    const nodes = (count: number) => many(count, (name) => aNode(name === "p0" ? "n1" : name));
    expect(betterThanN1(stateWith(nodes(MOST_COMPARED), [busy]))).toBe("p1");
    const many65 = stateWith(nodes(MOST_COMPARED + 1), [busy]);
    expect(betterThanN1(many65)).toBeUndefined();
    const load = many65.loadOf(theNode(many65, "n1").facts, START_MS);
    expect(comparisonOf(many65).isCriticalPull(load, costOf(pod, load, many65.catalogue))).toBe(false);
  });

  test("finds no pull critical that fetches nothing", () => {
    const state = stateWith([aNode("n1")]);
    const load = state.loadOf(theNode(state, "n1").facts, START_MS);
    const isCritical = (who: PodFacts) => comparisonOf(state).isCriticalPull(load, costOf(who, load, state.catalogue));
    expect([isCritical(pod), isCritical(aGatedPod("bare"))]).toEqual([true, false]);
  });
});
