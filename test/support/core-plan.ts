/** What tests of plans share: a state, a plan in the making, a pacer with nodes and pods, images of known sizes. */
import type { DaemonSetFacts, NodeFacts, NodeSample, PodFacts, PodShape } from "../../src/core/facts.ts";
import { type ImageName, imageName, nodeName } from "../../src/core/ids.ts";
import { MIB } from "../../src/core/measures.ts";
import { createPacer, type Pacer } from "../../src/core/pacer.ts";
import { type KnownNode, knownNode } from "../../src/core/placement/known-node.ts";
import { PlanBuilder } from "../../src/core/plan/plan-builder.ts";
import { ClusterState } from "../../src/core/state/cluster-state.ts";
import { defaultPolicy } from "../../src/policy/parse.ts";
import type { PacingPolicyInput } from "../../src/policy/schema.ts";
import { aNode, anOldNode, aPod, aShape, START_MS } from "./core-facts.ts";

export type Overrides = Partial<Omit<PacingPolicyInput, "apiVersion" | "kind">>;

/** A policy of one class for all nodes, with so many slots to begin with. */
export const slots = (initial: number, more: object = {}): Overrides => ({
  nodeClasses: [{ name: "test", slots: { initial, min: 1, max: 32 }, ...more }],
});

export function pacerWith(
  nodes: readonly NodeFacts[],
  pods: readonly PodFacts[],
  overrides: Overrides = {},
  nowMs = START_MS,
): Pacer {
  const pacer = createPacer(defaultPolicy(overrides));
  for (const node of nodes) pacer.upsertNode(node, nowMs);
  for (const pod of pods) pacer.upsertPod(pod, nowMs);
  return pacer;
}

/** {@link pacerWith}, which also knows all DaemonSets. */
export function pacerKnowing(
  daemonSets: readonly DaemonSetFacts[],
  ...rest: Parameters<typeof pacerWith>
): ReturnType<typeof pacerWith> {
  const pacer = pacerWith(...rest);
  for (const one of daemonSets) pacer.upsertDaemonSet(one);
  pacer.daemonSetsListed();
  return pacer;
}

/** What a pacer knows, without the pacer. */
export function stateWith(
  nodes: readonly NodeFacts[],
  pods: readonly PodFacts[] = [],
  overrides: Overrides = {},
): ClusterState {
  const state = new ClusterState(defaultPolicy(overrides));
  for (const node of nodes) {
    state.ledger.upsertNode(node, START_MS);
    state.catalogue.learn(node.images);
  }
  for (const pod of pods) state.ledger.upsertPod(pod);
  return state;
}

/** A plan in the making, which releases no pod yet: every gated pod waits. */
export function planOf(state: ClusterState, nowMs = START_MS): PlanBuilder {
  const plan = new PlanBuilder(state, nowMs);
  for (const pod of state.ledger.gated.pods()) {
    if (pod.gatedByOthers) plan.blocked.push(pod);
    else plan.waiting.set(pod.uid, pod);
  }
  return plan;
}

/** A node that the test has put there. */
export function theNode(state: ClusterState, name: string): KnownNode {
  const node = knownNode(state, nodeName(name));
  if (!node) throw new Error(`the test has no node ${name}`);
  return node;
}

/** The disk was sampled at these times, and showed the same each time. */
export function observe(pacer: Pacer, node: string, sample: Omit<NodeSample, "atMs">, ...timesMs: number[]): void {
  for (const atMs of timesMs) pacer.observeSample(nodeName(node), { atMs, ...sample }, atMs);
}

export const many = <Made>(count: number, make: (name: string) => Made): Made[] =>
  Array.from({ length: count }, (_, i) => make(`p${i}`));

export const released = (plan: { readonly releases: readonly { readonly pod: PodFacts }[] }) =>
  plan.releases.map(({ pod }) => pod.name);

/** Names, wherever they are listed. */
export const namesOf = (pods: Iterable<PodFacts>) => [...pods].map(({ name }) => name);

/** A young node whose fence is up, and that has had its roll call. */
export const aFencedNode = (name: string, more: Partial<NodeFacts> = {}) =>
  aNode(name, {
    fence: { value: name, sinceMs: START_MS, rollCall: { state: "done", sinceMs: START_MS } },
    ...more,
  });

/** node-lifecycle-controller adds it to a cordoned node. */
export const CORDON_TAINT = { key: "node.kubernetes.io/unschedulable", value: "", effect: "NoSchedule" } as const;

/** The young node n1, whose fence is up, and that has had no roll call. */
export const aNewNode = (more: Partial<NodeFacts> = {}) =>
  aNode("n1", { fence: { value: "n1", sinceMs: START_MS }, ...more });

/** The fence of n1, with its roll call. */
export const withRollCall = (state: "open" | "done", sinceMs = START_MS) => ({
  fence: { value: "n1", sinceMs: START_MS, rollCall: { state, sinceMs } },
});

/** n1 while its roll call goes on. */
export const inRollCall = (more: Partial<NodeFacts> = {}) =>
  aFencedNode("n1", { unschedulable: true, taints: [CORDON_TAINT], ...withRollCall("open"), ...more });

/** A pod without our gate that the scheduler has found no room for. */
export const aPendingPod = (name: string, more: Partial<PodFacts> = {}) => aPod(name, { unschedulable: true, ...more });

/** What every node has before its kubelet has said that it is Ready. */
export const NOT_READY = { key: "node.kubernetes.io/not-ready", value: "", effect: "NoSchedule" } as const;

/** A young node whose fence is up and that is not Ready yet. */
export const aJoiningNode = (name: string, more: Partial<NodeFacts> = {}) =>
  aFencedNode(name, { readySinceMs: undefined, taints: [NOT_READY], ...more });

/** Images by name, with their sizes in MiB. */
export const sizes = (mib: Readonly<Record<string, number>>): ReadonlyMap<ImageName, number> =>
  new Map(Object.entries(mib).map(([name, size]) => [imageName(name), size * MIB]));

/** Another node of the cluster, which takes no pod, shows the sizes of these images. */
export const shows = (images: ReadonlyMap<ImageName, number>) =>
  anOldNode("seen", { images, allocatable: { cpu: 0, pods: 0 } });

/** The same for images `i1`, `i2` … of so many MiB each. */
export const showsEqual = (count: number, mib: number) =>
  shows(sizes(Object.fromEntries(Array.from({ length: count }, (_, at) => [`i${at + 1}`, mib]))));

/** The shape of a pod with one image and an owner of its own. */
export const withImage = (image: string): { readonly shape: PodShape } => ({
  shape: aShape({ image, ownerName: `owner-of-${image}` }),
});
