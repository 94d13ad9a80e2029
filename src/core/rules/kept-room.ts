/**
 * How long a node's room is kept for a DaemonSet's pod that has not come. A quota, Pod Security Admission or another
 * webhook may refuse it for ever, and its room must not.
 */
import type { DaemonSetFacts, NodeFacts } from "../facts.ts";
import { hasJoiningTaint } from "../placement/fit.ts";
import { toleratesFence } from "./node-fence.ts";
import { ROLL_CALL_MS } from "./roll-call.ts";

/**
 * From when the node is open to the pod, ms. Assumed: kube-controller-manager creates it within a second or so, but
 * takes one DaemonSet at a time, at 20 requests a second (--kube-api-qps), so that hundreds of nodes that join at once
 * need half a minute.
 */
const KEPT_FOR_MS = 30_000;

/**
 * Epoch ms; Infinity while the node keeps the pod out: it is not Ready, still joins, or has a fence that was not opened
 * for a roll call.
 * @param openedMs when this replica saw what kept such pods out go, epoch ms.
 */
export function roomKeptUntilMs(
  daemonSet: Pick<DaemonSetFacts, "fencesTolerated">,
  node: NodeFacts,
  openedMs = -Infinity,
): number {
  const { readySinceMs, fence } = node;
  if (readySinceMs === undefined || hasJoiningTaint(node) || isFencedOut(daemonSet, node)) return Infinity;
  const { state, sinceMs = -Infinity } = fence?.rollCall ?? {};
  if (state === "open") return Infinity;
  return Math.max(readySinceMs, openedMs, sinceMs + ROLL_CALL_MS) + KEPT_FOR_MS;
}

/** Does the fence keep the DaemonSet's pod from being created, with no roll call to let it? */
export const isFencedOut = (daemonSet: Pick<DaemonSetFacts, "fencesTolerated">, { fence }: Pick<NodeFacts, "fence">) =>
  fence !== undefined && fence.rollCall === undefined && !toleratesFence(daemonSet, fence.value);

/** Has the node just opened to pods that it kept out until then? */
export const hasOpened = (before: NodeFacts, after: NodeFacts): boolean => isClosed(before) && !isClosed(after);

const isClosed = (node: NodeFacts) => hasJoiningTaint(node) || (node.fence !== undefined && !node.fence.rollCall);
