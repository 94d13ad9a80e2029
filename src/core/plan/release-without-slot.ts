/** Held pods that need not be held any longer, or must not be. They are released at once and take no slot. */
import type { PodFacts, PodShape } from "../facts.ts";
import type { NodeName } from "../ids.ts";
import { isSchedulableNow } from "../placement/fit.ts";
import { type KnownNode, knownNode } from "../placement/known-node.ts";
import { type SettledRoom, SettledSearch } from "../placement/settled-nodes.ts";
import { fencesWork, toleratesFence } from "../rules/node-fence.ts";
import { byAge } from "../state/held-since.ts";
import { paceOf } from "../state/pace.ts";
import { hasReservation } from "../state/reservations.ts";
import { Claims, fitsNow } from "./claims.ts";
import { isUnproven } from "./doubts.ts";
import type { PlanBuilder } from "./plan-builder.ts";

/** Releases gated pods that the policy does not hold any longer. The others wait. */
export function releaseExempt(plan: PlanBuilder): void {
  const { policy, ledger } = plan.state;
  const off = policy.mode !== "enforce" || !policy.gate.enabled;
  for (const pod of ledger.gated.pods()) {
    if (plan.aside.has(pod.uid)) continue;
    if (off) plan.release(pod, "PacingOff", "pacing is off, only observing, or the gate is disabled");
    else if (plan.isExempt(pod.shape)) plan.release(pod, "Exempt", "the policy exempts this pod");
    else if (pod.gatedByOthers) plan.blocked.push(pod);
    else plan.waiting.set(pod.uid, pod);
  }
}

/**
 * Promise 3, never hide demand: every waiting pod lays claim to room on a node that exists. A pod that finds none is
 * released, so that autoscalers see it. A pod that finds room on a settled node is released to the scheduler.
 */
export function claimRoom(plan: PlanBuilder): void {
  const settled = new SettledSearch(plan.state, plan.given, plan.nowMs);
  const claims = new Claims(plan, plan.paced);
  for (const pod of [...plan.waiting.values()].sort(byClaim(plan))) {
    if (pod.pinnedTo !== undefined) claimPinned(plan, claims, pod, pod.pinnedTo);
    else claimAnywhere(plan, claims, settled, pod);
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

/**
 * A pod that brings nothing to a settled node goes there at once. One that brings images waits for a slot there, as on
 * a young node.
 */
function claimAnywhere(plan: PlanBuilder, claims: Claims, settled: SettledSearch, pod: PodFacts): void {
  const refused = plan.refusedEverywhere(pod.shape);
  if (refused) {
    const message = `kube-scheduler refuses pod ${refused.name}, which is like it, wherever there is room`;
    plan.release(pod, "NoNodeFits", message);
    return;
  }
  const room = settled.find(pod);
  if (room) claimSettled(plan, pod, room);
  else if (!claims.claimFirst(pod) && !claims.claimKept(pod)) {
    plan.release(pod, "NoNodeFits", "no node that exists has room for this pod");
  }
}

function claimSettled(plan: PlanBuilder, pod: PodFacts, room: SettledRoom): void {
  const { facts } = room.node;
  plan.claimSettled(pod, room);
  if (room.bringsImages && plan.state.policy.settledNodes === "enforce") plan.settledTargets.set(facts.name, room.node);
  else plan.releaseTo(pod, facts, "NodeSettled", `node ${facts.name} has room and needs no pacing`);
}

/**
 * Pinned pods first, then by priority; of equal ones those last that may not run at all, because others would leave
 * unpaced for the room that these will not use; then by age.
 */
function byClaim(plan: PlanBuilder): (a: PodFacts, b: PodFacts) => number {
  const unproven = new Map<PodShape, boolean>();
  const doubt = (pod: PodFacts) => {
    let answer = unproven.get(pod.shape);
    if (answer === undefined) unproven.set(pod.shape, (answer = isUnproven(plan, pod)));
    return Number(answer);
  };
  return (a, b) =>
    Number(b.pinnedTo !== undefined) - Number(a.pinnedTo !== undefined) ||
    b.shape.priority - a.shape.priority ||
    doubt(a) - doubt(b) ||
    byAge(a, b);
}

/** Fences let exempt pods pass (promise 4). */
export function releasePastFences(plan: PlanBuilder): void {
  const { ledger, policy } = plan.state;
  if (!fencesWork(policy)) return;
  const fenced = plan.paced.filter(({ facts }) => facts.fence);
  if (fenced.length === 0) return;
  for (const pod of ledger.pending.podsWhere((shape) => plan.isExempt(shape))) {
    if (plan.aside.has(pod.uid)) continue;
    if (pod.unschedulable && !hasReservation(plan.state, pod, plan.nowMs)) passFence(plan, pod, fenced);
  }
}

function passFence(plan: PlanBuilder, pod: PodFacts, fenced: readonly KnownNode[]): void {
  const isKeptOut = ({ facts: { fence } }: KnownNode) => fence !== undefined && !toleratesFence(pod, fence.value);
  const node = fenced.find((one) => isKeptOut(one) && isSchedulableNow(pod, one.facts) && fitsNow(plan, pod, one));
  if (!node) return;
  const message = `exempt from pacing: passes the fence of node ${node.facts.name}`;
  plan.release(pod, "Exempt", message, { fence: node.facts.fence?.value });
}
