/**
 * The order that is best in hindsight for the mean time to Ready: the least work per pod first (Smith's rule). Pods
 * that share images share their work. DaemonSets and higher priority go first, as they must in Paceline.
 */
import type { Scenario } from "../scenario/schema.ts";
import type { PodOrder } from "./fixed.ts";
import type { SimPod } from "./pod.ts";

/**
 * @returns an order of pods. Work is counted in unpacked MiB; a core-second counts as the MiB that a core unpacks in
 * it.
 */
export function shortestFirst(scenario: Scenario): PodOrder {
  const work = workPerPod(scenario);
  const weight = (pod: SimPod) => work[pod.workload.index] ?? 0;
  const daemon = (pod: SimPod) => (pod.workload.spec.kind === "DaemonSet" ? 0 : 1);
  return (a, b) =>
    daemon(a) - daemon(b) ||
    b.workload.spec.priority - a.workload.spec.priority ||
    weight(a) - weight(b) ||
    a.workload.index - b.workload.index ||
    a.order - b.order;
}

/** MiB that a core unpacks per second, as in the node's model. It makes bytes and work comparable. */
const MIB_PER_CORE_SECOND = 120;

function workPerPod(scenario: Scenario): number[] {
  const mib = new Map(scenario.images.map((image) => [image.name, image.mib * (1 + image.compressedRatio)]));
  const sharers = new Map<string, number>();
  for (const { images, replicas } of scenario.workloads) {
    for (const image of new Set(images)) sharers.set(image, (sharers.get(image) ?? 0) + (replicas ?? 1));
  }
  return scenario.workloads.map(({ images, startCpuSeconds }) => {
    const share = [...new Set(images)].map((image) => (mib.get(image) ?? 0) / (sharers.get(image) ?? 1));
    return share.reduce((sum, one) => sum + one, 0) + images.length * startCpuSeconds * MIB_PER_CORE_SECOND;
  });
}
