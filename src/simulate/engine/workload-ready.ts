/** Times of each workload's pods. */
import type { Cluster } from "./cluster.ts";
import type { SimPod } from "./pod.ts";
import type { WorkloadReady } from "./strategy.ts";

/** @param countedMs from when a pod's times count */
export function readyByWorkload(cluster: Cluster, countedMs: (pod: SimPod) => number): readonly WorkloadReady[] {
  const sums = cluster.workloads.map(() => ({ pods: 0, ready: 0, sum: 0, first: Infinity, bound: Infinity }));
  for (const pod of cluster.pods) {
    const sum = sums[pod.workload.index];
    if (sum === undefined) continue;
    const secondsTo = (atMs: number) => Math.max(0, atMs - countedMs(pod)) / 1_000;
    sum.pods += 1;
    if (pod.boundMs !== undefined) sum.bound = Math.min(sum.bound, secondsTo(pod.boundMs));
    if (pod.readyMs === undefined) continue;
    sum.ready += 1;
    sum.sum += secondsTo(pod.readyMs);
    sum.first = Math.min(sum.first, secondsTo(pod.readyMs));
  }
  return sums.map(({ pods, ready, sum, first, bound }, index) => ({
    name: cluster.workloads[index]?.spec.name ?? "",
    pods,
    ready,
    firstBoundSeconds: bound === Infinity ? undefined : bound,
    firstReadySeconds: ready > 0 ? first : undefined,
    meanReadySeconds: ready > 0 ? sum / ready : undefined,
  }));
}
