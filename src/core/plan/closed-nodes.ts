/**
 * Fences of nodes that are closed: cordoned, not Ready yet, or under a startup taint. A fence must be up before its
 * node opens, because the herd is bound within a second then.
 */
import type { LiftReason } from "../../api/reasons.ts";
import { matchesSelector } from "../../policy/resolve.ts";
import type { NodeFacts, PodFacts } from "../facts.ts";
import { SECOND_MS } from "../measures.ts";
import { placementUnfitReason, unfitReason } from "../placement/fit.ts";
import type { KnownNode } from "../placement/known-node.ts";
import { missingDaemonSets } from "../placement/missing-daemon-sets.ts";
import { roomOf } from "../placement/room.ts";
import { fencesWork, fenceValue, isOfKarpenter, toleratesFence } from "../rules/node-fence.ts";
import { raisedMs } from "../state/held-since.ts";
import { openRollCall } from "../state/open-roll-call.ts";
import { reservedFor } from "../state/reservations.ts";
import type { FenceAction } from "../verdict.ts";
import { awaitsNothingElse } from "./awaited-resources.ts";
import type { PlanBuilder } from "./plan-builder.ts";

/**
 * A node that is not Ready, or not open, after this long may need what its fence keeps out: a network agent, or what
 * takes its startup taint off. Nodes become Ready within a minute or two of registering. Assumed, ms.
 */
const JOIN_PATIENCE_MS = 180_000;

/** Why the fence of a node that is closed or not Ready is lifted now, and when that changes by itself, epoch ms. */
export function closedLiftReason(
  plan: PlanBuilder,
  node: KnownNode,
): { readonly reason: LiftReason | undefined; readonly untilMs: number } {
  const { createdAtMs, notReadySinceMs, readySinceMs } = node.facts;
  const { daemonSets, policy } = plan.state;
  const isReady = readySinceMs !== undefined;
  const patientUntilMs = (readySinceMs ?? notReadySinceMs ?? createdAtMs) + JOIN_PATIENCE_MS;
  // Where it is not known what the fence keeps out, the cap stands in for that.
  const capMs = raisedMs(node.facts, plan.nowMs) + policy.fence.maxSeconds * SECOND_MS;
  const dueMs = isReady && !daemonSets.areKnown ? capMs : patientUntilMs;
  const isDue = plan.nowMs >= dueMs && (!daemonSets.areKnown || keepsDaemonSetOut(plan, node));
  return { reason: isDue ? (isReady ? "DaemonSetKeptOut" : "NodeNotReady") : undefined, untilMs: plan.soonest(dueMs) };
}

/** Would a DaemonSet's pod be created there now, were it not for the fence? */
function keepsDaemonSetOut({ state }: PlanBuilder, node: KnownNode): boolean {
  const value = fenceValue(node.facts.name);
  return missingDaemonSets(state, node).some(
    (one) => !toleratesFence(one, value) && placementUnfitReason(one, node.facts, false) === undefined,
  );
}

/**
 * A cordoned node gets a fence while pods wait that would go there at once when the cordon ends. Not where it would
 * keep a DaemonSet's pod out meanwhile, because a cordon does not.
 */
export function raiseAction(plan: PlanBuilder, node: KnownNode): FenceAction | undefined {
  const { facts } = node;
  const { daemonSets, policy } = plan.state;
  if (!facts.unschedulable || facts.fence || openRollCall(facts) || isOfKarpenter(facts.labels)) return undefined;
  if (!fencesWork(policy) || policy.youngForSeconds === 0 || plan.state.isLeftOut(facts)) return undefined;
  if (!matchesSelector(policy.fence.nodeSelector, facts.labels) || !daemonSets.areKnown) return undefined;
  if (!isAwaited(plan, node) || keepsDaemonSetOut(plan, node)) return undefined;
  return { kind: "raise", node: facts, value: fenceValue(facts.name) };
}

function isAwaited(plan: PlanBuilder, { entry, facts }: KnownNode): boolean {
  const opened = { ...facts, unschedulable: false };
  const room = roomOf(entry, facts, reservedFor(plan.state, entry, plan.nowMs));
  const fits = (pod: PodFacts) => {
    const lack = unfitReason(pod, opened, room, true);
    return lack === undefined || (lack === "Resources" && awaitsNothingElse(plan, pod, opened, room));
  };
  for (const [shape, alike] of plan.state.ledger.pending.shapes()) {
    if (plan.isExempt(shape) || plan.cannotRelease(shape)) continue; // it would be lifted for them at once
    const pod = firstRefused(plan, alike.pods(), facts);
    if (pod && fits(pod)) return true;
  }
  return false;
}

/** The first of equal pods that the scheduler has found no node for. It stands for all. */
function firstRefused(plan: PlanBuilder, alike: Iterable<PodFacts>, { name }: NodeFacts): PodFacts | undefined {
  for (const pod of alike) {
    if (pod.unschedulable && !plan.hasReleased(pod) && !toleratesFence(pod, fenceValue(name))) return pod;
  }
  return undefined;
}
