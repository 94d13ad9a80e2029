/** Pods that no strategy can make Ready. */
import type { Scenario, ScenarioWorkload } from "./schema.ts";

/** Names of the workloads that miss a Secret or have no pod, and of those that wait for such a one, or in a circle. */
export function neverReady({ workloads }: Scenario): ReadonlySet<string> {
  const never = new Set(workloads.map(({ name }) => name));
  const canBeReady = ({ missingSecret, replicas, initContainers }: ScenarioWorkload) =>
    !missingSecret && replicas !== 0 && initContainers.every(({ waitsFor = "" }) => !never.has(waitsFor));
  for (let found = true; found;) {
    const ready = workloads.filter((workload) => never.has(workload.name) && canBeReady(workload));
    for (const { name } of ready) never.delete(name);
    found = ready.length > 0;
  }
  return never;
}
