/** Spends free slots: node by node, the one with the most room first, the best pod by the order of release. */
import type { Draft } from "./draft.ts";
import { toleratesFence } from "./draft.ts";
import { Elsewhere } from "./elsewhere.ts";
import type { NodeFacts, PodFacts, PodShape } from "./facts.ts";
import { opensTo } from "./fit.ts";
import { fitsNow } from "./held.ts";
import { judge } from "./judge.ts";
import type { Cost, NodeLoad } from "./load.ts";
import { costOf, promiseEndsMs } from "./load.ts";
import type { Rank } from "./order.ts";
import { byAge, compareRanks, rank } from "./order.ts";
import { Replicas } from "./replicas.ts";
import { RoomiestFirst } from "./roomiest.ts";
import type { Place, SettledRoom } from "./places.ts";
import { isPromised, youngUntilMs } from "./books.ts";
import { SECOND_MS, type ImageName, type NodeName } from "./units.ts";
import type { ReleaseReason } from "../api/reasons.ts";
import type { Hold } from "./verdict.ts";

/** The scheduler is given this long to place a new pod by itself before a fence looks at it, ms. Assumed. */
const SCHEDULER_FIRST_MS = 2_000;

/** Waiting pods that look the same, oldest first. */
interface Line {
  readonly pods: readonly PodFacts[];
  /** Where pods stand that tolerate a fence (a promise that has expired), ascending, by the fence's value. */
  readonly tolerant: ReadonlyMap<string, readonly number[]>;
}

function lineOf(unordered: readonly PodFacts[]): Line {
  const pods = inOrder(unordered) ? unordered : [...unordered].sort(byAge);
  return { pods, tolerant: tolerantAt(pods) };
}

/** A line without some; several nodes look at one queue. */
class Queue {
  readonly #draft: Draft;
  readonly #line: Line;
  /** Pods at these places of the line are not in this queue. */
  readonly #without: readonly number[];
  #next = 0;

  constructor(draft: Draft, line: Line, without: readonly number[] = []) {
    this.#draft = draft;
    this.#line = line;
    this.#without = without;
  }

  /** The oldest that this plan has not let go. */
  get head(): PodFacts | undefined {
    for (;;) {
      const pod = this.#line.pods[this.#next];
      if (!pod || !(this.#draft.hasLeft(pod) || this.#without.includes(this.#next))) return pod;
      this.#next += 1;
    }
  }

  /** How many are left, at most. */
  get length(): number {
    let left = this.#line.pods.length - this.#next;
    for (const at of this.#without) if (at >= this.#next) left -= 1;
    return left;
  }

  /** Those that the fence of this value keeps out: nearly always all of them, and then it is the same queue. */
  keptOutBy(value: string): Queue {
    const { tolerant } = this.#line;
    const without = [...(tolerant.get(value) ?? []), ...(tolerant.get("*") ?? [])];
    return without.length === 0 ? this : new Queue(this.#draft, this.#line, without);
  }
}

function tolerantAt(pods: readonly PodFacts[]): ReadonlyMap<string, readonly number[]> {
  const places = new Map<string, number[]>();
  for (const [at, { fencesTolerated }] of pods.entries()) {
    if (fencesTolerated.length === 0) continue; // nearly all
    for (const value of fencesTolerated.includes("*") ? ["*"] : new Set(fencesTolerated)) append(places, value, at);
  }
  return places;
}

/** Watches deliver pods by age, so that there is seldom anything to sort. */
function inOrder(pods: readonly PodFacts[]): boolean {
  for (let at = 1; at < pods.length; at += 1) {
    if (byAge(pods[at - 1] as PodFacts, pods[at] as PodFacts) > 0) return false;
  }
  return true;
}

/** @returns what the nodes were to one another, for those who tell why a pod waits. */
export function spendSlots(draft: Draft, settled: SettledRoom): Elsewhere {
  passWithoutSlot(draft);
  const queues = queuesOf(draft, settled);
  const open = new Map(draft.paced.map((place) => [place, queuesFor(place, queues)]));
  const others = othersOf(draft, open);
  const byRoom = new RoomiestFirst(draft);
  for (const place of open.keys()) byRoom.add(place);
  for (let place = byRoom.take(); place; place = byRoom.take()) {
    if (spendOne(draft, place, open.get(place) ?? [], others)) byRoom.add(place);
  }
  return others.elsewhere;
}

/** What the nodes are to one another. */
interface Others {
  readonly replicas: Replicas;
  readonly elsewhere: Elsewhere;
}

function othersOf(draft: Draft, open: ReadonlyMap<Place, readonly Queue[]>): Others {
  const replicas = new Replicas(draft);
  const places: Place[] = [];
  const queues = new Set<Queue>();
  for (const [place, theirs] of open) {
    if (theirs.length > 0) places.push(place);
    for (const queue of theirs) {
      if (queue.head && queue.head.pinnedTo === undefined) replicas.note(place, queue.head.shape);
      queues.add(queue);
    }
  }
  return { replicas, elsewhere: new Elsewhere(draft, places, replicas, wantedImages([...queues])) };
}

/** A fence is no obstacle to exempt pods (promise 4) and to those it has kept out for the hold cap (promise 2). */
function passWithoutSlot(draft: Draft): void {
  const { ledger, policy } = draft.books;
  if (policy.mode !== "enforce" || !policy.fence.enabled) return;
  const fenced = draft.paced.filter(({ facts }) => facts.fence);
  if (fenced.length === 0) return;
  const overdue = fenced.filter(({ facts }) => draft.nowMs >= keepsOutUntilMs(draft, facts));
  for (const pod of ledger.pending.pods()) {
    if (!pod.unschedulable || isPromised(draft.books, pod, draft.nowMs)) continue;
    if (draft.isExempt(pod.shape)) passFence(draft, pod, fenced, "Exempt", "exempt from pacing");
    else if (overdue.length > 0) passOverdue(draft, pod, overdue);
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

/** Lets the best candidate go to the node; false when there is none. */
function spendOne(draft: Draft, place: Place, queues: readonly Queue[], others: Others): boolean {
  const load = draft.load(place.facts);
  noteTimes(draft, load);
  if (load.held >= load.limit.slots) return false;
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
      longPole: others.elsewhere.isLongPole(load, cost),
      bytesPerPod: bytesPerPodOf(draft, load, cost, wanted),
      startStep: draft.books.startTimes.step(pod.shape),
      replicasMore: others.replicas.moreThanFewest(place, pod.shape),
    };
    const ranked = rank(pod, standing, draft.maxHoldMs, draft.nowMs);
    if (best && bestRank && (compareRanks(bestRank, ranked) || byAge(best, pod)) < 0) continue;
    const beside = { fetchersWaiting, soonerOn: others.elsewhere.soonerOn(place, pod, cost) };
    const verdict = judge(load, cost, draft.nowMs, beside);
    if (verdict.kind === "hold") noteHold(draft, load, verdict);
    else if (fitsNow(draft, pod, place)) [best, bestRank] = [pod, ranked];
  }
  return best;
}

function candidatesOf(draft: Draft, load: NodeLoad, queues: readonly Queue[]): Candidate[] {
  const candidates: Candidate[] = [];
  for (const { head: pod } of queues) {
    if (pod) candidates.push({ pod, cost: costOf(pod, load, draft.books.catalogue) });
  }
  return candidates;
}

/** For each image, how many waiting pods use it. */
function wantedImages(queues: readonly Queue[]): ReadonlyMap<ImageName, number> {
  const wanted = new Map<ImageName, number>();
  for (const { head, length } of queues) {
    for (const image of head?.shape.images ?? []) wanted.set(image, (wanted.get(image) ?? 0) + length);
  }
  return wanted;
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
  const { patience } = draft.books;
  for (const pod of load.reserved) draft.wake(promiseEndsMs(pod, patience) ?? Infinity);
  for (const pod of load.inStartup) draft.wake((pod.scheduledAtMs ?? pod.createdAtMs) + patience.deadlineMs);
  if (load.offered.length > 0) draft.wake(draft.nowMs + 1_000);
  draft.wake(youngUntilMs(draft.books, load.facts));
  draft.wake(load.limit.hotUntilMs);
}

function noteHold(draft: Draft, { nodeClass }: NodeLoad, { reason }: Hold): void {
  if (reason === "PullBudgetSpent") draft.wake(draft.nowMs + 1_000 / nodeClass.pullQPS.qps);
}

/** Every queue that could matter: gated pods, and for fenced nodes the scheduler's pending ones. */
interface Queues {
  readonly pinned: ReadonlyMap<NodeName, readonly Queue[]>;
  readonly gated: readonly Queue[];
  readonly pending: readonly Queue[];
}

function queuesOf(draft: Draft, settled: SettledRoom): Queues {
  const { ledger, policy } = draft.books;
  const pinned = new Map<NodeName, PodFacts[]>();
  const gated = new Map<PodShape, PodFacts[]>();
  for (const pod of draft.waiting.values()) {
    if (pod.gatedByOthers) continue;
    if (pod.pinnedTo === undefined) append(gated, pod.shape, pod);
    else append(pinned, pod.pinnedTo, pod);
  }
  const pending = new Map<PodShape, PodFacts[]>();
  if (policy.fence.enabled && draft.paced.some(({ facts }) => facts.fence)) {
    for (const pod of ledger.pending.pods()) if (fenceConcerns(draft, settled, pod)) append(pending, pod.shape, pod);
  }
  const queue = (pods: readonly PodFacts[]) => new Queue(draft, lineOf(pods));
  return {
    pinned: new Map([...pinned].map(([node, pods]) => [node, pods.map((pod) => queue([pod]))])),
    gated: [...gated.values()].map(queue),
    pending: [...pending.values()].map(queue),
  };
}

/** A pending pod that a fence may keep waiting: not exempt, not promised elsewhere, nowhere to go by itself. */
function fenceConcerns(draft: Draft, settled: SettledRoom, pod: PodFacts): boolean {
  const { books, nowMs } = draft;
  if (books.policy.mode !== "enforce" || isPromised(books, pod, nowMs)) return false;
  if (draft.isExempt(pod.shape)) return false; // passes anyway
  if (pod.unschedulable) return true;
  draft.wake(pod.createdAtMs + SCHEDULER_FIRST_MS);
  return nowMs >= pod.createdAtMs + SCHEDULER_FIRST_MS && !settled.find(books, pod, nowMs);
}

function queuesFor({ facts }: Place, { pinned, gated, pending }: Queues): Queue[] {
  const fits = ({ head }: Queue) => head !== undefined && opensTo(head, facts);
  const value = facts.fence?.value;
  const fenced = value === undefined ? [] : pending.map((queue) => queue.keptOutBy(value));
  return [...(pinned.get(facts.name) ?? []).filter(fits), ...gated.filter(fits), ...fenced.filter(fits)];
}

function append<Key, Item>(lists: Map<Key, Item[]>, key: Key, item: Item): void {
  const list = lists.get(key);
  if (list) list.push(item);
  else lists.set(key, [item]);
}
