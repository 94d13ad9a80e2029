/** Where could a pod run? Settled nodes with room, and paced (young or hot) nodes with room. */
import type { Books } from "./books.ts";
import { paceOf, promisedTo, roomOf, youngUntilMs } from "./books.ts";
import type { NodeFacts, PodFacts, PodShape } from "./facts.ts";
import type { PacingPolicy } from "../policy/schema.ts";
import { misfit, placementMisfit } from "./fit.ts";
import type { NodeEntry } from "./ledger.ts";
import type { NodeName } from "./units.ts";

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
  readonly #nowhere = new WeakMap<PodShape, Generation>();
  readonly #last = new WeakMap<PodShape, NodeName>();
  /** The nodes that were settled when all were last looked at. */
  #settled: { readonly of: Generation; readonly entries: readonly NodeEntry[] } | undefined;

  /**
   * A settled node with room for the pod, or undefined.
   * @param claims pods that already count on a node though they are not bound there.
   */
  find(books: Books, pod: PodFacts, nowMs: number, claims: Claims = noClaims): Place | undefined {
    const place = this.#unclaimed(books, pod, nowMs);
    if (!place || claims.size === 0 || settledFits(books, pod, place, claims, nowMs)) return place;
    return this.#first(books, pod, claims, nowMs);
  }

  #unclaimed(books: Books, pod: PodFacts, nowMs: number): Place | undefined {
    const { shape } = pod;
    const last = this.#last.get(shape);
    const place = last && placeOf(books, last);
    if (place && settledFits(books, pod, place, noClaims, nowMs)) return place;
    const memo = this.#nowhere.get(shape);
    if (memo && isCurrent(memo, books, nowMs)) return undefined;
    const found = this.#first(books, pod, noClaims, nowMs);
    if (found) this.#last.set(shape, found.facts.name);
    else this.#nowhere.set(shape, generationOf(books, nowMs));
    return found;
  }

  #first(books: Books, pod: PodFacts, claims: Claims, nowMs: number): Place | undefined {
    for (const entry of this.#entries(books, nowMs)) {
      const { facts } = entry;
      if (!facts) continue; // gone since
      const place = { entry, facts };
      if (settledFits(books, pod, place, claims, nowMs)) return place;
    }
    return undefined;
  }

  #entries(books: Books, nowMs: number): readonly NodeEntry[] {
    if (!this.#settled || !isCurrent(this.#settled.of, books, nowMs)) {
      const settled = placesWhere(books, (facts) => !isPaced(books, facts, nowMs));
      this.#settled = { of: generationOf(books, nowMs), entries: settled.map(({ entry }) => entry) };
    }
    return this.#settled.entries;
  }
}

/** What an answer about settled nodes rests on. */
interface Generation {
  readonly room: number;
  readonly policy: PacingPolicy;
  readonly untilMs: number;
}

const generationOf = ({ ledger, policy }: Books, nowMs: number): Generation => ({
  room: ledger.roomGeneration,
  policy,
  untilMs: nowMs + SETTLED_MS,
});

const isCurrent = ({ room, policy, untilMs }: Generation, books: Books, nowMs: number) =>
  room === books.ledger.roomGeneration && policy === books.policy && nowMs < untilMs && nowMs >= untilMs - SETTLED_MS;

/** Settled nodes, and "no room anywhere", are looked for again after this long: nodes also settle by the mere passing of time. In ms. */
const SETTLED_MS = 250;

function settledFits(books: Books, pod: PodFacts, place: Place, claims: Claims, nowMs: number): boolean {
  return !isPaced(books, place.facts, nowMs) && fitsPlace(books, pod, place, claims.get(place.facts.name) ?? [], nowMs);
}

/** Young and hot nodes, and fenced ones. */
export const pacedPlaces = (books: Books, nowMs: number): Place[] =>
  placesWhere(books, (facts) => isPaced(books, facts, nowMs));

/** No iterator of places: thousands are looked at many times a second. */
function placesWhere({ ledger }: Books, wanted: (facts: NodeFacts) => boolean): Place[] {
  const found: Place[] = [];
  for (const entry of ledger.nodes.values()) {
    const { facts } = entry;
    if (facts && wanted(facts)) found.push({ entry, facts });
  }
  return found;
}

/** Does the pod fit a young, hot or fenced node? */
export function fitsPacedPlace(books: Books, pod: PodFacts, nowMs: number): boolean {
  return pacedPlaces(books, nowMs).some((place) => fitsPlace(books, pod, place, [], nowMs));
}

const isPaced = (books: Books, facts: NodeFacts, nowMs: number) =>
  facts.fence !== undefined || paceOf(books, facts, nowMs) !== "settled";
