/**
 * Applies a policy to one object: the class of a node, and whether labels are selected. Pure, so it can be memoized.
 */
import { deepFreeze } from "./frozen.ts";
import type { LabelRequirement, LabelSelector } from "./label-selector.ts";
import { DEFAULT_NODE_CLASS_NAME, NodeClass } from "./node-class.ts";
import type { PacingPolicy } from "./schema.ts";

type Labels = Readonly<Record<string, string>>;

/** The class of nodes that match no class of the policy: every figure has its default. */
export const defaultNodeClass: NodeClass = deepFreeze(NodeClass.parse({ name: DEFAULT_NODE_CLASS_NAME }));

/** The class of a node with these labels: the first that matches, or else {@link defaultNodeClass}. */
export function nodeClassFor(policy: PacingPolicy, labels: Labels): NodeClass {
  const matching = policy.nodeClasses.find(({ selector }) => matchesSelector(selector, labels));
  return matching ?? defaultNodeClass;
}

/**
 * Nodes that have no disk for Paceline to look after, by the labels with which they register. Windows nodes pull images
 * as others do, and on one of a control plane that takes pods at all they start as elsewhere: both are paced.
 */
const VIRTUAL: readonly (readonly [key: string, value: string])[] = [
  ["type", "virtual-kubelet"],
  ["eks.amazonaws.com/compute-type", "fargate"],
];

/** Is a node with these labels paced, or left out altogether? */
export function pacesNode(policy: PacingPolicy, labels: Labels): boolean {
  return nodeClassFor(policy, labels).paced ?? !VIRTUAL.some(([key, value]) => labelOf(labels, key) === value);
}

/** True if the selector selects the labels. No selector, or one without requirements, selects everything. */
export function matchesSelector(selector: LabelSelector | undefined, labels: Labels): boolean {
  const { matchLabels = {}, matchExpressions = [] } = selector ?? {};
  return (
    Object.entries(matchLabels).every(([key, value]) => labelOf(labels, key) === value) &&
    matchExpressions.every((requirement) => meetsRequirement(requirement, labelOf(labels, requirement.key)))
  );
}

/** The label's own value. Labels are data, so a key such as `constructor` must not reach the prototype. */
export function labelOf(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}

function meetsRequirement(requirement: LabelRequirement, value: string | undefined): boolean {
  switch (requirement.operator) {
    case "In":
      return value !== undefined && requirement.values.includes(value);
    case "NotIn":
      return value === undefined || !requirement.values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    default:
      return requirement satisfies never;
  }
}
