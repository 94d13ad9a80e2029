/**
 * Pods that are near their hold cap (promise 2): those that gates hold and those that fences keep out are one crowd,
 * the longest held first, and go at the pace of hold-cap.ts though no slot is free. Each passes every fence from then
 * on, so that it is not held a second time.
 */
import type { PodFacts, PodShape } from "../facts.ts";
import type { PodUID } from "../ids.ts";
import { SECOND_MS } from "../measures.ts";
import { isSchedulableNow } from "../placement/fit.ts";
import { type KnownNode, knownNode } from "../placement/known-node.ts";
import { capSchedule, easeMs, wentNearCap } from "../rules/hold-cap.ts";
import { fencesWork, toleratesFence } from "../rules/node-fence.ts";
import type { ClusterState } from "../state/cluster-state.ts";
import { heldSinceMs, keptOutSinceMs } from "../state/held-since.ts";
import { drainSeconds } from "../state/load.ts";
import { hasReservation } from "../state/reservations.ts";
import { EVERY_FENCE } from "../verdict.ts";
import { fitsNow } from "./claims.ts";
import type { PlanBuilder } from "./plan-builder.ts";

interface NearCap {
  readonly pod: PodFacts;
  readonly capMs: number;
}

export function releaseNearCap(plan: PlanBuilder): void {
  const { state, nowMs, maxHoldMs } = plan;
  state.nearCap.begin(nowMs);
  const easingMs = easeMs(maxHoldMs);
  const nodes = new FittingNodes(plan);
  const crowd: NearCap[] = [];
  for (const one of [...gatedPods(plan), ...keptOutPods(plan, nodes)]) {
    if (nowMs >= one.capMs - easingMs) crowd.push(one);
    else plan.wake(one.capMs - easingMs);
  }
  if (crowd.length === 0) return;
  crowd.sort((a, b) => a.capMs - b.capMs || (a.pod.uid < b.pod.uid ? -1 : 1));
  const lastMs = lastReleaseMs(state, maxHoldMs, nowMs);
  const { dueMs, nextMs } = capSchedule(
    crowd.map(({ capMs }) => capMs),
    easingMs,
    lastMs,
    nowMs,
  );
  plan.wake(nextMs);
  for (const [at, dueAtMs] of dueMs.entries()) {
    const due = crowd[at];
    if (!due) continue;
    letGo(plan, nodes, due, dueAtMs);
    state.nearCap.planned(due.pod.uid, dueAtMs);
  }
}

/** When the last pod went that was near its cap, under this leader or another one, epoch ms. */
function lastReleaseMs({ ledger, nearCap }: ClusterState, maxHoldMs: number, nowMs: number): number {
  let lastMs = -Infinity;
  for (const pod of ledger.pods.values()) {
    if (!pod.release) continue;
    const atMs = nearCap.believed(pod) ?? Infinity;
    // A time that is still to come is a tenant's, or of a clock that is ahead.
    if (atMs <= nowMs && atMs > lastMs && wentNearCap(pod, maxHoldMs)) lastMs = atMs;
  }
  nearCap.forgetBefore(lastMs);
  return lastMs;
}

function* gatedPods(plan: PlanBuilder): Generator<NearCap> {
  for (const pod of plan.waiting.values()) yield { pod, capMs: heldSinceMs(pod) + plan.maxHoldMs };
}

/** Pods that a fence keeps out though its node has room for them, a slot that the scheduler could not use included. */
function* keptOutPods(plan: PlanBuilder, nodes: FittingNodes): Generator<NearCap> {
  const { state, nowMs, maxHoldMs } = plan;
  if (!fencesWork(state.policy) || !plan.paced.some(({ facts }) => facts.fence)) return;
  const easingMs = easeMs(maxHoldMs);
  for (const pod of oldPods(plan, nowMs + easingMs - maxHoldMs)) {
    if (plan.aside.has(pod.uid) || !pod.unschedulable || pod.fencesTolerated.includes(EVERY_FENCE)) continue;
    if (!pod.refused && hasReservation(state, pod, nowMs)) continue; // on its way
    let sinceMs = Infinity;
    for (const { facts } of nodes.of(pod)) {
      if (facts.fence && !toleratesFence(pod, facts.fence.value))
        sinceMs = Math.min(sinceMs, keptOutSinceMs(pod, facts, nowMs));
    }
    if (sinceMs !== Infinity) yield { pod, capMs: sinceMs + maxHoldMs };
  }
}

/** Pending pods that were created by then. It looks at no younger ones, of which there may be a hundred thousand. */
function* oldPods(plan: PlanBuilder, createdByMs: number): Generator<PodFacts> {
  const { pending } = plan.state.ledger;
  for (const { facts } of plan.paced) {
    for (const pod of pending.pinnedTo(facts.name)) if (!plan.isExempt(pod.shape)) yield pod;
  }
  for (const [shape, alike] of pending.shapes()) {
    if (plan.isExempt(shape)) continue;
    for (const pod of alike.pods()) {
      if (pod.createdAtMs > createdByMs) {
        plan.wake(pod.createdAtMs + plan.nowMs - createdByMs);
        break;
      }
      yield pod;
    }
  }
}

function letGo(plan: PlanBuilder, nodes: FittingNodes, { pod, capMs }: NearCap, dueAtMs: number): void {
  const { nowMs, maxHoldMs } = plan;
  const heldMs = nowMs - (capMs - maxHoldMs);
  const isPast = nowMs >= capMs;
  const reason = isPast ? "HoldCapReached" : "NearHoldCap";
  const why = isPast
    ? `held for ${maxHoldMs / SECOND_MS} s, the most`
    : `held for ${Math.floor(heldMs / SECOND_MS)} s of ${maxHoldMs / SECOND_MS} s, the most`;
  const past = { ...plan.pastFences, note: { atMs: dueAtMs, heldMs } };
  const hasSlot = hasReservation(plan.state, pod, nowMs);
  const node = hasSlot ? undefined : nodes.leastLoaded(pod);
  if (!node) {
    const overLimit = !hasSlot;
    if (pod.gated || hasSlot) plan.release(pod, reason, `${why}: kube-scheduler places it`, { ...past, overLimit });
    return;
  }
  const { slotsInUse, limit } = plan.load(node.facts);
  const overLimit = slotsInUse >= limit.slots;
  const slot = `slot ${slotsInUse + 1} of ${limit.slots} of node ${node.facts.name}${overLimit ? ", over its limit" : ""}`;
  plan.releaseTo(pod, node.facts, reason, `${why}: ${slot}`, { ...past, overLimit });
}

/** The paced nodes on which a pod could run this moment. */
class FittingNodes {
  readonly #plan: PlanBuilder;
  readonly #byShape = new Map<PodShape, readonly KnownNode[]>();
  readonly #pinned = new Map<PodUID, readonly KnownNode[]>();

  constructor(plan: PlanBuilder) {
    this.#plan = plan;
  }

  /** As the plan began. */
  of(pod: PodFacts): readonly KnownNode[] {
    const known = pod.pinnedTo === undefined ? this.#byShape.get(pod.shape) : this.#pinned.get(pod.uid);
    if (known) return known;
    const among = pod.pinnedTo === undefined ? this.#plan.paced : [knownNode(this.#plan.state, pod.pinnedTo)];
    const fitting = among.filter((node) => node !== undefined).filter((node) => this.#fits(pod, node));
    if (pod.pinnedTo === undefined) this.#byShape.set(pod.shape, fitting);
    else this.#pinned.set(pod.uid, fitting);
    return fitting;
  }

  /** Beside what the plan releases by now: the one whose disk owes least, then the one with the most free slots. */
  leastLoaded(pod: PodFacts): KnownNode | undefined {
    const ranked = this.of(pod).map((node) => {
      const load = this.#plan.load(node.facts);
      return { node, owed: drainSeconds(load), free: load.limit.slots - load.slotsInUse };
    });
    ranked.sort((a, b) => Number(b.free > 0) - Number(a.free > 0) || a.owed - b.owed || b.free - a.free);
    return ranked.find(({ node }) => this.#fits(pod, node))?.node;
  }

  #fits(pod: PodFacts, node: KnownNode): boolean {
    return isSchedulableNow(pod, node.facts) && fitsNow(this.#plan, pod, node);
  }
}
