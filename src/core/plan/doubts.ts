/**
 * Pods that kube-scheduler may refuse for reasons of its own: volumes, devices, plugins. A slot that is kept for such a
 * pod is lost to others until its reservation ends, so a node tries one of them at a time. One that can run is bound
 * within a moment, and the next one follows.
 */
import type { NodeFacts, PodFacts } from "../facts.ts";
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
  return (openedMs(node) ?? nowMs) >= Math.max(pod.createdAtMs, pod.release?.atMs ?? 0) + LONG_MS;
}

/** Is a slot of the node kept for a pod that may be refused there? */
export function triesDoubtful(plan: PlanBuilder, node: NodeFacts): boolean {
  const isTried = (pod: PodFacts) => isDoubtful(plan, pod, node);
  return plan.load(node).reserved.some(isTried) || plan.plannedFor(node.name).some(isTried);
}
