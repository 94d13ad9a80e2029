/**
 * Which fences change: raised on cordoned nodes, adopted where something else put them up, replaced by a cordon for a
 * roll call, lifted when they have done their work or had their time.
 */
import type { LiftReason } from "../../api/reasons.ts";
import { matchesSelector } from "../../policy/resolve.ts";
import type { NodeFacts, PodFacts, RollCall } from "../facts.ts";
import { SECOND_MS } from "../measures.ts";
import type { KnownNode } from "../placement/known-node.ts";
import type { Claimant } from "../placement/room.ts";
import { isFencedOut } from "../rules/kept-room.ts";
import { fencesWork, fenceValue, toleratesFence } from "../rules/node-fence.ts";
import { maySteer } from "../rules/steer.ts";
import { mayCallRoll, rollCallEndsMs } from "../rules/roll-call.ts";
import { openRollCall } from "../state/open-roll-call.ts";
import { openedMs } from "../state/opening.ts";
import { paceOf, youngUntilMs } from "../state/pace.ts";
import { reservedFor } from "../state/reservations.ts";
import { SCHEDULER_BATCH, SCHEDULER_LOOKS_MS } from "../state/scheduler-batch.ts";
import type { FenceAction } from "../verdict.ts";
import { fitsBeside, fitsOnceJoined } from "./claims.ts";
import { withoutAwaited } from "./awaited-resources.ts";
import { closedLiftReason, raiseAction } from "./closed-nodes.ts";
import type { PlanBuilder } from "./plan-builder.ts";

/**
 * Before any pod is released to a fenced node that a herd waits for, its DaemonSet pods are created by a roll call, so
 * that they start first.
 */
export function beginRollCalls(plan: PlanBuilder): void {
  for (const node of plan.paced) if (beginsRollCall(plan, node)) plan.beginRollCall(node.facts.name);
}

function beginsRollCall(plan: PlanBuilder, node: KnownNode): boolean {
  const { policy } = plan.state;
  const { facts, entry } = node;
  if (!fencesWork(policy) || !mayCallRoll(policy, facts, plan.nowMs)) return false;
  if (haveAllCome(plan, node)) return false;
  if (reservedFor(plan.state, entry, plan.nowMs).length > 0) return false; // it would keep them out, too
  return facts.fence?.value === fenceValue(facts.name) && isWorthKeeping(plan, node);
}

/** Does the node have a pod of every DaemonSet that does not tolerate its fence? No while these are not known. */
function haveAllCome(plan: PlanBuilder, node: KnownNode): boolean {
  const value = fenceValue(node.facts.name);
  const { areKnown } = plan.state.daemonSets;
  return areKnown && plan.missingDaemonSets(node).every((daemonSet) => toleratesFence(daemonSet, value));
}

export function planFences(plan: PlanBuilder): FenceAction[] {
  return plan.paced.map((node) => fenceAction(plan, node)).filter((action) => action !== undefined);
}

/** The soft taint that the node is to have without a fence; undefined: none. */
function steerValue({ state, nowMs }: PlanBuilder, facts: NodeFacts): string | undefined {
  const isYoung = nowMs < youngUntilMs(state, facts);
  return isYoung && maySteer(state.policy, facts) ? fenceValue(facts.name) : undefined;
}

function steerAction(plan: PlanBuilder, facts: NodeFacts): FenceAction | undefined {
  plan.wake(youngUntilMs(plan.state, facts));
  const value = steerValue(plan, facts);
  if (value === undefined) return facts.steered ? { kind: "unsteer", node: facts } : undefined;
  const takesPods = openedMs(facts) !== undefined && facts.readySinceMs !== undefined;
  return facts.steered || !takesPods ? undefined : { kind: "steer", node: facts, value };
}

function fenceAction(plan: PlanBuilder, { entry, facts }: KnownNode): FenceAction | undefined {
  if (!facts.fence) return raiseAction(plan, { entry, facts }) ?? steerAction(plan, facts);
  const { reason, untilMs } = liftReason(plan, { entry, facts });
  plan.wake(untilMs);
  if (reason) return { kind: "lift", node: facts, reason, steer: steerValue(plan, facts) };
  const value = fenceValue(facts.name);
  const rollCall = openRollCall(facts);
  if (rollCall) return rollCallEnd(plan, { entry, facts }, rollCall);
  if (plan.beginsRollCall(facts.name)) return { kind: "beginRollCall", node: facts, value };
  return facts.fence.value === value ? undefined : { kind: "adopt", node: facts, value };
}

/** This leader may not be the one that began it. */
function rollCallEnd(plan: PlanBuilder, known: KnownNode, rollCall: RollCall): FenceAction | undefined {
  const { facts: node } = known;
  const endsMs = isComplete(plan, known)
    ? plan.nowMs
    : rollCallEndsMs(rollCall, newestDaemonPodMs(plan, known), plan.nowMs);
  plan.wake(endsMs);
  return plan.nowMs >= endsMs ? { kind: "endRollCall", node, value: fenceValue(node.name) } : undefined;
}

/**
 * Has every DaemonSet that the fence keeps out its pod there, and no need of an open fence any more? A pod that nothing
 * gated may need the moment to be bound.
 */
function isComplete(plan: PlanBuilder, node: KnownNode): boolean {
  const { name } = node.facts;
  if (!haveAllCome(plan, node)) return false;
  return [...plan.state.ledger.pending.pinnedTo(name)].every((pod) => toleratesFence(pod, fenceValue(name)));
}

/** When the newest DaemonSet pod of the node was created, epoch ms; -Infinity where it has none. */
function newestDaemonPodMs({ state: { ledger } }: PlanBuilder, { entry, facts: { name } }: KnownNode): number {
  let newestMs = -Infinity;
  const pods = [entry.bound.values(), ledger.gated.pinnedTo(name), ledger.pending.pinnedTo(name)];
  for (const pod of pods.flatMap((some) => [...some])) {
    if (pod.shape.ownerKind === "DaemonSet") newestMs = Math.max(newestMs, pod.createdAtMs);
  }
  return newestMs;
}

/** Why the fence is lifted now, and when the answer changes by the mere passing of time, epoch ms. */
interface LiftAnswer {
  readonly reason: LiftReason | undefined;
  readonly untilMs: number;
}

function liftReason(plan: PlanBuilder, node: KnownNode): LiftAnswer {
  const { state, nowMs } = plan;
  const { facts } = node;
  const { policy } = state;
  if (!fencesWork(policy)) return always("PacingOff");
  if (!matchesSelector(policy.fence.nodeSelector, facts.labels)) return always("NotSelected");
  if (state.isLeftOut(facts)) return always("NotPaced");
  if (paceOf(state, facts, nowMs) !== "young") return always("NodeSettled");
  const openMs = openedMs(facts);
  if (openMs === undefined) return closedLiftReason(plan, node);
  const capMs = openMs + policy.fence.maxSeconds * SECOND_MS;
  const untilMs = plan.soonest(capMs, youngUntilMs(state, facts));
  if (nowMs >= capMs) return { reason: "FenceCapReached", untilMs };
  const isReady = facts.readySinceMs !== undefined;
  const { reason, untilMs: nextMs } = isReady ? openLiftReason(plan, node, openMs) : closedLiftReason(plan, node);
  return { reason, untilMs: Math.min(untilMs, nextMs) };
}

const always = (reason: LiftReason | undefined): LiftAnswer => ({ reason, untilMs: Infinity });

function openLiftReason(plan: PlanBuilder, node: KnownNode, openMs: number): LiftAnswer {
  if (node.facts.unschedulable) return always(undefined); // which pods would fit shows when the roll call ends
  const settledInMs = openMs + SCHEDULER_LOOKS_MS;
  const untilMs = plan.soonest(settledInMs);
  if (plan.nowMs < settledInMs) return { reason: undefined, untilMs };
  return { reason: isWorthKeeping(plan, node) ? undefined : "NothingPending", untilMs };
}

/**
 * Keep the fence while a pod would go there, or while so many do not fit that lifting it would flood the scheduler. Not
 * for pods that may get no toleration: only its end lets them in.
 */
function isWorthKeeping(plan: PlanBuilder, node: KnownNode): boolean {
  const { ledger } = plan.state;
  const value = node.facts.fence?.value ?? "";
  const toCome = certainToCome(plan, node);
  const wants = (pod: PodFacts) =>
    !plan.cannotRelease(pod.shape) && fitsOnceJoined(plan, pod, node.facts) && fitsBeside(plan, pod, node, toCome);
  for (const pod of plan.waiting.values()) if (wants(pod)) return true;
  for (const pod of plan.onTheirWayElsewhere(node)) if (!toleratesFence(pod, value) && wants(pod)) return true;
  for (const pod of ledger.pending.pinnedTo(node.facts.name)) {
    if (isKeptOut(plan, pod, value) && wants(pod)) return true;
  }
  let inVain = 0;
  for (const [, alike] of ledger.pending.shapes()) {
    const pod = firstKeptOut(plan, alike.pods(), value);
    if (!pod || !mayWant(plan, pod, node.facts)) continue;
    inVain += alike.size;
    if (inVain > SCHEDULER_BATCH || fitsSoon(plan, pod, node, toCome)) return true;
  }
  return false;
}

const mayWant = (plan: PlanBuilder, pod: PodFacts, node: NodeFacts) =>
  fitsOnceJoined(plan, pod, node) && !plan.isRefused(pod.shape, node);

/** The first of equal pods that does not pass the fence by itself. It stands for all. */
function firstKeptOut(plan: PlanBuilder, alike: Iterable<PodFacts>, value: string): PodFacts | undefined {
  for (const pod of alike) {
    if (plan.isExempt(pod.shape) || plan.cannotRelease(pod.shape)) return undefined; // as all of them are
    if (isKeptOut(plan, pod, value)) return pod;
  }
  return undefined;
}

/** Exempt pods need not wait for the fence's end: they are let past it. */
const isKeptOut = (plan: PlanBuilder, pod: PodFacts, value: string) =>
  !plan.isExempt(pod.shape) && !plan.hasReleased(pod) && !toleratesFence(pod, value);

/**
 * Of what the node's room is kept for: pods that exist, and those that only this fence keeps from being created. Room
 * that is kept for others is free in a moment, whether they come or not.
 */
function certainToCome(plan: PlanBuilder, node: KnownNode): readonly Claimant[] {
  const { facts } = node;
  const opens = mayCallRoll(plan.state.policy, facts, plan.nowMs);
  return plan.stillToCome(node).filter((one) => one.uid !== undefined || (!opens && isFencedOut(one, facts)));
}

/** Beside what is to come; also once a driver has reported what the pod asks for. */
function fitsSoon(plan: PlanBuilder, pod: PodFacts, node: KnownNode, toCome: readonly Claimant[]): boolean {
  if (fitsBeside(plan, pod, node, toCome)) return true;
  const rest = withoutAwaited(plan, pod, node.facts);
  return rest !== undefined && fitsBeside(plan, rest, node, toCome);
}
