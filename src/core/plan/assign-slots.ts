/** Spends free slots: node by node, the one with the most room first, the best pod by the order of release. */
import type { Draft } from "./plan-builder.ts";
import { toleratesFence } from "./plan-builder.ts";
import { Elsewhere, MOST_COMPARED } from "./compare-nodes.ts";
import type { NodeFacts, PodFacts } from "../facts.ts";
import { fencesWork } from "../rules/node-fence.ts";
import { opensTo } from "../placement/fit.ts";
import { fitsNow } from "./release-without-slot.ts";
import { judge, schedulerIsBusy } from "../rules/start-checks.ts";
import type { Cost, NodeLoad } from "../state/load.ts";
import { costOf } from "../state/load.ts";
import type { Rank } from "./order.ts";
import { byAge, compareRanks, rank } from "./order.ts";
import { Replicas } from "./replica-spread.ts";
import { RoomiestFirst } from "./node-queue.ts";
import type { Place, SettledRoom } from "../placement/nodes-with-room.ts";
import { isPromised, youngUntilMs } from "../state/cluster-state.ts";
import { type Queue, Queues, wantedImages } from "./queues.ts";
import { SECOND_MS, type ImageName } from "../ids.ts";
import type { ReleaseReason } from "../../api/reasons.ts";
import type { Hold } from "../verdict.ts";

/** @returns what the nodes were to one another, for those who tell why a pod waits. */
export function spendSlots(draft: Draft, settled: SettledRoom): Elsewhere {
  passWithoutSlot(draft);
  const queues = new Queues(draft, settled);
  const others = othersOf(draft, queues);
  const byRoom = new RoomiestFirst(draft);
  for (const place of draft.paced) addIfFree(draft, byRoom, place);
  for (let place = byRoom.take(); place && !schedulerIsBusy(draft.onTheirWay); place = byRoom.take()) {
    if (spendOne(draft, place, queues.openTo(place), others)) addIfFree(draft, byRoom, place);
  }
  return others.elsewhere;
}

/** Of thousands of nodes most have no free slot most of the time: these are looked at no further. */
function addIfFree(draft: Draft, byRoom: RoomiestFirst, place: Place): void {
  const load = draft.load(place.facts);
  noteTimes(draft, load);
  if (load.held < load.limit.slots) byRoom.add(place);
}

/** What the nodes are to one another. */
interface Others {
  readonly replicas: Replicas;
  readonly elsewhere: Elsewhere;
}

function othersOf(draft: Draft, queues: Queues): Others {
  const replicas = new Replicas(draft);
  const places: Place[] = [];
  for (const place of draft.paced) {
    if (queues.openTo(place).length > 0) places.push(place);
    if (places.length > MOST_COMPARED) break; // no need to look further: none will be compared
  }
  const wanted = wantedImages(new Set(places.flatMap((place) => queues.openTo(place))));
  return { replicas, elsewhere: new Elsewhere(draft, places, replicas, wanted) };
}

/** A fence is no obstacle to exempt pods (promise 4) and to those it has kept out for the hold cap (promise 2). */
function passWithoutSlot(draft: Draft): void {
  const { ledger, policy } = draft.books;
  if (!fencesWork(policy)) return;
  const fenced = draft.paced.filter(({ facts }) => facts.fence);
  if (fenced.length === 0) return;
  const overdue = fenced.filter(({ facts }) => draft.nowMs >= keepsOutUntilMs(draft, facts));
  for (const pod of ledger.pending.podsWhere((shape) => overdue.length > 0 || draft.isExempt(shape))) {
    if (!pod.unschedulable || isPromised(draft.books, pod, draft.nowMs)) continue;
    if (draft.isExempt(pod.shape)) passFence(draft, pod, fenced, "Exempt", "exempt from pacing");
    else passOverdue(draft, pod, overdue);
  }
}

function passOverdue(draft: Draft, pod: PodFacts, overdue: readonly Place[]): void {
  const capMs = pod.createdAtMs + draft.maxHoldMs;
  draft.wake(capMs);
  if (draft.nowMs < capMs) return;
  passFence(draft, pod, overdue, "HoldCapReached", `kept out for ${draft.maxHoldMs / SECOND_MS} s, the most`);
}

/** From then on the fence has kept pods out for the hold cap, epoch ms. It keeps nobody out before the node is Ready. */
function keepsOutUntilMs(draft: Draft, { readySinceMs }: NodeFacts): number {
  const atMs = (readySinceMs ?? Infinity) + draft.maxHoldMs;
  draft.wake(atMs);
  return atMs;
}

function passFence(draft: Draft, pod: PodFacts, fenced: readonly Place[], reason: ReleaseReason, why: string): void {
  const isKeptOut = ({ facts: { fence } }: Place) => fence !== undefined && !toleratesFence(pod, fence.value);
  const place = fenced.find((one) => isKeptOut(one) && opensTo(pod, one.facts) && fitsNow(draft, pod, one));
  if (!place) return;
  draft.releaseTo(pod, place.facts, reason, `${why}: passes the fence of node ${place.facts.name}`);
}

/** Lets the best candidate go to the node, which has a free slot; false when there is none. */
function spendOne(draft: Draft, place: Place, queues: readonly Queue[], others: Others): boolean {
  const load = draft.load(place.facts);
  const best = bestCandidate(draft, place, queues, others);
  if (!best) return false;
  const { facts } = place;
  draft.releaseTo(best, facts, "SlotFree", `slot ${load.held + 1} of ${load.limit.slots} of node ${facts.name}`);
  return true;
}

/** The oldest pod of a queue, and what it would cost the node. */
interface Candidate {
  readonly pod: PodFacts;
  readonly cost: Cost;
}

function bestCandidate(draft: Draft, place: Place, queues: readonly Queue[], others: Others): PodFacts | undefined {
  const load = draft.load(place.facts);
  const wanted = wantedImages(queues);
  const candidates = candidatesOf(draft, load, queues);
  const fetchersWaiting = candidates.filter(({ cost }) => cost.newBytes > 0).length;
  let best: PodFacts | undefined;
  let bestRank: Rank | undefined;
  for (const { pod, cost } of candidates) {
    const standing = {
      schedulerIsBehind: draft.schedulerIsBehind,
      longPole: others.elsewhere.isLongPole(load, cost),
      bytesPerPod: bytesPerPodOf(draft, load, cost, wanted),
      startStep: draft.books.startTimes.step(pod.shape),
      replicasMore: others.replicas.moreThanFewest(place, pod),
    };
    const ranked = rank(pod, standing, draft.maxHoldMs, draft.nowMs);
    if (best && bestRank && (compareRanks(bestRank, ranked) || byAge(best, pod)) < 0) continue;
    const soonerOn = others.elsewhere.soonerOn(place, pod, cost);
    const beside = { onTheirWay: draft.onTheirWay, fetchersWaiting, soonerOn };
    const verdict = judge(load, cost, draft.nowMs, beside);
    if (verdict.kind === "hold") noteHold(draft, load, verdict);
    else if (fitsNow(draft, pod, place)) [best, bestRank] = [pod, ranked];
  }
  return best;
}

function candidatesOf(draft: Draft, load: NodeLoad, queues: readonly Queue[]): Candidate[] {
  const candidates: Candidate[] = [];
  for (const queue of queues) {
    const pod = queue.headFor(load.facts);
    if (pod) candidates.push({ pod, cost: costOf(pod, load, draft.books.catalogue) });
  }
  return candidates;
}

/** Where nobody fetches anything, the last free slot is kept for one who does: the disk must not idle for lack of slots. */
function bytesPerPodOf(draft: Draft, load: NodeLoad, cost: Cost, wanted: ReadonlyMap<ImageName, number>): number {
  if (cost.pulls === 0 && load.fetchers === 0 && load.held >= load.limit.slots - 1) return Infinity;
  let bytes = 0;
  for (const image of cost.newImages) bytes += draft.books.catalogue.bytes(image) / (wanted.get(image) ?? 1);
  return bytes;
}

/** The plan changes when a promise ends, a start is given up, a node is no longer young. */
function noteTimes(draft: Draft, load: NodeLoad): void {
  draft.wake(load.untilMs);
  if (load.offered.length > 0) draft.wake(draft.nowMs + 1_000);
  draft.wake(youngUntilMs(draft.books, load.facts));
  draft.wake(load.limit.hotUntilMs);
}

function noteHold(draft: Draft, { nodeClass }: NodeLoad, { reason }: Hold): void {
  if (reason === "PullBudgetSpent") draft.wake(draft.nowMs + 1_000 / nodeClass.pullQPS.qps);
}
