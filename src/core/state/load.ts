/** What one node carries at one moment, summed up from the ledger: slots in use, bytes in flight, what is left to write. */
import type { NodeClass } from "../../policy/schema.ts";
import type { NodeFacts, NodeSample, PodFacts } from "../facts.ts";
import type { ImageCatalogue } from "./image-catalogue.ts";
import type { NodeEntry } from "./ledger.ts";
import type { Limit } from "../rules/limit.ts";
import type { DonePulls } from "../rules/pull-budget.ts";
import type { ImageName, PodUID } from "../ids.ts";

/** A scheduler that has refused a pod looks at it again after a back-off of 1 s, and may succeed then. In ms. */
const REFUSED_MS = 2_000;

/** Times after which things no longer count, ms. */
export interface Deadlines {
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
  /** Slots that all of these use. */
  readonly slotsInUse: number;
  /** Of these pods, the ones that fetch images. One that waits for an image which another fetches does not count. */
  readonly fetchers: number;
  /** Image pulls that these pods may still begin. */
  readonly pulls: number;
  /** Pulls of pods that have started lately. */
  readonly donePulls: readonly DonePulls[];
  /** Images that those pods fetch now: each counts once. */
  readonly fetching: ReadonlySet<ImageName>;
  /** Bytes of `fetching`, as kubelets list sizes. */
  readonly bytesInFlight: number;
  /** Until a start is given up or a reservation ends, epoch ms: the load changes then though nothing happens. */
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

/** What a node's load is made from besides its entry in the ledger. */
export interface LoadInputs extends Pick<NodeLoad, "nodeClass" | "limit" | "sample" | "donePulls"> {
  readonly offers: readonly PodFacts[];
  readonly deadlines: Deadlines;
  readonly catalogue: ImageCatalogue;
}

/** Sums up a node. */
export function nodeLoad(entry: NodeEntry, facts: NodeFacts, given: LoadInputs, nowMs: number): NodeLoad {
  const { deadlines, catalogue, nodeClass, limit, sample, donePulls } = given;
  const starting = [...entry.starting.values()].filter((pod) => !pod.terminal);
  const inStartup = starting.filter((pod) => !isStuck(pod, deadlines, nowMs));
  const reserved = [...entry.reserved.values()].filter((pod) => reservationCounts(pod, deadlines, nowMs));
  const known = new Set<PodUID>(reserved.map((pod) => pod.uid));
  const offered = given.offers.filter((pod) => !known.has(pod.uid));
  const fetches = fetchedBy([inStartup, reserved, offered], entry, facts);
  return {
    entry,
    facts,
    nodeClass,
    limit,
    sample,
    inStartup,
    reserved,
    offered,
    donePulls,
    ...fetches,
    stuck: starting.length - inStartup.length,
    slotsInUse: inStartup.length + reserved.length + offered.length,
    bytesInFlight: sum([...fetches.fetching].map((image) => catalogue.bytes(image))),
    untilMs: nextChangeMs(inStartup, reserved, deadlines),
  };
}

function nextChangeMs(inStartup: readonly PodFacts[], reserved: readonly PodFacts[], deadlines: Deadlines): number {
  let nextMs = Infinity;
  for (const pod of inStartup) nextMs = Math.min(nextMs, givenUpMs(pod, deadlines));
  for (const pod of reserved) nextMs = Math.min(nextMs, reservationEndsMs(pod, deadlines) ?? Infinity);
  return nextMs;
}

/** When the pod will have been in startup for too long, epoch ms. */
const givenUpMs = (pod: PodFacts, { deadlineMs }: Deadlines) => (pod.scheduledAtMs ?? pod.createdAtMs) + deadlineMs;

/** True for a pod that waits for something that pacing cannot help, or for too long. It gives its slot back. */
export function isStuck(pod: PodFacts, deadlines: Deadlines, nowMs: number): boolean {
  return pod.waitingOn !== undefined || nowMs >= givenUpMs(pod, deadlines);
}

/**
 * When the pod's reservation ends, epoch ms; undefined where it has none. Where only the scheduler can tell whether the pod
 * fits, its refusal ends the reservation early, so that no slot waits for a pod that cannot be placed. For other pods a
 * refusal is a race (the scheduler had not seen the node as we do), and it binds the pod after its back-off.
 */
export function reservationEndsMs({ reservation, refused, shape }: PodFacts, deadlines: Deadlines): number | undefined {
  if (!reservation) return undefined;
  const forMs =
    refused && shape.interPodRules ? Math.min(REFUSED_MS, deadlines.reservationMs) : deadlines.reservationMs;
  return reservation.atMs + forMs;
}

/**
 * Does the pod's reservation use a slot? One that says it was made later than clocks explain does not: a tenant that
 * writes the annotation must not keep a slot for as long as it likes.
 */
export function reservationCounts(pod: PodFacts, deadlines: Deadlines, nowMs: number): boolean {
  if (pod.reservation && pod.reservation.atMs > nowMs + deadlines.reservationMs) return false;
  return nowMs < (reservationEndsMs(pod, deadlines) ?? -Infinity);
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

/** What a disk has left to write, in seconds of its time (docs/design.md, "The idea"). */
export interface Debt {
  /** Images on their way, as they reach the disk. */
  readonly inFlight: number;
  /** Dirty page cache. */
  readonly cached: number;
  /** What the pod in question adds. */
  readonly own: number;
}

/** Divides bytes by what the disk was seen to write per second. */
export function debtOf(load: NodeLoad, newBytes: number): Debt {
  const { sample, limit, bytesInFlight } = load;
  return {
    inFlight: writeSeconds(load, bytesInFlight),
    cached: ((sample?.dirtyBytes ?? 0) + (sample?.writebackBytes ?? 0)) / limit.bytesPerSecond,
    own: writeSeconds(load, newBytes),
  };
}

/** Seconds until the disk has written all that it has left to write. */
export function drainSeconds(load: NodeLoad): number {
  const { inFlight, cached } = debtOf(load, 0);
  return inFlight + cached;
}

/** {@link drainSeconds} less what the disk has probably written of the bytes in flight. */
export function leftSeconds(load: NodeLoad): number {
  const { inFlight, cached } = debtOf(load, 0);
  return Math.max(0, inFlight - load.limit.progressBytes / load.limit.bytesPerSecond) + cached;
}

const MILLICORES = 1_000;

/** Cores of the node: as sampled, else as allocatable. */
export const coresOf = ({ sample, facts }: NodeLoad) => sample?.cores ?? (facts.allocatable["cpu"] ?? 0) / MILLICORES;

export const sum = (amounts: readonly number[]) => amounts.reduce((total, amount) => total + amount, 0);
