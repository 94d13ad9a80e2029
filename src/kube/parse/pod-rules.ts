/** A pod's rules about other pods that kube-scheduler must keep, and the label keys that they name. */
import type { PodShape } from "../../core/facts.ts";
import { recordOf, recordsOf, textOf, textsOf } from "./kube-json.ts";

type Json = Readonly<Record<string, unknown>>;

/** Never throws. Nothing where the pod has none, so that shapes stay small. */
export function podRules(spec: Json): Pick<PodShape, "podRules"> {
  const affinity = recordOf(spec["affinity"]);
  const required = (kind: string) =>
    recordsOf(recordOf(affinity[kind])["requiredDuringSchedulingIgnoredDuringExecution"]);
  const spreads = recordsOf(spec["topologySpreadConstraints"]);
  const together = required("podAffinity");
  const apart = required("podAntiAffinity");
  const spread = spreads.filter((one) => one["whenUnsatisfiable"] === "DoNotSchedule");
  const rules = [...together, ...apart, ...spread];
  if (rules.length === 0) return {};
  const labels = [...new Set(rules.flatMap(keysOf))].sort();
  return { podRules: { text: JSON.stringify([together, apart, spread]), labels } };
}

/** Of its selector, and those whose value the scheduler takes from the pod itself. */
function keysOf(rule: Json): readonly string[] {
  const selector = recordOf(rule["labelSelector"]);
  return [
    ...Object.keys(recordOf(selector["matchLabels"])),
    ...recordsOf(selector["matchExpressions"]).map((one) => textOf(one["key"])),
    ...textsOf(rule["matchLabelKeys"]),
    ...textsOf(rule["mismatchLabelKeys"]),
  ];
}
