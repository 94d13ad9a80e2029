/**
 * What a kubelet's Event about a sandbox is worth. Each user with the right to create Events can write one, so it
 * counts only where the ledger bears it out.
 */
import type { PodFacts, SandboxCause, SandboxFailure } from "../facts.ts";
import type { ClusterState } from "../state/cluster-state.ts";
import { isStuck } from "../state/load.ts";
import { hasSandbox } from "../state/start-phase.ts";

/**
 * Why the limit is cut, in words. Addresses, a plugin's rate and time are what starts compete for; with fewer of them
 * side by side each gets its own. Undefined: fewer starts would not help.
 */
export const CUT_BY_SANDBOX: Readonly<Record<SandboxCause, ((pod: string) => string) | undefined>> = {
  NoAddress: (pod) => `no address was left for ${pod}`,
  RateLimited: (pod) => `a rate limit refused the network of ${pod}`,
  TimedOut: (pod) => `the sandbox of ${pod} was not made in time`,
  Other: undefined,
};

/**
 * The pod that it tells of, if it is bound to that node, in startup, and without a sandbox. A pod that is being deleted
 * gets none, and one that has been in startup for too long fails for a reason of its own.
 */
export function podWithoutSandbox(
  { ledger, deadlines }: ClusterState,
  { pod: uid, node }: Pick<SandboxFailure, "pod" | "node">,
  nowMs: number,
): PodFacts | undefined {
  const pod = ledger.nodes.get(node)?.starting.get(uid);
  if (!pod || pod.deleting || pod.containersStarted || isStuck(pod, deadlines, nowMs)) return undefined;
  return pod.startup && hasSandbox(pod.startup) ? undefined : pod;
}
