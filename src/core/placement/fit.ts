/** Does a pod fit a node? The scheduler's own filters, as far as one node alone tells. */
import { labelOf } from "../../policy/resolve.ts";
import type { HostPort, NodeFacts, NodeRequirement, PodFacts, Resources, Taint, Toleration } from "../facts.ts";
import { isJoiningTaint } from "../state/joining-taints.ts";
import type { Room } from "./room.ts";
import { openRollCall } from "../state/open-roll-call.ts";

/** A pod, or a DaemonSet that stands for the pod it would have there. */
export type Placeable = Pick<PodFacts, "shape" | "pinnedTo">;

/** Why a pod does not fit a node. */
export type UnfitReason =
  "OtherNode" | "Unschedulable" | "NodeSelector" | "NodeAffinity" | "Taint" | "Resources" | "HostPorts";

/**
/** Does a taint that the node loses by itself keep pods away now? */
export const hasJoiningTaint = ({ taints }: Pick<NodeFacts, "taints">): boolean =>
  taints.some((taint) => taint.effect !== "PreferNoSchedule" && isJoiningTaint(taint));

/**
 * The first reason for which `pod` does not fit `node`, or undefined when it fits.
 * @param joining the node is young: taints that it loses by itself do not count.
 */
export function unfitReason(pod: Placeable, node: NodeFacts, room: Room, joining: boolean): UnfitReason | undefined {
  if (lackingResource(pod.shape.requests, room.free)) return "Resources";
  return placementUnfitReason(pod, node, joining) ?? (portsTaken(pod, room.hostPorts) ? "HostPorts" : undefined);
}

/** {@link unfitReason} without what other pods take: would the pod fit the node if it were empty? */
export function placementUnfitReason(pod: Placeable, node: NodeFacts, joining: boolean): UnfitReason | undefined {
  const { shape } = pod;
  if (pod.pinnedTo !== undefined && pod.pinnedTo !== node.name) return "OtherNode";
  const opens = joining && isOpening(node);
  if (node.unschedulable && !opens && shape.ownerKind !== "DaemonSet") return "Unschedulable";
  if (!selectorMatches(shape.nodeSelector, node)) return "NodeSelector";
  const terms = shape.affinityTerms;
  if (terms && !terms.some((term) => termMatches(term.labels, term.fields, node))) return "NodeAffinity";
  const passes = (taint: Taint) => opens && taint.key === CORDON_TAINT_KEY;
  if (node.taints.some((taint) => !passes(taint) && repels(taint, shape.tolerations, joining))) return "Taint";
  return undefined;
}

/** node-lifecycle-controller adds it to a cordoned node, and takes it off a moment after the cordon. */
const CORDON_TAINT_KEY = "node.kubernetes.io/unschedulable";

/** True if no cordon will be there in a moment: a roll call's ends by itself, and the taint goes after its cordon. */
const isOpening = (node: NodeFacts) => !node.unschedulable || openRollCall(node) !== undefined;

/**
 * Would the scheduler bind the pod there this moment, as far as labels and taints tell? A pod that is released while
 * the node still joins is not bound. Its reservation ends, and once the node is Ready it is bound together with all the
 * others.
 */
export const isSchedulableNow = (pod: PodFacts, node: NodeFacts): boolean =>
  placementUnfitReason(pod, node, false) === undefined;

/** The first resource of which `requests` asks more than is free. */
export function lackingResource(requests: Resources, free: Resources): string | undefined {
  for (const resource in requests) {
    const wanted = requests[resource] ?? 0;
    if (wanted > 0 && wanted > (free[resource] ?? 0)) return resource;
  }
  return undefined;
}

function selectorMatches(selector: Readonly<Record<string, string>>, node: NodeFacts): boolean {
  for (const key in selector) if (labelOf(node.labels, key) !== selector[key]) return false;
  return true;
}

function termMatches(labels: readonly NodeRequirement[], fields: readonly NodeRequirement[], node: NodeFacts): boolean {
  if (labels.length + fields.length === 0) return false; // an empty term matches no node, as in Kubernetes
  return (
    labels.every((requirement) => requirementHolds(requirement, labelOf(node.labels, requirement.key))) &&
    fields.every((requirement) => requirementHolds(requirement, fieldOf(node, requirement.key)))
  );
}

const fieldOf = (node: NodeFacts, key: string) => (key === "metadata.name" ? node.name : undefined);

function requirementHolds({ operator, values }: NodeRequirement, actual: string | undefined): boolean {
  switch (operator) {
    case "In":
      return actual !== undefined && values.includes(actual);
    case "NotIn":
      return actual === undefined || !values.includes(actual);
    case "Exists":
      return actual !== undefined;
    case "DoesNotExist":
      return actual === undefined;
    case "Gt":
      return integerOf(actual) > integerOf(values[0]);
    case "Lt":
      return integerOf(actual) < integerOf(values[0]);
    default:
      return operator satisfies never;
  }
}

/** As Kubernetes parses it (strconv.ParseInt); NaN, which compares to nothing, for any other text. */
const integerOf = (text: string | undefined) => (/^[+-]?\d+$/.test(text ?? "") ? Number(text) : NaN);

function repels(taint: Taint, tolerations: readonly Toleration[], joining: boolean): boolean {
  if (taint.effect === "PreferNoSchedule") return false;
  if (joining && isJoiningTaint(taint)) return false;
  return !tolerations.some((toleration) => tolerates(toleration, taint));
}

function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect !== "" && toleration.effect !== taint.effect) return false;
  if (toleration.key === "") return toleration.operator === "Exists";
  if (toleration.key !== taint.key) return false;
  return toleration.operator === "Exists" || toleration.value === taint.value;
}

const anyAddress = (ip: string) => ip === "" || ip === "0.0.0.0";

function portsTaken(pod: Placeable, taken: readonly HostPort[]): boolean {
  return pod.shape.hostPorts.some((wanted) =>
    taken.some(
      (other) =>
        other.port === wanted.port &&
        other.protocol === wanted.protocol &&
        (anyAddress(other.hostIP) || anyAddress(wanted.hostIP) || other.hostIP === wanted.hostIP),
    ),
  );
}
