/**
 * The roll call: for a few seconds a cordon stands in for a node's fence. The DaemonSet controller looks at taints
 * only, and every DaemonSet pod tolerates a cordon, so it creates the pods that do not tolerate the fence.
 * kube-scheduler keeps all other pods out meanwhile.
 */
import type { PacingPolicy } from "../../policy/schema.ts";
import type { NodeFacts, RollCall } from "../facts.ts";
import { hasJoiningTaint } from "../placement/fit.ts";
import { isInitialized, isOfKarpenter } from "./node-fence.ts";
import { openedMs } from "../state/opening.ts";
import { openRollCall } from "../state/open-roll-call.ts";

/**
 * A roll call lasts this long at most, ms. kube-controller-manager creates DaemonSet pods within milliseconds of the
 * change of taints, and a busy one within about a second. Assumed: three times that.
 */
export const ROLL_CALL_MS = 3_000;

/**
 * It ends when no further DaemonSet pod of the node has come for this long, ms: most often none is missing. Assumed:
 * the second that a busy kube-controller-manager needs, and the unit of creation times.
 */
const QUIET_MS = 1_000;

/**
 * A roll call that is open for longer than this many times its length has no leader that ends it. The janitor does.
 * Assumed: a new leader ends it first, within 15 s of the old one's death.
 */
const FORGOTTEN_AFTER = 7;

/**
 * A roll call begins within this time after its node opened, ms, or never: pods wait for its beginning, and the
 * write may be refused. Assumed: several attempts to write, and the start of a network agent.
 */
const BEGINS_WITHIN_MS = 30_000;

/**
 * May a roll call begin? Once per node, and only where the cordon would be ours: a node that is cordoned already stays
 * so. Karpenter takes a node for initialised as soon as no startup taint has its effect, so a fence that comes back
 * would look like a lasting taint to it: a node that it still initialises gets no roll call. A taint that the node
 * loses when it has joined keeps DaemonSet pods away, too, so it must be gone.
 */
export function mayCallRoll(policy: PacingPolicy, node: NodeFacts, nowMs: number): boolean {
  const { fence, labels, readySinceMs, unschedulable } = node;
  if (readySinceMs === undefined || nowMs >= (openedMs(node) ?? readySinceMs) + BEGINS_WITHIN_MS) return false;
  if (!policy.fence.rollCall || !fence || fence.value === "" || fence.rollCall || unschedulable) return false;
  if (isOfKarpenter(labels) && !isInitialized(node)) return false;
  return !hasJoiningTaint(node);
}

/**
 * When it ends, epoch ms. A beginning that is not in the past comes from another clock, and counts for nothing.
 * @param lastPodMs when the newest DaemonSet pod of the node was created; -Infinity where it has none.
 */
export const rollCallEndsMs = ({ sinceMs }: RollCall, lastPodMs: number, nowMs: number): number =>
  sinceMs > nowMs + ROLL_CALL_MS ? nowMs : Math.min(Math.max(sinceMs, lastPodMs) + QUIET_MS, sinceMs + ROLL_CALL_MS);

/** True if the node's roll call is open for so long that no leader seems to end it. */
export function isRollCallForgotten(node: Pick<NodeFacts, "fence">, nowMs: number): boolean {
  const rollCall = openRollCall(node);
  return rollCall !== undefined && Math.abs(nowMs - rollCall.sinceMs) >= FORGOTTEN_AFTER * ROLL_CALL_MS;
}
