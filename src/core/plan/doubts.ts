/**
 * Pods that kube-scheduler may refuse for reasons of its own: volumes, devices, plugins. A slot that is kept for such a
 * pod is lost to others until its reservation ends, so half of a node's slots are for them at most. Not fewer: after a
 * shortage of nodes every pod looks like that, and the scheduler may take seconds to answer.
 */
import type { NodeFacts, PodFacts } from "../facts.ts";
import type { PodUID } from "../ids.ts";
import { SECOND_MS } from "../measures.ts";
import { openedMs } from "../state/opening.ts";
import { hasReservation } from "../state/reservations.ts";
import type { PlanBuilder } from "./plan-builder.ts";

/**
 * A pod that has been pending for so long before a node opened has been looked at more than once, and what keeps it
 * may have nothing to do with room, ms. Source: kube-scheduler tries every pod again after 5 minutes at the latest
 * (DefaultPodMaxInUnschedulablePodsDuration).
 */
const LONG_MS = 300 * SECOND_MS;

/**
 * Why the scheduler may refuse a pod: it has, or others of its namespace went in vain and none of its template is bound
 * yet. What is broken in one template may be in the next.
 */
export type Doubt = "refused" | "unproven";

export function doubtAbout(plan: PlanBuilder, pod: PodFacts, node: NodeFacts): Doubt | undefined {
  if (hasBeenRefused(plan, pod, node)) return "refused";
  const isProven = plan.state.ledger.boundAlike.has(pod.shape);
  return !isProven && plan.wentInVain(pod.shape.namespace) ? "unproven" : undefined;
}

/**
 * The scheduler has refused the pod for long before the node opened, or took none of the nodes that it was let go to.
 * What is bound of its template shows that nothing but room was lacking, unless the template has rules about other
 * pods.
 */
function hasBeenRefused({ state, nowMs }: PlanBuilder, pod: PodFacts, node: NodeFacts): boolean {
  if (pod.gated || !pod.unschedulable) return false;
  if (!pod.shape.interPodRules && state.ledger.boundAlike.has(pod.shape)) return false;
  if (pod.reservation && !hasReservation(state, pod, nowMs)) return true;
  const opensMs = openedMs(node) ?? nowMs;
  const letGoMs = pod.release?.atMs ?? 0;
  return opensMs >= Math.max(pod.createdAtMs, letGoMs < opensMs ? letGoMs : 0) + LONG_MS;
}

/**
 * Are as many slots of the node kept for pods of this doubt as there are for such pods? Each doubt has its own, so that
 * pods that have been refused do not keep out what only comes from the same namespace.
 */
export function triesEnough(plan: PlanBuilder, node: NodeFacts, doubt: Doubt): boolean {
  const { reserved, limit } = plan.load(node);
  const most = Math.max(1, Math.floor(limit.slots / 2));
  const tried = new Set<PodUID>();
  for (const pod of [...reserved, ...plan.plannedFor(node.name)])
    if (doubtAbout(plan, pod, node) === doubt) tried.add(pod.uid);
  return tried.size >= most;
}
