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
import { STANDS_MS } from "./refusals.ts";

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
  return isUnproven(plan, pod) ? "unproven" : undefined;
}

/** None of the pod's template is bound, and others of its namespace went in vain. */
export const isUnproven = ({ state, inVain }: PlanBuilder, { shape }: PodFacts): boolean =>
  !state.ledger.boundAlike.has(shape) && inVain.of(shape.namespace).length > 0;

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
export function triesEnough(plan: PlanBuilder, pod: PodFacts, node: NodeFacts, doubt: Doubt): boolean {
  const { reserved, limit } = plan.load(node);
  const most = Math.max(1, Math.floor(limit.slots / 2));
  const tried = new Set<PodUID>();
  for (const one of [...reserved, ...plan.plannedFor(node.name)])
    if (doubtAbout(plan, one, node) === doubt) tried.add(one.uid);
  if (tried.size >= most) return true;
  return doubt === "unproven" && tried.size + waitThere(plan, pod, node) >= most && !isTimeForOneMore(plan, pod, node);
}

/**
 * How many have lost their gate for the node in vain: each of the pod's template, and each other template once. When
 * what they lack is there they come at once, so the others keep their gates.
 */
function waitThere({ inVain }: PlanBuilder, { namespace, shape }: PodFacts, node: NodeFacts): number {
  const there = inVain.at(namespace, node);
  const others = new Set(there.map((pod) => pod.shape));
  others.delete(shape);
  return there.filter((pod) => pod.shape === shape).length + others.size;
}

/** One that is tried now and then shows whether the reason has ended. */
function isTimeForOneMore(plan: PlanBuilder, { namespace }: PodFacts, node: NodeFacts): boolean {
  const { reserved } = plan.load(node);
  if ([...reserved, ...plan.plannedFor(node.name)].some((pod) => pod.namespace === namespace && isUnproven(plan, pod)))
    return false;
  const lastMs = Math.max(...plan.inVain.at(namespace, node).map(({ reservation }) => reservation?.atMs ?? -Infinity));
  plan.wake(lastMs + STANDS_MS);
  return plan.nowMs >= lastMs + STANDS_MS;
}
