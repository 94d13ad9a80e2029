/** Held pods that need not be held any longer, or must not be. They are released at once and take no slot. */
import type { PodFacts } from "../facts.ts";
import type { NodeName } from "../ids.ts";
import { isSchedulableNow } from "../placement/fit.ts";
import { type KnownNode, knownNode } from "../placement/known-node.ts";
import type { SettledNodes } from "../placement/settled-nodes.ts";
import { fencesWork, toleratesFence } from "../rules/node-fence.ts";
import { SECOND_MS } from "../measures.ts";
import { byAge, heldSinceMs } from "../state/held-since.ts";
import { paceOf } from "../state/pace.ts";
import { hasReservation } from "../state/reservations.ts";
import type { ReleaseReason } from "../../api/reasons.ts";
import { Claims, fitsNow } from "./claims.ts";
import type { PlanBuilder } from "./plan-builder.ts";

/** Releases gated pods that the policy no longer holds, or has held for the hold cap. The others wait. */
export function releaseExemptAndExpired(plan: PlanBuilder): void {
  const { state, nowMs } = plan;
  const off = state.policy.mode !== "enforce" || !state.policy.gate.enabled;
  for (const pod of state.ledger.gated.pods()) {
    const capMs = heldSinceMs(pod) + plan.maxHoldMs;
    if (off) plan.release(pod, "PacingOff", "pacing is off, only observing, or the gate is disabled");
    else if (plan.isExempt(pod.shape)) plan.release(pod, "Exempt", "the policy exempts this pod");
    else if (nowMs >= capMs) plan.release(pod, "HoldCapReached", `held for ${state.policy.maxHoldSeconds} s, the most`);
    else plan.waiting.set(pod.uid, pod);
    plan.wake(capMs);
  }
}

/**
 * Promise 3, never hide demand: every waiting pod lays claim to room on a node that exists. A pod that finds none is
 * released, so that autoscalers see it. A pod that finds room on a settled node is released to the scheduler.
 */
export function claimRoom(plan: PlanBuilder, settled: SettledNodes): void {
  const claims = new Claims(plan, plan.paced);
  const settledClaims = new Map<NodeName, PodFacts[]>();
  for (const pod of [...plan.waiting.values()].sort(byClaim)) {
    if (pod.pinnedTo !== undefined) claimPinned(plan, claims, pod, pod.pinnedTo);
    else claimAnywhere(plan, claims, settled, settledClaims, pod);
  }
}

function claimPinned(plan: PlanBuilder, claims: Claims, pod: PodFacts, name: NodeName): void {
  const node = knownNode(plan.state, name);
  if (!isReported(node)) {
    const followsByMs = pod.createdAtMs + NODE_MAY_FOLLOW_MS;
    plan.wake(followsByMs);
    if (plan.nowMs < followsByMs) return;
  }
  if (!node) plan.release(pod, "NoNodeFits", `node ${name} is gone`);
  else if (isSettled(plan, node)) plan.release(pod, "NodeSettled", `node ${name} is neither young nor hot`);
  else if (!claims.claim(pod, node)) plan.release(pod, "NoNodeFits", `node ${name} has no room for this pod`);
}

/** True if the node is known and has said what it can take. */
const isReported = (node: KnownNode | undefined) => node?.facts.allocatable["pods"] !== undefined;

/**
 * Pods and nodes come by watches of their own, so a DaemonSet's pod may be seen a moment before its new node. Times of
 * creation are whole seconds, so this is one second at least. Assumed, ms.
 */
const NODE_MAY_FOLLOW_MS = 2_000;

const isSettled = ({ state, nowMs }: PlanBuilder, { facts }: KnownNode) =>
  facts.fence === undefined && paceOf(state, facts, nowMs) === "settled";

function claimAnywhere(
  plan: PlanBuilder,
  claims: Claims,
  settled: SettledNodes,
  settledClaims: Map<NodeName, PodFacts[]>,
  pod: PodFacts,
): void {
  if (pod.gatedByOthers) return; // it cannot run now, wherever there is room
  const node = settled.find(plan.state, pod, plan.nowMs, settledClaims);
  if (node) {
    const { name } = node.facts;
    settledClaims.set(name, [...(settledClaims.get(name) ?? []), pod]);
    plan.release(pod, "NodeSettled", `node ${name} has room and needs no pacing`);
  } else if (!claims.claimFirst(pod)) plan.release(pod, "NoNodeFits", "no node that exists has room for this pod");
}

/** Pinned pods first, then by priority, then by age. */
const byClaim = (a: PodFacts, b: PodFacts) =>
  Number(b.pinnedTo !== undefined) - Number(a.pinnedTo !== undefined) ||
  b.shape.priority - a.shape.priority ||
  byAge(a, b);

/** Fences let exempt pods pass (promise 4), and pods that they have kept out for the hold cap (promise 2). */
export function releasePastFences(plan: PlanBuilder): void {
  const { ledger, policy } = plan.state;
  if (!fencesWork(policy)) return;
  const fenced = plan.paced.filter(({ facts }) => facts.fence);
  if (fenced.length === 0) return;
  const overdue = fenced.filter((node) => plan.nowMs >= overdueFromMs(plan, node));
  for (const node of fenced) plan.wake(overdueFromMs(plan, node));
  for (const pod of ledger.pending.podsWhere((shape) => overdue.length > 0 || plan.isExempt(shape))) {
    if (!pod.unschedulable || hasReservation(plan.state, pod, plan.nowMs)) continue;
    if (plan.isExempt(pod.shape)) passFence(plan, pod, fenced, "Exempt", "exempt from pacing");
    else passOverdue(plan, pod, overdue);
  }
}

/**
 * From then on the fence may have kept pods out for the hold cap, epoch ms. It keeps none out before its node is Ready.
 */
const overdueFromMs = (plan: PlanBuilder, { facts }: KnownNode) => (facts.readySinceMs ?? Infinity) + plan.maxHoldMs;

function passOverdue(plan: PlanBuilder, pod: PodFacts, overdue: readonly KnownNode[]): void {
  const capMs = pod.createdAtMs + plan.maxHoldMs;
  plan.wake(capMs);
  if (plan.nowMs < capMs) return;
  passFence(plan, pod, overdue, "HoldCapReached", `kept out for ${plan.maxHoldMs / SECOND_MS} s, the most`);
}

function passFence(
  plan: PlanBuilder,
  pod: PodFacts,
  fenced: readonly KnownNode[],
  reason: ReleaseReason,
  why: string,
): void {
  const isKeptOut = ({ facts: { fence } }: KnownNode) => fence !== undefined && !toleratesFence(pod, fence.value);
  const node = fenced.find((one) => isKeptOut(one) && isSchedulableNow(pod, one.facts) && fitsNow(plan, pod, one));
  if (!node) return;
  plan.releaseTo(pod, node.facts, reason, `${why}: passes the fence of node ${node.facts.name}`);
}
