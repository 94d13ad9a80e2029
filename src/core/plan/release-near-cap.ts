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
import { capSchedule, easeMs, holdCapMs, wentNearCap } from "../rules/hold-cap.ts";
import { fencesWork, toleratesFence } from "../rules/node-fence.ts";
import { heldSinceMs, keptOutSinceMs } from "../state/held-since.ts";
import { drainSeconds } from "../state/load.ts";
import { hasReservation } from "../state/reservations.ts";
import { EVERY_FENCE } from "../verdict.ts";
import { fitsNow } from "./claims.ts";
import type { PlanBuilder } from "./plan-builder.ts";

interface NearCap {
  readonly pod: PodFacts;
  readonly capMs: number;
  /** How long it may be held in all, ms. */
  readonly mostMs: number;
}

/**
 * Pods with lower caps of their own are a crowd of their own. In one crowd they would go first, at the pace of all, and
 * a tenant that makes such pods all the time would keep the others until their caps.
 */
export function releaseNearCap(plan: PlanBuilder): void {
  const { state, nowMs } = plan;
  const nodes = new FittingNodes(plan);
  const crowds: Readonly<Record<"common" | "own", NearCap[]>> = { common: [], own: [] };
  for (const one of [...gatedPods(plan), ...keptOutPods(plan, nodes)]) {
    const easingMs = easeMs(one.mostMs);
    if (nowMs >= one.capMs - easingMs) crowds[capOf(plan, one.pod)].push(one);
    else plan.wake(one.capMs - easingMs);
  }
  for (const which of ["common", "own"] as const) {
    state.nearCap[which].begin(nowMs);
    letGoEvenly(plan, nodes, crowds[which], which);
  }
}

const capOf = ({ maxHoldMs }: PlanBuilder, { shape }: PodFacts) =>
  holdCapMs(shape, maxHoldMs) < maxHoldMs ? "own" : "common";

function letGoEvenly(plan: PlanBuilder, nodes: FittingNodes, crowd: NearCap[], which: "common" | "own"): void {
  const { state, nowMs, maxHoldMs } = plan;
  if (crowd.length === 0) return;
  crowd.sort((a, b) => a.capMs - b.capMs || (a.pod.uid < b.pod.uid ? -1 : 1));
  const lastMs = lastReleaseMs(plan, which);
  const { dueMs, nextMs } = capSchedule(
    crowd.map(({ capMs }) => capMs),
    easeMs(maxHoldMs),
    lastMs,
    nowMs,
  );
  plan.wake(nextMs);
  for (const [at, dueAtMs] of dueMs.entries()) {
    const due = crowd[at];
    if (!due) continue;
    letGo(plan, nodes, due, dueAtMs);
    state.nearCap[which].planned(due.pod.uid, dueAtMs);
  }
}

/** When the last pod of such a crowd went, under this leader or another one, epoch ms. */
function lastReleaseMs(plan: PlanBuilder, which: "common" | "own"): number {
  const { nowMs, maxHoldMs } = plan;
  const nearCap = plan.state.nearCap[which];
  let lastMs = -Infinity;
  for (const pod of plan.state.ledger.pods.values()) {
    if (!pod.release || capOf(plan, pod) !== which) continue;
    const atMs = nearCap.believed(pod) ?? Infinity;
    // A time that is still to come is a tenant's, or of a clock that is ahead.
    if (atMs <= nowMs && atMs > lastMs && wentNearCap(pod, maxHoldMs)) lastMs = atMs;
  }
  nearCap.forgetBefore(lastMs);
  return lastMs;
}

function* gatedPods(plan: PlanBuilder): Generator<NearCap> {
  for (const pod of plan.waiting.values()) {
    const mostMs = holdCapMs(pod.shape, plan.maxHoldMs);
    yield { pod, capMs: heldSinceMs(pod) + mostMs, mostMs };
  }
}

/** Pods that a fence keeps out though its node has room for them, a slot that the scheduler could not use included. */
function* keptOutPods(plan: PlanBuilder, nodes: FittingNodes): Generator<NearCap> {
  const { state, nowMs } = plan;
  if (!fencesWork(state.policy) || !plan.paced.some(({ facts }) => facts.fence)) return;
  for (const pod of oldPods(plan)) {
    if (plan.aside.has(pod.uid) || !pod.unschedulable || pod.fencesTolerated.includes(EVERY_FENCE)) continue;
    if (!pod.refused && hasReservation(state, pod, nowMs)) continue; // on its way
    let sinceMs = Infinity;
    for (const { facts } of nodes.of(pod)) {
      if (facts.fence && !toleratesFence(pod, facts.fence.value))
        sinceMs = Math.min(sinceMs, keptOutSinceMs(pod, facts, nowMs));
    }
    const mostMs = holdCapMs(pod.shape, plan.maxHoldMs);
    if (sinceMs !== Infinity) yield { pod, capMs: sinceMs + mostMs, mostMs };
  }
}

/**
 * Pending pods that are old enough to be near their caps. It looks at no younger ones, of which there may be a hundred
 * thousand.
 */
function* oldPods(plan: PlanBuilder): Generator<PodFacts> {
  const { pending } = plan.state.ledger;
  for (const { facts } of plan.paced) {
    for (const pod of pending.pinnedTo(facts.name)) if (!plan.isExempt(pod.shape)) yield pod;
  }
  for (const [shape, alike] of pending.shapes()) {
    if (plan.isExempt(shape)) continue;
    const mostMs = holdCapMs(shape, plan.maxHoldMs);
    const createdByMs = plan.nowMs + easeMs(mostMs) - mostMs;
    for (const pod of alike.pods()) {
      if (pod.createdAtMs > createdByMs) {
        plan.wake(pod.createdAtMs + plan.nowMs - createdByMs);
        break;
      }
      yield pod;
    }
  }
}

function letGo(plan: PlanBuilder, nodes: FittingNodes, { pod, capMs, mostMs }: NearCap, dueAtMs: number): void {
  const { nowMs } = plan;
  const heldMs = nowMs - (capMs - mostMs);
  const isPast = nowMs >= capMs;
  const reason = isPast ? "HoldCapReached" : "NearHoldCap";
  const why = isPast
    ? `held for ${mostMs / SECOND_MS} s, the most`
    : `held for ${Math.floor(heldMs / SECOND_MS)} s of ${mostMs / SECOND_MS} s, the most`;
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
