/**
 * Which pods Paceline never holds: those that the node and the cluster need to live (promise 4), those that opt out or
 * are left out, and those of schedulers that the policy does not name. A slot would be of no use to these: where they
 * go, and when, is decided elsewhere. Every lever asks here, so that none paces what another one lets go.
 */
import { PACING_LABEL } from "../../api/names.ts";
import type { PacingPolicy } from "../../policy/schema.ts";
import { labelOf, matchesSelector } from "../../policy/resolve.ts";
import type { PodShape } from "../facts.ts";
import type { Namespaces } from "../state/namespaces.ts";

/** Label of Paceline's own pods (chart and manifests set it). */
const OWN_LABEL = "paceline.dev/component";

/** The keys of the labels on which it depends. */
export function exemptLabels({ exempt: { podSelector } }: PacingPolicy): ReadonlySet<string> {
  const { matchLabels = {}, matchExpressions = [] } = podSelector ?? {};
  return new Set([OWN_LABEL, PACING_LABEL, ...Object.keys(matchLabels), ...matchExpressions.map(({ key }) => key)]);
}

/** True when pods of this shape are never held. The policy's lists always include Kubernetes' own critical ones. */
export function exempt(shape: PodShape, policy: PacingPolicy, namespaces: Pick<Namespaces, "labelsOf">): boolean {
  const { exempt: rules, schedulerNames } = policy;
  return (
    !schedulerNames.includes(shape.schedulerName) ||
    shape.mirror ||
    shape.labels[OWN_LABEL] !== undefined ||
    shape.labels[PACING_LABEL] === "disabled" ||
    rules.namespaces.includes(shape.namespace) ||
    rules.priorityClassNames.includes(shape.priorityClassName) ||
    shape.priority >= rules.minPriority ||
    (rules.podSelector !== undefined && matchesSelector(rules.podSelector, shape.labels)) ||
    isNamespaceLeftOut(policy, namespaces.labelsOf(shape.namespace))
  );
}

/**
 * Fails open: where the policy selects namespaces, pods of one that is not known (yet) are not held. Without such a
 * selector they are: only the rare label on the namespace itself is missed.
 */
function isNamespaceLeftOut(
  { exempt: { namespaceSelector: out }, namespaces: { selector: only } }: PacingPolicy,
  labels: Readonly<Record<string, string>> | undefined,
): boolean {
  if (!labels) return out !== undefined || only !== undefined;
  if (labelOf(labels, PACING_LABEL) === "disabled") return true;
  return (out !== undefined && matchesSelector(out, labels)) || !matchesSelector(only, labels);
}
