/** Where could a pod run? Settled nodes with room, and paced (young or hot) nodes with room. */
import type { Books } from "../state/cluster-state.ts";
import { paceOf, promisedTo, roomOf, youngUntilMs } from "../state/cluster-state.ts";
import type { NodeFacts, PodFacts, PodShape } from "../facts.ts";
import { misfit, placementMisfit } from "./fit.ts";
import type { NodeEntry } from "../state/ledger.ts";
import type { NodeName } from "../ids.ts";

/** A node that exists, with its books. */
export interface Place {
  readonly entry: NodeEntry;
  readonly facts: NodeFacts;
}

/** Does the pod fit the node beside what is bound there, promised, and claimed by `claimants`? */
export function fitsPlace(
  books: Books,
  pod: PodFacts,
  place: Place,
  claimants: readonly PodFacts[],
  nowMs: number,
): boolean {
  const { entry, facts } = place;
  const joining = nowMs < youngUntilMs(books, facts);
  // Thousands of nodes are asked one after another: most that do not take the pod are told by this, with nothing to sum up.
  if (isFull(pod.shape, place) || placementMisfit(pod, facts, joining)) return false;
  const others = [...promisedTo(books, entry, nowMs), ...claimants].filter((other) => other.uid !== pod.uid);
  return misfit(pod, facts, roomOf(entry, facts, others), joining) === undefined;
}

/** Do bound pods alone leave too little for a pod of this shape? */
function isFull({ requests }: PodShape, { entry, facts }: Place): boolean {
  for (const resource in requests) {
    const wanted = requests[resource] ?? 0;
    if (wanted > 0 && wanted > (facts.allocatable[resource] ?? 0) - (entry.requested[resource] ?? 0)) return true;
  }
  return false;
}

/** The node of that name, if the Node object is known. */
export function placeOf(books: Books, name: NodeName): Place | undefined {
  const entry = books.ledger.nodes.get(name);
  return entry?.facts && { entry, facts: entry.facts };
}

type Claims = ReadonlyMap<NodeName, readonly PodFacts[]>;
const noClaims: Claims = new Map();

/** Remembers, per shape, where there was room last, or that there was none, until room may have appeared somewhere. */
export class SettledRoom {
  readonly #nowhere = new WeakMap<PodShape, { readonly generation: number; readonly untilMs: number }>();
  readonly #last = new WeakMap<PodShape, NodeName>();

  /**
   * A settled node with room for the pod, or undefined.
   * @param claims pods that already count on a node though they are not bound there.
   */
  find(books: Books, pod: PodFacts, nowMs: number, claims: Claims = noClaims): Place | undefined {
    const place = this.#unclaimed(books, pod, nowMs);
    if (!place || claims.size === 0 || settledFits(books, pod, place, claims, nowMs)) return place;
    return firstSettled(books, pod, claims, nowMs);
  }

  #unclaimed(books: Books, pod: PodFacts, nowMs: number): Place | undefined {
    const { shape } = pod;
    const last = this.#last.get(shape);
    const place = last && placeOf(books, last);
    if (place && settledFits(books, pod, place, noClaims, nowMs)) return place;
    const memo = this.#nowhere.get(shape);
    if (memo?.generation === books.ledger.roomGeneration && nowMs < memo.untilMs) return undefined;
    const found = firstSettled(books, pod, noClaims, nowMs);
    if (found) this.#last.set(shape, found.facts.name);
    else this.#nowhere.set(shape, { generation: books.ledger.roomGeneration, untilMs: nowMs + NOWHERE_MS });
    return found;
  }
}

const firstSettled = (books: Books, pod: PodFacts, claims: Claims, nowMs: number): Place | undefined =>
  firstPlace(books, (place) => settledFits(books, pod, place, claims, nowMs));

/** "No room anywhere" is asked again after this long, because nodes also settle by the mere passing of time. In ms. */
const NOWHERE_MS = 250;

function settledFits(books: Books, pod: PodFacts, place: Place, claims: Claims, nowMs: number): boolean {
  return !isPaced(books, place.facts, nowMs) && fitsPlace(books, pod, place, claims.get(place.facts.name) ?? [], nowMs);
}

/** The first node that is wanted, of those whose Node object is known: it is looked no further. */
function firstPlace({ ledger }: Books, wanted: (place: Place) => boolean): Place | undefined {
  for (const entry of ledger.nodes.values()) {
    const place = entry.facts && { entry, facts: entry.facts };
    if (place && wanted(place)) return place;
  }
  return undefined;
}

/** Young and hot nodes, and fenced ones. */
export function pacedPlaces(books: Books, nowMs: number): Place[] {
  const paced: Place[] = [];
  for (const entry of books.ledger.nodes.values()) {
    const { facts } = entry;
    if (facts && isPaced(books, facts, nowMs)) paced.push({ entry, facts });
  }
  return paced;
}

/** Does the pod fit a young, hot or fenced node? */
export const fitsPacedPlace = (books: Books, pod: PodFacts, nowMs: number): boolean =>
  firstPlace(books, (place) => isPaced(books, place.facts, nowMs) && fitsPlace(books, pod, place, [], nowMs)) !==
  undefined;

const isPaced = (books: Books, facts: NodeFacts, nowMs: number) =>
  facts.fence !== undefined || paceOf(books, facts, nowMs) !== "settled";
