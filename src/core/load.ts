/** What one node carries at one moment, summed up from the ledger: slots held, bytes in flight, what the disk owes. */
import type { NodeClass } from "../policy/schema.ts";
import type { NodeFacts, NodeSample, PodFacts } from "./facts.ts";
import type { ImageCatalogue } from "./images.ts";
import type { NodeEntry } from "./ledger.ts";
import type { Limit } from "./limit.ts";
import type { ImageName, PodUID } from "./units.ts";

/** A scheduler that has refused a pod looks at it again after a back-off of 1 s: a second look may succeed. In ms. */
const REFUSED_MS = 2_000;

/** Times after which things no longer count, ms. */
export interface Patience {
  /** A pod that is in startup for longer is stuck. */
  readonly deadlineMs: number;
  /** A reservation whose pod is not bound by then is returned. */
  readonly reservationMs: number;
}

/** What a node carries now. */
export interface NodeLoad {
  readonly entry: NodeEntry;
  readonly facts: NodeFacts;
  readonly nodeClass: NodeClass;
  readonly limit: Limit;
  /** The last sample, if it is fresh. */
  readonly sample: NodeSample | undefined;
  /** Bound, not started, not stuck. */
  readonly inStartup: readonly PodFacts[];
  readonly stuck: number;
  /** Unbound pods whose reservation counts. */
  readonly reserved: readonly PodFacts[];
  /** Unbound pods that this replica has offered the node, without those that are reserved. */
  readonly offered: readonly PodFacts[];
  /** Slots held by all of these. */
  readonly held: number;
  /** Images that those pods fetch now: each counts once. */
  readonly fetching: ReadonlySet<ImageName>;
  /** Bytes of `fetching`, as kubelets list sizes. */
  readonly bytesInFlight: number;
}

/** What a pod would add to a node. */
export interface Cost {
  /** Bytes of images that are neither there nor on their way. */
  readonly newBytes: number;
  /** Images not there yet: each is one more call on the kubelet's pull budget. */
  readonly pulls: number;
  /** Some image is on its way and none is new: the pod need only wait for it. */
  readonly follows: boolean;
}

/** Sums up a node. */
export function nodeLoad(
  entry: NodeEntry,
  facts: NodeFacts,
  given: Pick<NodeLoad, "nodeClass" | "limit" | "sample"> & {
    readonly offers: readonly PodFacts[];
    readonly patience: Patience;
    readonly catalogue: ImageCatalogue;
  },
  nowMs: number,
): NodeLoad {
  const { patience, catalogue, nodeClass, limit, sample } = given;
  const starting = [...entry.starting.values()].filter((pod) => !pod.terminal);
  const inStartup = starting.filter((pod) => !isStuck(pod, patience, nowMs));
  const reserved = [...entry.reserved.values()].filter((pod) => reservationCounts(pod, patience, nowMs));
  const known = new Set<PodUID>(reserved.map((pod) => pod.uid));
  const offered = given.offers.filter((pod) => !known.has(pod.uid));
  const fetching = fetchedBy([inStartup, reserved, offered], entry, facts);
  return {
    ...{ entry, facts, nodeClass, limit, sample, inStartup, reserved, offered, fetching },
    stuck: starting.length - inStartup.length,
    held: inStartup.length + reserved.length + offered.length,
    bytesInFlight: sum([...fetching].map((image) => catalogue.bytes(image))),
  };
}

/** Waiting for something that pacing cannot help, or for too long: gives its slot back. */
export function isStuck(pod: PodFacts, { deadlineMs }: Patience, nowMs: number): boolean {
  return pod.waitingOn !== undefined || nowMs >= (pod.scheduledAtMs ?? pod.createdAtMs) + deadlineMs;
}

/**
 * When the pod's promise ends, epoch ms; undefined where it has none. A pod that has its time only would hold a slot for
 * all of it though the scheduler cannot place it: where only the scheduler can judge whether it fits, its refusal counts.
 * Elsewhere a refusal is a race (it had not seen the node as we do), and it will bind the pod after its back-off.
 */
export function promiseEndsMs({ reservation, refused, shape }: PodFacts, patience: Patience): number | undefined {
  if (!reservation) return undefined;
  const forMs = refused && shape.interPodRules ? Math.min(REFUSED_MS, patience.reservationMs) : patience.reservationMs;
  return reservation.atMs + forMs;
}

/** Does the pod's promise hold a slot? */
export function reservationCounts(pod: PodFacts, patience: Patience, nowMs: number): boolean {
  return nowMs < (promiseEndsMs(pod, patience) ?? -Infinity);
}

function fetchedBy(groups: readonly (readonly PodFacts[])[], entry: NodeEntry, facts: NodeFacts): Set<ImageName> {
  const images = new Set<ImageName>();
  for (const pods of groups) {
    for (const pod of pods) {
      for (const image of pod.shape.images) if (!isPresent(image, entry, facts)) images.add(image);
    }
  }
  return images;
}

const isPresent = (image: ImageName, entry: NodeEntry, facts: NodeFacts) =>
  facts.images.has(image) || entry.startedImages.has(image);

/** What `pod` would add to the node now. */
export function costOf(pod: PodFacts, { entry, facts, fetching }: NodeLoad, catalogue: ImageCatalogue): Cost {
  const missing = pod.shape.images.filter((image) => !isPresent(image, entry, facts));
  const fresh = missing.filter((image) => !fetching.has(image));
  return {
    newBytes: sum(fresh.map((image) => catalogue.bytes(image))),
    pulls: missing.length,
    follows: missing.length > 0 && fresh.length === 0,
  };
}

/**
 * Seconds until the disk has written what it owes: bytes in flight (as they reach the disk) and dirty page cache, over
 * what it was seen to write (real-node.md: "the debt is the harm").
 */
export function drainSeconds(load: NodeLoad, newBytes: number): number {
  const { sample, limit, nodeClass } = load;
  const inFlight = (load.bytesInFlight + newBytes) * nodeClass.unpackRatio;
  return (inFlight + (sample?.dirtyBytes ?? 0) + (sample?.writebackBytes ?? 0)) / limit.bytesPerSecond;
}

const sum = (amounts: readonly number[]) => amounts.reduce((total, amount) => total + amount, 0);
