/**
 * Which pods Paceline leaves alone: those that the node and the cluster need to live (promise 4), and those of
 * schedulers that the policy does not name. A slot would be of no use to these: where they go, and when, is decided
 * elsewhere.
 */
import { PACING_LABEL } from "../../api/names.ts";
import type { PacingPolicy } from "../../policy/schema.ts";
import { matchesSelector } from "../../policy/resolve.ts";
import type { PodShape } from "../facts.ts";

/** Label of Paceline's own pods (chart and manifests set it). */
const OWN_LABEL = "paceline.dev/component";

/** The keys of the labels on which it depends. */
export function exemptLabels({ exempt: { podSelector } }: PacingPolicy): ReadonlySet<string> {
  const { matchLabels = {}, matchExpressions = [] } = podSelector ?? {};
  return new Set([OWN_LABEL, PACING_LABEL, ...Object.keys(matchLabels), ...matchExpressions.map(({ key }) => key)]);
}

/** True when pods of this shape are never held. The policy's lists always include Kubernetes' own critical ones. */
export function exempt(shape: PodShape, { exempt: rules, schedulerNames }: PacingPolicy): boolean {
  return (
    !schedulerNames.includes(shape.schedulerName) ||
    shape.mirror ||
    shape.labels[OWN_LABEL] !== undefined ||
    shape.labels[PACING_LABEL] === "disabled" ||
    rules.namespaces.includes(shape.namespace) ||
    rules.priorityClassNames.includes(shape.priorityClassName) ||
    shape.priority >= rules.minPriority ||
    (rules.podSelector !== undefined && matchesSelector(rules.podSelector, shape.labels))
  );
}
