/** Held pods that need not be held any longer: they go at once, and take no slot. */
import type { Books } from "../state/cluster-state.ts";
import { paceOf, promisedTo, roomOf, youngUntilMs } from "../state/cluster-state.ts";
import type { Draft } from "./plan-builder.ts";
import type { HostPort, NodeFacts, PodFacts, PodShape, Resources } from "../facts.ts";
import { misfit, placementMisfit } from "../placement/fit.ts";
import { byAge, waitingSinceMs } from "./order.ts";
import type { Place, SettledRoom } from "../placement/nodes-with-room.ts";
import { fitsPlace, placeOf } from "../placement/nodes-with-room.ts";
import type { NodeName } from "../ids.ts";

/** Lets go whom the policy no longer holds or has held for too long; the others wait. */
export function sortWaiting(draft: Draft): void {
  const { books, nowMs } = draft;
  const off = books.policy.mode !== "enforce" || !books.policy.gate.enabled;
  for (const pod of books.ledger.gated.pods()) {
    const capMs = waitingSinceMs(pod) + draft.maxHoldMs;
    if (off) draft.release(pod, "PacingOff", "pacing is off, only observing, or the gate is disabled");
    else if (draft.isExempt(pod.shape)) draft.release(pod, "Exempt", "the policy exempts this pod");
    else if (nowMs >= capMs)
      draft.release(pod, "HoldCapReached", `held for ${books.policy.maxHoldSeconds} s, the most`);
    else draft.waiting.set(pod.uid, pod);
    draft.wake(capMs);
  }
}

/**
 * Promise 3, never hide demand: every waiting pod lays claim to room on a node that exists, in the order of release.
 * Who finds none goes, so that an autoscaler sees it; who finds some on a settled node goes there.
 */
export function claimRoom(draft: Draft, settled: SettledRoom): void {
  const claims = new Claims(draft, draft.paced);
  const settledClaims = new Map<NodeName, PodFacts[]>();
  for (const pod of [...draft.waiting.values()].sort(byClaim)) {
    if (pod.pinnedTo !== undefined) claimPinned(draft, claims, pod, pod.pinnedTo);
    else claimAnywhere(draft, claims, settled, settledClaims, pod);
  }
}

function claimPinned(draft: Draft, claims: Claims, pod: PodFacts, name: NodeName): void {
  const place = placeOf(draft.books, name);
  if (!isReported(place) && mayComeLater(draft, pod)) return;
  if (!place) draft.release(pod, "NoNodeFits", `node ${name} is gone`);
  else if (isSettled(draft, place)) draft.release(pod, "NodeSettled", `node ${name} is neither young nor hot`);
  else if (!claims.claim(pod, place)) draft.release(pod, "NoNodeFits", `node ${name} has no room for this pod`);
}

/** The node is known, and has said what it can take. */
const isReported = (place: Place | undefined) => place?.facts.allocatable["pods"] !== undefined;

/**
 * Pods and nodes come by watches of their own: a DaemonSet's pod may be seen a moment before its new node. Times of
 * creation are whole seconds, so that this is one second at least. Assumed, ms.
 */
const NODE_MAY_FOLLOW_MS = 2_000;

function mayComeLater(draft: Draft, { createdAtMs }: PodFacts): boolean {
  draft.wake(createdAtMs + NODE_MAY_FOLLOW_MS);
  return draft.nowMs < createdAtMs + NODE_MAY_FOLLOW_MS;
}

const isSettled = ({ books, nowMs }: Draft, { facts }: Place) =>
  facts.fence === undefined && paceOf(books, facts, nowMs) === "settled";

function claimAnywhere(
  draft: Draft,
  claims: Claims,
  settled: SettledRoom,
  settledClaims: Map<NodeName, PodFacts[]>,
  pod: PodFacts,
): void {
  if (pod.gatedByOthers) return; // cannot run now wherever there is room
  const place = settled.find(draft.books, pod, draft.nowMs, settledClaims);
  if (place) {
    const { name } = place.facts;
    settledClaims.set(name, [...(settledClaims.get(name) ?? []), pod]);
    draft.release(pod, "NodeSettled", `node ${name} has room and needs no pacing`);
  } else if (!claims.claimFirst(pod)) draft.release(pod, "NoNodeFits", "no node that exists has room for this pod");
}

const byClaim = (a: PodFacts, b: PodFacts) =>
  Number(b.pinnedTo !== undefined) - Number(a.pinnedTo !== undefined) ||
  b.shape.priority - a.shape.priority ||
  byAge(a, b);

/** Room on some paced nodes, less what waiting pods lay claim to. */
export class Claims {
  readonly #draft: Draft;
  readonly #places: readonly Place[];
  readonly #rooms = new Map<NodeName, { free: Record<string, number>; hostPorts: HostPort[] }>();
  /** Per shape: nodes before this index have no room for it any more (claims only grow). */
  readonly #cursors = new Map<PodShape, number>();

  constructor(draft: Draft, places: readonly Place[]) {
    this.#draft = draft;
    this.#places = places;
  }

  claim(pod: PodFacts, place: Place): boolean {
    const { books, nowMs } = this.#draft;
    const room = this.#room(books, place);
    if (misfit(pod, place.facts, room, nowMs < youngUntilMs(books, place.facts)) !== undefined) return false;
    take(room.free, pod.shape.requests);
    room.hostPorts.push(...pod.shape.hostPorts);
    return true;
  }

  /** Claims room on the first node that has it. */
  claimFirst(pod: PodFacts): Place | undefined {
    for (let index = this.#cursors.get(pod.shape) ?? 0; index < this.#places.length; index += 1) {
      const place = this.#places[index];
      this.#cursors.set(pod.shape, index);
      if (place && this.claim(pod, place)) return place;
    }
    this.#cursors.set(pod.shape, this.#places.length);
    return undefined;
  }

  #room(books: Books, { entry, facts }: Place) {
    const known = this.#rooms.get(facts.name);
    if (known) return known;
    const { free, hostPorts } = roomOf(entry, facts, promisedTo(books, entry, this.#draft.nowMs));
    const room = { free: { ...free }, hostPorts: [...hostPorts] };
    this.#rooms.set(facts.name, room);
    return room;
  }
}

function take(free: Record<string, number>, amounts: Resources): void {
  for (const resource in amounts) free[resource] = (free[resource] ?? 0) - (amounts[resource] ?? 0);
}

/** Whether a waiting pod fits a paced node beside what this plan already lets go there. */
export function fitsNow(draft: Draft, pod: PodFacts, place: Place): boolean {
  return fitsPlace(draft.books, pod, place, draft.plannedFor(place.facts.name), draft.nowMs);
}

/** Whether a pod fits a node by labels and taints, once it has joined. */
export const fitsOnceJoined = (draft: Draft, pod: PodFacts, facts: NodeFacts) =>
  placementMisfit(pod, facts, draft.nowMs < youngUntilMs(draft.books, facts)) === undefined;
