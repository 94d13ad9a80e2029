/**
 * The other nodes, where pods could go to several: which of them would have a pod's images sooner, and which pull takes so
 * long that it must not be left for the end. Both keep nodes that join together from being done at very different times
 * (least work left, and longest processing time first, as machine scheduling has them).
 */
import type { Draft } from "./plan-builder.ts";
import type { PodFacts } from "../facts.ts";
import { opensTo } from "../placement/fit.ts";
import { fitsNow } from "./release-without-slot.ts";
import { coresOf, judge, REFILL_SECONDS } from "../rules/start-checks.ts";
import { type Cost, costOf, isPresent, leftSeconds, type NodeLoad, sum, writeSeconds } from "../state/load.ts";
import { TOLERATED_SKEW } from "./order.ts";
import type { Place } from "../placement/nodes-with-room.ts";
import type { Replicas } from "./replica-spread.ts";
import { type ImageName, MIB, type NodeName } from "../ids.ts";

/**
 * What one pull makes the disk write where nothing else does, bytes/s: its layers are unpacked one after another, on one
 * core. Assumed; gunzip and tar on one core.
 */
const PULL_ALONE_BYTES_PER_SECOND = 130 * MIB;
/**
 * With more nodes than that none is compared: it would take too long, and no single pull matters to all of them. Assumed.
 */
export const MOST_COMPARED = 64;

/** For each image, how many waiting pods use it. */
type Wanted = Iterable<readonly [image: ImageName, pods: number]>;

export class Elsewhere {
  readonly #draft: Draft;
  readonly #places: readonly Place[];
  readonly #replicas: Replicas;
  readonly #restSeconds: number;

  /**
   * @param places nodes that some waiting pods could go to.
   */
  constructor(draft: Draft, places: readonly Place[], replicas: Replicas, wanted: Wanted) {
    this.#draft = draft;
    this.#places = places.length <= MOST_COMPARED ? places : [];
    this.#replicas = replicas;
    this.#restSeconds = restSeconds(draft, this.#places, wanted);
  }

  /** Does this pull, by itself, take as long as the nodes need for all that is left if they share it evenly? */
  isLongPole(load: NodeLoad, { newBytes }: Cost): boolean {
    const rate = Math.min(load.limit.bytesPerSecond, PULL_ALONE_BYTES_PER_SECOND);
    return newBytes > 0 && (newBytes * load.limit.unpackRatio) / rate >= this.#restSeconds;
  }

  /** A node that would have the pod's images sooner than this one, and can take the pod. */
  soonerOn(place: Place, pod: PodFacts, cost: Cost): NodeName | undefined {
    if (cost.newBytes === 0 || pod.pinnedTo !== undefined) return undefined;
    const load = this.#draft.load(place.facts);
    const left = leftSeconds(load);
    const here = left + writeSeconds(load, cost.newBytes);
    return this.#places.find((other) => {
      if (other === place) return false;
      const theirs = this.#draft.load(other.facts);
      const theirCost = costOf(pod, theirs, this.#draft.books.catalogue);
      // A disk that is about to run dry takes the next pull, whoever else would have it sooner.
      if (left <= REFILL_SECONDS && theirCost.newBytes >= cost.newBytes) return false;
      const there = leftSeconds(theirs) + writeSeconds(theirs, theirCost.newBytes);
      return there < here && this.#fits(other, pod) && this.#takesSoon(theirs, theirCost);
    })?.facts.name;
  }

  /** It is open to the pod, has room for it, and is no node where its replicas crowd. */
  #fits(place: Place, pod: PodFacts): boolean {
    const crowded = this.#replicas.moreThanFewest(place, pod) >= TOLERATED_SKEW;
    return !crowded && opensTo(pod, place.facts) && fitsNow(this.#draft, pod, place);
  }

  /** It takes the pod now, or when pulls are done. When slow starts end nobody knows: for these no pod waits. */
  #takesSoon(load: NodeLoad, cost: Cost): boolean {
    const verdict = judge(load, cost, this.#draft.nowMs);
    if (verdict.kind === "allow") return true;
    return verdict.reason === "SlotsHeld" ? load.fetchers > 0 : verdict.reason !== "CpuBusy";
  }
}

/** Seconds that the nodes need for what they fetch and what waits: replicas come to a node in pairs, by the order of release. */
function restSeconds(draft: Draft, places: readonly Place[], wanted: Wanted): number {
  const loads = places.map(({ facts }) => draft.load(facts));
  if (loads.length === 0) return Infinity;
  const ratio = mean(loads.map(({ limit }) => limit.unpackRatio));
  let bytes = sum(loads.map((load) => leftSeconds(load) * load.limit.bytesPerSecond));
  for (const [image, pods] of wanted) {
    const fetching = Math.min(loads.filter((load) => lacks(load, image)).length, Math.ceil(pods / TOLERATED_SKEW));
    bytes += draft.books.catalogue.bytes(image) * ratio * fetching;
  }
  return bytes / sum(loads.map(mostBytesPerSecond));
}

const mostBytesPerSecond = (load: NodeLoad) =>
  Math.min(load.limit.bytesPerSecond, Math.max(1, coresOf(load)) * PULL_ALONE_BYTES_PER_SECOND);

const lacks = ({ fetching, facts, entry }: NodeLoad, image: ImageName) =>
  !fetching.has(image) && !isPresent(image, entry, facts);

const mean = (amounts: readonly number[]) => sum(amounts) / amounts.length;
