/** What one node carries at one moment, summed up from the ledger: slots held, bytes in flight, what the disk owes. */
import type { NodeClass } from "../../policy/schema.ts";
import type { NodeFacts, NodeSample, PodFacts } from "../facts.ts";
import type { ImageCatalogue } from "./image-catalogue.ts";
import type { NodeEntry } from "./ledger.ts";
import type { Limit } from "../rules/limit.ts";
import type { DonePulls } from "../rules/pull-budget.ts";
import type { ImageName, PodUID } from "../ids.ts";

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
  /** Of these pods, the ones that fetch images; who waits for an image that another one fetches is none. */
  readonly fetchers: number;
  /** Image pulls that these pods may still begin. */
  readonly pulls: number;
  /** Pulls of pods that have started lately. */
  readonly donePulls: readonly DonePulls[];
  /** Images that those pods fetch now: each counts once. */
  readonly fetching: ReadonlySet<ImageName>;
  /** Bytes of `fetching`, as kubelets list sizes. */
  readonly bytesInFlight: number;
  /** Until a start is given up or a promise ends, epoch ms: the load changes then though nothing happens. */
  readonly untilMs: number;
}

/** What a pod would add to a node. */
export interface Cost {
  /** Images that are neither there nor on their way. */
  readonly newImages: readonly ImageName[];
  /** Their bytes. */
  readonly newBytes: number;
  /** Images not there yet: each is one more call on the kubelet's pull budget. */
  readonly pulls: number;
  /** Some image is on its way and none is new: the pod need only wait for it. */
  readonly follows: boolean;
}

/** What a node's load is made from besides the node's own books. */
export interface LoadInputs extends Pick<NodeLoad, "nodeClass" | "limit" | "sample" | "donePulls"> {
  readonly offers: readonly PodFacts[];
  readonly patience: Patience;
  readonly catalogue: ImageCatalogue;
}

/** Sums up a node. */
export function nodeLoad(entry: NodeEntry, facts: NodeFacts, given: LoadInputs, nowMs: number): NodeLoad {
  const { patience, catalogue, nodeClass, limit, sample, donePulls } = given;
  const starting = [...entry.starting.values()].filter((pod) => !pod.terminal);
  const inStartup = starting.filter((pod) => !isStuck(pod, patience, nowMs));
  const reserved = [...entry.reserved.values()].filter((pod) => reservationCounts(pod, patience, nowMs));
  const known = new Set<PodUID>(reserved.map((pod) => pod.uid));
  const offered = given.offers.filter((pod) => !known.has(pod.uid));
  const fetches = fetchedBy([inStartup, reserved, offered], entry, facts);
  return {
    ...{ entry, facts, nodeClass, limit, sample, inStartup, reserved, offered, donePulls, ...fetches },
    stuck: starting.length - inStartup.length,
    held: inStartup.length + reserved.length + offered.length,
    bytesInFlight: sum([...fetches.fetching].map((image) => catalogue.bytes(image))),
    untilMs: nextChangeMs(inStartup, reserved, patience),
  };
}

function nextChangeMs(inStartup: readonly PodFacts[], reserved: readonly PodFacts[], patience: Patience): number {
  let nextMs = Infinity;
  for (const pod of inStartup) nextMs = Math.min(nextMs, givenUpMs(pod, patience));
  for (const pod of reserved) nextMs = Math.min(nextMs, promiseEndsMs(pod, patience) ?? Infinity);
  return nextMs;
}

/** When the pod will have been in startup for too long, epoch ms. */
const givenUpMs = (pod: PodFacts, { deadlineMs }: Patience) => (pod.scheduledAtMs ?? pod.createdAtMs) + deadlineMs;

/** Waiting for something that pacing cannot help, or for too long: gives its slot back. */
export function isStuck(pod: PodFacts, patience: Patience, nowMs: number): boolean {
  return pod.waitingOn !== undefined || nowMs >= givenUpMs(pod, patience);
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

function fetchedBy(groups: readonly (readonly PodFacts[])[], entry: NodeEntry, facts: NodeFacts) {
  const fetching = new Set<ImageName>();
  let [fetchers, pulls] = [0, 0];
  for (const pods of groups) {
    for (const pod of pods) {
      const before = fetching.size;
      for (const image of pod.shape.images) {
        if (isPresent(image, entry, facts)) continue;
        pulls += 1;
        fetching.add(image);
      }
      if (fetching.size > before) fetchers += 1;
    }
  }
  return { fetching, fetchers, pulls };
}

/** The node has the image, whatever its list shows. */
export const isPresent = (image: ImageName, entry: NodeEntry, facts: NodeFacts) =>
  facts.images.has(image) || entry.startedImages.has(image);

/** What `pod` would add to the node now. */
export function costOf(pod: PodFacts, { entry, facts, fetching }: NodeLoad, catalogue: ImageCatalogue): Cost {
  let pulls = 0;
  let newBytes = 0;
  const newImages: ImageName[] = [];
  for (const image of pod.shape.images) {
    if (isPresent(image, entry, facts)) continue;
    pulls += 1;
    if (fetching.has(image)) continue;
    newImages.push(image);
    newBytes += catalogue.bytes(image);
  }
  return { newImages, newBytes, pulls, follows: pulls > 0 && newImages.length === 0 };
}

/** What the images in flight make the disk write, bytes: blobs and unpacked layers. */
export const writesInFlight = ({ bytesInFlight, limit }: Pick<NodeLoad, "bytesInFlight" | "limit">) =>
  bytesInFlight * limit.unpackRatio;

/** Seconds that the disk needs for images of so many bytes, as kubelets list them. */
export const writeSeconds = ({ limit }: Pick<NodeLoad, "limit">, imageBytes: number) =>
  (imageBytes * limit.unpackRatio) / limit.bytesPerSecond;

/** What a disk has to write, in seconds of its time (real-node.md: "the debt is the harm"). */
export interface Debt {
  /** Images on their way, as they reach the disk. */
  readonly inFlight: number;
  /** Dirty page cache. */
  readonly cached: number;
  /** What the pod in question adds. */
  readonly own: number;
}

/** Over what the disk was seen to write. */
export function debtOf(load: NodeLoad, newBytes: number): Debt {
  const { sample, limit, bytesInFlight } = load;
  return {
    inFlight: writeSeconds(load, bytesInFlight),
    cached: ((sample?.dirtyBytes ?? 0) + (sample?.writebackBytes ?? 0)) / limit.bytesPerSecond,
    own: writeSeconds(load, newBytes),
  };
}

/** Seconds until the disk has written all that it owes. */
export function drainSeconds(load: NodeLoad): number {
  const { inFlight, cached } = debtOf(load, 0);
  return inFlight + cached;
}

/** Seconds until the disk runs dry: {@link drainSeconds} less what of the bytes in flight it has written, as a guess. */
export function leftSeconds(load: NodeLoad): number {
  const { inFlight, cached } = debtOf(load, 0);
  return Math.max(0, inFlight - load.limit.progressBytes / load.limit.bytesPerSecond) + cached;
}

export const sum = (amounts: readonly number[]) => amounts.reduce((total, amount) => total + amount, 0);
