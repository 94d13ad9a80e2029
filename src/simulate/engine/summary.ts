/** Computes the figures of a strategy from a simulated cluster. */
import type { Assumptions } from "../model/constants.ts";
import { type BoundPod, nodeBound, type NodeBound } from "./bound.ts";
import type { Cluster } from "./cluster.ts";
import type { SimNode } from "./node.ts";
import type { SimPod } from "./pod.ts";
import type { StrategyResult } from "./strategy.ts";

/**
 * Sums up a run. `readySeconds` are those of every pod, ascending, counted from `startMs` or from the pod's creation if
 * later.
 */
export function summarise(
  cluster: Cluster,
  assumptions: Partial<Assumptions> | undefined,
  nodesAdded: number,
): { readonly result: StrategyResult; readonly readySeconds: readonly number[]; readonly startMs: number } {
  const { nodes, tally, agenda } = cluster;
  const firstReadyMs = nodes.reduce(
    (least, node) => (node.spec.pods > 0 ? Math.min(least, node.readyMs) : least),
    Infinity,
  );
  const releasedMs = (pod: SimPod) => Math.max(pod.createdMs, pod.pinned ? openMs(pod, pod.pinned) : firstReadyMs);
  const pods = cluster.pods.filter((pod) => !pod.crashes);
  const startMs = pods.reduce((least, pod) => Math.min(least, releasedMs(pod)), Infinity);
  const endMs = (pod: SimPod) => pod.readyMs ?? agenda.nowMs;
  const lastMs = pods.reduce((last, pod) => Math.max(last, endMs(pod)), startMs);
  const makespanSeconds = pods.length === 0 ? 0 : (lastMs - startMs) / 1_000;
  const bound = clusterBound(cluster, startMs, releasedMs, assumptions);
  const readySeconds = pods.map((pod) => (endMs(pod) - releasedMs(pod)) / 1_000).sort((a, b) => a - b);
  const held = cluster.pods.map((pod) => ((pod.letGoMs ?? agenda.nowMs) - releasedMs(pod)) / 1_000);
  const most = (figures: readonly number[]) => figures.reduce((max, one) => Math.max(max, one), 0);
  return {
    startMs,
    readySeconds,
    result: {
      makespanSeconds,
      boundSeconds: bound.seconds,
      boundBy: bound.binds,
      ratioToBound: bound.seconds > 0 ? makespanSeconds / bound.seconds : 1,
      startErrors: tally.startErrors,
      failures: tally.failures,
      restarts: cluster.pods.reduce((sum, pod) => sum + pod.progress.restarts, 0),
      meanReadySeconds: readySeconds.reduce((sum, one) => sum + one, 0) / Math.max(1, readySeconds.length),
      p50ReadySeconds: percentile(readySeconds, 0.5),
      p99ReadySeconds: percentile(readySeconds, 0.99),
      peakInStartup: most(nodes.map((node) => node.peakInStartup)),
      peakAwaitMs: most(nodes.map((node) => node.peakAwaitMs)),
      longestHoldSeconds: cluster.lever.holds ? most(held) : 0,
      unreadyPods: pods.filter((pod) => pod.readyMs === undefined).length,
      pods: cluster.pods.length,
      nodesAdded,
    },
  };
}

/** When the node takes the pod at the earliest. */
const openMs = (pod: SimPod, node: SimNode) => (pod.workload.spec.toleratesEverything ? node.createdMs : node.readyMs);

/** The percentile by nearest rank; 0 if there are no values. */
export function percentile(ascending: readonly number[], share: number): number {
  return ascending[Math.max(0, Math.ceil(share * ascending.length) - 1)] ?? 0;
}

/** The slowest node's bound, since all nodes work at the same time. */
function clusterBound(
  cluster: Cluster,
  startMs: number,
  releasedMs: (pod: SimPod) => number,
  assumptions: Partial<Assumptions> | undefined,
): NodeBound {
  let bound: NodeBound = { seconds: 0, binds: "longestPod" };
  const { nodes, scenario } = cluster;
  for (const node of nodes) {
    const pods = boundPods(cluster, node, startMs, releasedMs);
    if (pods.length === 0) continue;
    const own = nodeBound({ scenario, node: node.spec, pods, assumptions });
    if (own.seconds > bound.seconds) bound = own;
  }
  return bound;
}

/**
 * Work on a pod was possible once it existed and its node was Ready. The images of crash-looping pods are written, too.
 */
function boundPods(cluster: Cluster, node: SimNode, startMs: number, releasedMs: (pod: SimPod) => number): BoundPod[] {
  return cluster.podsOn(node).map((pod) => ({
    releasedSeconds: (Math.max(releasedMs(pod), openMs(pod, node)) - startMs) / 1_000,
    workload: pod.workload.spec,
  }));
}
