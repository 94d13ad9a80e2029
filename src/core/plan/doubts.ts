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
 * The scheduler has refused the pod for long before the node opened, or took none of the nodes that it was let go to.
 * What is bound of its template shows that nothing but room was lacking, unless the template has rules about other
 * pods.
 */
export function isDoubtful({ state, nowMs }: PlanBuilder, pod: PodFacts, node: NodeFacts): boolean {
  if (pod.gated || !pod.unschedulable) return false;
  if (!pod.shape.interPodRules && state.ledger.boundAlike.has(pod.shape)) return false;
  if (pod.reservation && !hasReservation(state, pod, nowMs)) return true;
  const opensMs = openedMs(node) ?? nowMs;
  const letGoMs = pod.release?.atMs ?? 0;
  return opensMs >= Math.max(pod.createdAtMs, letGoMs < opensMs ? letGoMs : 0) + LONG_MS;
}

/** Are as many slots of the node kept for pods that may be refused there as there are for such pods? */
export function triesEnough(plan: PlanBuilder, node: NodeFacts): boolean {
  const { reserved, limit } = plan.load(node);
  const most = Math.max(1, Math.floor(limit.slots / 2));
  const tried = new Set<PodUID>();
  for (const pod of [...reserved, ...plan.plannedFor(node.name)]) if (isDoubtful(plan, pod, node)) tried.add(pod.uid);
  return tried.size >= most;
}
