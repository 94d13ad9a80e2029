/**
 * Must kube-scheduler evict pods for this one? Not while a paced node has room for it and only Paceline keeps it out
 * there (promise 5). kube-scheduler cannot tell: it takes a node that pacing refused for one that no eviction would
 * help, and evicts on another.
 */
import type { PodFacts } from "../facts.ts";
import type { NodeName } from "../ids.ts";
import { SECOND_MS } from "../measures.ts";
import { fitsNode, type KnownNode, pacedNodes } from "../placement/known-node.ts";
import type { ClusterState } from "../state/cluster-state.ts";
import { keptOutSinceMs } from "../state/held-since.ts";
import { openedMs } from "../state/opening.ts";
import type { ReplicaState } from "../verdict.ts";
import { exempt } from "./exempt.ts";
import { holdCapMs, wentNearCap } from "./hold-cap.ts";
import { fencesWork, toleratesFence } from "./node-fence.ts";

/**
 * A node that has room for the pod now, and from which only pacing keeps it, for no longer than its cap; undefined: the
 * scheduler may evict as without Paceline.
 * @param pod as kube-scheduler has just tried it, with the tolerations that it had then.
 */
export function roomBehindPacing(
  state: ClusterState,
  pod: PodFacts,
  replica: ReplicaState,
  nowMs: number,
): NodeName | undefined {
  const policyMs = state.policy.maxHoldSeconds * SECOND_MS;
  const maxHoldMs = holdCapMs(pod.shape, policyMs);
  if (state.policy.mode !== "enforce" || !replica.synced || wentNearCap(pod, policyMs)) return undefined;
  const found = pacedNodes(state, nowMs).find(
    (node) =>
      openedMs(node.facts) !== undefined && // before, the node itself keeps pods out
      nowMs < keptOutSinceMs(pod, node.facts, nowMs) + maxHoldMs &&
      (isFencedOut(state, pod, node, replica) || mayBeRefused(state, pod)) &&
      fitsNode(state, pod, node, [], nowMs),
  );
  return found?.facts.name;
}

/** Without a leader nothing would let the pod through before the janitor does. */
const isFencedOut = ({ policy }: ClusterState, pod: PodFacts, { facts }: KnownNode, { leaderAlive }: ReplicaState) =>
  leaderAlive && fencesWork(policy) && facts.fence !== undefined && !toleratesFence(pod, facts.fence.value);

/**
 * filter refuses it a paced node without a slot. Of a pod with inter-pod rules only kube-scheduler knows whether it
 * came as far as filter there: it must not wait for a node that never takes it.
 */
const mayBeRefused = ({ policy, namespaces }: ClusterState, { shape, gang }: PodFacts) =>
  policy.extender.enabled && gang === undefined && !shape.interPodRules && !exempt(shape, policy, namespaces);
