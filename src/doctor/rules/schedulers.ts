/** A note about pods of schedulers that the policy does not name: every lever leaves them alone, and says nothing. */
import { type ClusterFacts, policyOf } from "../facts.ts";
import { type Finding, many } from "../finding-codes.ts";

export function findUnpacedSchedulers(facts: ClusterFacts): Finding[] {
  const policy = policyOf(facts);
  if (!policy || !facts.pods) return [];
  const others = [...facts.pods.schedulers].filter(([name]) => !policy.schedulerNames.includes(name));
  if (others.length === 0) return [];
  const counts = others.map(([name, count]) => `${many(count, "pod")} of ${name}`);
  return [
    {
      code: "SchedulerNotPaced",
      severity: "note",
      about: others.map(([name]) => `Scheduler/${name}`).slice(0, 5),
      seen: `The policy's schedulerNames are ${policy.schedulerNames.join(", ")}, and there are ${counts.slice(0, 5).join(", ")}.`,
      change:
        "Nothing for Volcano, YuniKorn, Fargate and their like. A kube-scheduler under another name (a profile, GKE's gke.io/optimize-utilization-scheduler, a second one) goes into schedulerNames.",
    },
  ];
}
