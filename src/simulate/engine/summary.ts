/** Computes the figures of a strategy from a simulated cluster. */
import type { Assumptions } from "../model/constants.ts";
import { type BoundPod, nodeBound, type NodeBound } from "./bound.ts";
import type { Cluster } from "./cluster.ts";
import { opensOnce, takesFromMs } from "./late-openings.ts";
import { secondsToMs, type SimNode } from "./node.ts";
import type { SimPod } from "./pod.ts";
import type { StrategyRun } from "./strategy.ts";
import { readyByWorkload } from "./workload-ready.ts";

/** Sums up a run. `readySeconds` are those of every pod, ascending, each counted from its {@link clock}. */
export function summarise(
  cluster: Cluster,
  assumptions: Partial<Assumptions> | undefined,
  nodesAdded: number,
): Omit<StrategyRun, "series"> & { readonly startMs: number } {
  const { nodes, tally, agenda } = cluster;
  const { countedMs, possibleMs, heldFromMs } = clock(nodes);
  const pods = cluster.pods.filter((pod) => pod.awaited);
  const never = cluster.pods.filter((pod) => pod.workload.neverReady).length;
  const startMs = pods.reduce((least, pod) => Math.min(least, possibleMs(pod)), Infinity);
  const endMs = (pod: SimPod) => pod.readyMs ?? agenda.nowMs;
  const lastMs = pods.reduce((last, pod) => Math.max(last, endMs(pod)), startMs);
  const makespanSeconds = pods.length === 0 ? 0 : (lastMs - startMs) / 1_000;
  const bound = clusterBound(cluster, startMs, possibleMs, assumptions);
  const secondsOf = (pod: SimPod) => Math.max(0, endMs(pod) - countedMs(pod)) / 1_000;
  const readySeconds = pods.map(secondsOf).sort((a, b) => a - b);
  const held = cluster.pods.map((pod) => ((pod.letGoMs ?? agenda.nowMs) - heldFromMs(pod)) / 1_000);
  const most = (figures: readonly number[]) => figures.reduce((max, one) => Math.max(max, one), 0);
  return {
    startMs,
    readySeconds,
    workloads: readyByWorkload(cluster, countedMs),
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
      p95ReadySeconds: percentile(readySeconds, 0.95),
      p99ReadySeconds: percentile(readySeconds, 0.99),
      slowestDaemonSetSeconds: most(pods.filter((pod) => pod.pinned).map(secondsOf)),
      peakInStartup: most(nodes.map((node) => node.peakInStartup)),
      peakAwaitMs: most(nodes.map((node) => node.peakAwaitMs)),
      longestHoldSeconds: cluster.lever.holds ? most(held) : 0,
      unreadyPods: pods.filter((pod) => pod.readyMs === undefined).length + cluster.owedDaemons + never,
      ...(never > 0 && { neverReadyPods: never }),
      pods: cluster.pods.length,
      nodesAdded,
    },
  };
}

/**
 * From when a pod's times count. A DaemonSet's pod counts from its node's Ready, because its creation depends on the
 * strategy: the controller creates it only when the fence is gone. What tolerates the fence exists earlier, and counts
 * from Ready as well.
 */
function clock(nodes: readonly SimNode[]) {
  const firstMs = firstPossible(nodes.filter(({ spec }) => spec.pods > 0));
  const daemonMs = ({ workload }: SimPod, nodeMs: number) =>
    Math.max(secondsToMs(workload.spec.createdSeconds), nodeMs);
  const ordinaryMs = ({ createdMs, workload }: SimPod) => firstMs(workload.spec.device, createdMs);
  return {
    countedMs: (pod: SimPod) => (pod.pinned ? daemonMs(pod, pod.pinned.readyMs) : ordinaryMs(pod)),
    /** When work on the pod was possible, whatever the strategy. */
    possibleMs: (pod: SimPod) => (pod.pinned ? daemonMs(pod, openMs(pod, pod.pinned)) : ordinaryMs(pod)),
    /** When the pod existed and could have been let go. */
    heldFromMs: (pod: SimPod) => (pod.pinned ? Math.max(pod.createdMs, openMs(pod, pod.pinned)) : ordinaryMs(pod)),
  };
}

/** The first moment from `atMs` on at which some node takes pods that ask for `device`, ms. */
function firstPossible(nodes: readonly SimNode[]): (device: string | undefined, atMs: number) => number {
  const firstReadyMs = nodes.reduce(
    (least, node) => (opensOnce(node) ? Math.min(least, node.readyMs) : least),
    Infinity,
  );
  const others = nodes.filter((node) => !opensOnce(node));
  return (device, atMs) => {
    const plainMs = device === undefined ? Math.max(atMs, firstReadyMs) : Infinity;
    const openMs = others.reduce((least, node) => Math.min(least, takesFromMs(node, device, atMs)), plainMs);
    return openMs === Infinity ? Math.max(atMs, firstReadyMs) : openMs;
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
  possibleMs: (pod: SimPod) => number,
  assumptions: Partial<Assumptions> | undefined,
): NodeBound {
  let bound: NodeBound = { seconds: 0, binds: "longestPod" };
  const { nodes, scenario } = cluster;
  for (const node of nodes) {
    const pods = boundPods(cluster, node, startMs, possibleMs);
    if (pods.length === 0) continue;
    const own = nodeBound({ scenario, node: { ...node.spec, present: [...node.present] }, pods, assumptions });
    if (own.seconds > bound.seconds) bound = own;
  }
  return bound;
}

/**
 * Work on a pod was possible once it existed and its node was Ready. The images of crash-looping pods are written, too.
 */
function boundPods(cluster: Cluster, node: SimNode, startMs: number, possibleMs: (pod: SimPod) => number): BoundPod[] {
  const pods = cluster.podsOn(node).filter((pod) => !pod.workload.neverReady);
  return pods.map((pod) => ({
    releasedSeconds: (takenMs(pod, node, Math.max(possibleMs(pod), openMs(pod, node))) - startMs) / 1_000,
    workload: pod.workload.spec,
  }));
}

/** DaemonSets' pods wait for no cordon. */
const takenMs = (pod: SimPod, node: SimNode, atMs: number) =>
  pod.pinned ? atMs : takesFromMs(node, pod.workload.spec.device, atMs);
