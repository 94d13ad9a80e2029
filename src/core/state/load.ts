/**
 * What one node carries at one moment, summed up from the ledger: slots in use, bytes in flight, what is left to write.
 */
import type { NodeClass } from "../../policy/schema.ts";
import type { NodeFacts, NodeSample, PodFacts } from "../facts.ts";
import type { ImageCatalogue } from "./image-catalogue.ts";
import { imageNeeds, isThere } from "./image-needs.ts";
import { mayBeGiven } from "./may-be-given.ts";
import { bytesOf, fetchedBy, laterImages } from "./images-to-come.ts";
import type { NodeEntry, StartedWhen } from "./ledger.ts";
import { startPhase, type Surroundings } from "./start-phase.ts";
import { SECOND_MS } from "../measures.ts";
import { BUSY, hasBusyCores, type Limit } from "../rules/limit.ts";
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

/**
 * So many drain targets overlap while the disk has time left: one large image at a time would leave it idle while that
 * is downloaded and unpacked (docs/real-node.md). Images that come after an init container are told of for as many, so
 * that a crowd of such pods goes half as fast as the disk could take them (docs/adr/0010, measured: with 1, more are
 * fetched at once when the wait is over; with more, a pod for which others wait is kept out with them for longer).
 */
const OVERLAP = 2;

/** What a node carries now. */
export interface NodeLoad {
  readonly entry: NodeEntry;
  readonly facts: NodeFacts;
  readonly nodeClass: NodeClass;
  readonly limit: Limit;
  /** The last sample, if it is fresh. */
  readonly sample: NodeSample | undefined;
  /** Bound, not started, and in need of the node: they use slots. */
  readonly inStartup: readonly PodFacts[];
  /** Bound and not started, but they need nothing of the node now (start-phase.ts). */
  readonly waiting: number;
  readonly stuck: number;
  /** Unbound pods whose reservation counts. */
  readonly reserved: readonly PodFacts[];
  /** Unbound pods that this replica has offered the node, without those that are reserved. */
  readonly offered: readonly PodFacts[];
  /** Slots that all of these use. */
  readonly slotsInUse: number;
  /** Image pulls that these pods may still begin. */
  readonly pulls: number;
  /** Pulls of pods that have started lately. */
  readonly donePulls: readonly DonePulls[];
  /** Images that those pods fetch now: each counts once. */
  readonly fetching: ReadonlySet<ImageName>;
  /** Bytes of `fetching`, as kubelets list sizes. */
  readonly bytesInFlight: number;
  /** Images that come after init containers that have not run for long, beside `fetching`. Nothing fetches them yet. */
  readonly later: ReadonlySet<ImageName>;
  /** Bytes of `later`. */
  readonly laterBytes: number;
  /** Until a start is given up or a reservation ends, epoch ms: the load changes then though nothing happens. */
  readonly untilMs: number;
}

/** What a pod would add to a node. */
export interface Cost {
  /** Images that are neither there nor on their way. */
  readonly newImages: readonly ImageName[];
  /** Their bytes. */
  readonly newBytes: number;
  /** Of them, those that come after an init container of its own, and of no other pod there. */
  readonly newLaterBytes: number;
  /** Calls on the kubelet's pull budget. */
  readonly pulls: number;
}

/** What a node's load is made from besides its entry in the ledger. */
export interface LoadInputs extends Pick<NodeLoad, "nodeClass" | "limit" | "sample" | "donePulls"> {
  readonly offers: readonly PodFacts[];
  readonly deadlines: Deadlines;
  /** When a pod counts as started. */
  readonly until: StartedWhen;
  readonly catalogue: ImageCatalogue;
}

/** Sums up a node. */
export function nodeLoad(entry: NodeEntry, facts: NodeFacts, given: LoadInputs, nowMs: number): NodeLoad {
  const { deadlines, catalogue, nodeClass, limit, sample, donePulls } = given;
  const starting = [...entry.starting.values()].filter((pod) => !pod.terminal);
  const notStuck = starting.filter((pod) => !isStuck(pod, deadlines, nowMs));
  const { working, running, initialising, untilMs: phaseUntilMs } = phases(notStuck, entry, facts, given, nowMs);
  const inStartup = [...working, ...running];
  const reserved = [...entry.reserved.values()].filter(
    (pod) => reservationCounts(pod, deadlines, nowMs) && mayBeGiven(pod, facts),
  );
  const known = new Set<PodUID>(reserved.map((pod) => pod.uid));
  const offered = given.offers.filter((pod) => !known.has(pod.uid));
  const fetches = fetchedBy([working, reserved, offered], { entry, facts }, catalogue);
  const later = laterImages(initialising, { entry, facts }, catalogue, fetches.fetching);
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
    waiting: notStuck.length - inStartup.length,
    stuck: starting.length - notStuck.length,
    slotsInUse: inStartup.length + reserved.length + offered.length,
    bytesInFlight: bytesOf(fetches.fetching, catalogue),
    later,
    laterBytes: bytesOf(later, catalogue),
    untilMs: Math.min(nextChangeMs(notStuck, reserved, deadlines), nextReservationMs(entry, nowMs), phaseUntilMs),
  };
}

/** Figures that are missing are unknown, never free. */
export function coresOf(sample: NodeSample | undefined): "busy" | "free" | "unknown" {
  const isKnown = sample?.cpuPressure !== undefined || (sample?.load1 !== undefined && sample.cores !== undefined);
  if (!isKnown) return "unknown";
  return hasBusyCores(sample) ? "busy" : "free";
}

/** Which of the pods need the disk, which the cores only, and which will need the disk; the others wait. */
function phases(
  starting: readonly PodFacts[],
  entry: NodeEntry,
  facts: NodeFacts,
  { catalogue, until, nodeClass, limit, sample }: LoadInputs,
  nowMs: number,
) {
  const cores = coresOf(sample);
  const around: Surroundings = {
    isBusy: cores === "busy" || (sample?.utilisation ?? 0) >= BUSY,
    cores: until === "Ready" || cores === "busy" ? "needed" : cores,
    writeMs: (image) =>
      isThere(image, { entry, facts }) ? 0 : SECOND_MS * writeSeconds({ limit, nodeClass }, catalogue.bytes(image)),
    toldOfMs: SECOND_MS * OVERLAP * steadyDrainTargetSeconds({ sample, facts, limit, nodeClass }),
  };
  const working: PodFacts[] = [];
  const running: PodFacts[] = [];
  const initialising: PodFacts[] = [];
  let untilMs = Infinity;
  for (const pod of starting) {
    const now = startPhase(pod, around, nowMs);
    untilMs = Math.min(untilMs, now.untilMs);
    if (now.phase === "working") working.push(pod);
    else if (now.phase === "running") running.push(pod);
    else if (now.phase === "initialising") initialising.push(pod);
  }
  return { working, running, initialising, untilMs };
}

function nextChangeMs(inStartup: readonly PodFacts[], reserved: readonly PodFacts[], deadlines: Deadlines): number {
  let nextMs = Infinity;
  for (const pod of inStartup) nextMs = Math.min(nextMs, givenUpMs(pod, deadlines));
  for (const pod of reserved) nextMs = Math.min(nextMs, reservationEndsMs(pod, deadlines) ?? Infinity);
  return nextMs;
}

/** When the first reservation of the node that is dated too far ahead to count begins to count, epoch ms. */
function nextReservationMs({ reserved }: NodeEntry, nowMs: number): number {
  let nextMs = Infinity;
  for (const { reservation } of reserved.values()) {
    const fromMs = countsFromMs(reservation);
    if (fromMs > nowMs) nextMs = Math.min(nextMs, fromMs);
  }
  return nextMs;
}

/**
 * How far ahead the clock of the leader that reserved a slot may be, ms. Assumed: clocks that are kept differ by less.
 * What is further ahead is a tenant's.
 */
const CLOCK_SKEW_MS = 10 * SECOND_MS;

/** A reservation that says it was made later than clocks explain does not count yet. */
const countsFromMs = (reservation: PodFacts["reservation"]) => (reservation?.atMs ?? Infinity) - CLOCK_SKEW_MS;

/** When the pod will have been in startup for too long, epoch ms. */
const givenUpMs = (pod: PodFacts, { deadlineMs }: Deadlines) => (pod.scheduledAtMs ?? pod.createdAtMs) + deadlineMs;

/** True for a pod that waits for something that pacing cannot help, or for too long. It gives its slot back. */
export function isStuck(pod: PodFacts, deadlines: Deadlines, nowMs: number): boolean {
  return pod.waitingOn !== undefined || nowMs >= givenUpMs(pod, deadlines);
}

/**
 * When the pod's reservation ends, epoch ms; undefined where it has none. Where only the scheduler can tell whether the
 * pod fits, its refusal ends the reservation early, so that no slot waits for a pod that cannot be placed. So does that
 * of a pod that it had not seen before: were it a race (the scheduler had not seen the node as we do), it would bind
 * the pod after its first back-off. For others the back-off may be as long as it gets.
 */
export function reservationEndsMs(pod: PodFacts, deadlines: Deadlines): number | undefined {
  const { reservation, refused, shape, release } = pod;
  if (!reservation) return undefined;
  const endsEarly = refused && (shape.interPodRules || release?.ungated === true);
  return reservation.atMs + (endsEarly ? Math.min(REFUSED_MS, deadlines.reservationMs) : deadlines.reservationMs);
}

/**
 * Does the pod's reservation use a slot? One that says it was made later than clocks explain does not: a tenant that
 * writes the annotation must not keep a slot for as long as it likes.
 */
export function reservationCounts(pod: PodFacts, deadlines: Deadlines, nowMs: number): boolean {
  if (nowMs < countsFromMs(pod.reservation)) return false;
  return nowMs < (reservationEndsMs(pod, deadlines) ?? -Infinity);
}

/** What `pod` would add to the node now. */
export function costOf(pod: PodFacts, load: NodeLoad, catalogue: ImageCatalogue): Cost {
  const { missing, pulls } = imageNeeds(pod, load, catalogue);
  const newImages = missing.filter((image) => !load.fetching.has(image));
  const later = newImages.filter((image) => pod.shape.laterImages?.includes(image) && !load.later.has(image));
  return { newImages, newBytes: bytesOf(newImages, catalogue), newLaterBytes: bytesOf(later, catalogue), pulls };
}

/** What the images in flight make the disk write, bytes: blobs and unpacked layers. */
export const writesInFlight = ({ bytesInFlight, nodeClass }: Pick<NodeLoad, "bytesInFlight" | "nodeClass">) =>
  bytesInFlight * nodeClass.unpackRatio;

/** Seconds that the disk needs for images of so many bytes, as kubelets list them. */
export const writeSeconds = ({ limit, nodeClass }: Pick<NodeLoad, "limit" | "nodeClass">, imageBytes: number) =>
  (imageBytes * nodeClass.unpackRatio) / limit.bytesPerSecond;

/**
 * Seconds until the disk has written all that it owes: images on their way, less what it has written of them, or the
 * dirty page cache where that is more. They are not added up: the dirty pages are those of the images, most of all.
 */
export function drainSeconds(load: NodeLoad): number {
  const { sample, limit } = load;
  const inFlight = Math.max(0, writesInFlight(load) - limit.progressBytes);
  const dirty = (sample?.dirtyBytes ?? 0) + (sample?.writebackBytes ?? 0);
  return Math.max(inFlight, dirty) / limit.bytesPerSecond;
}

/**
 * Share of the memory that may be owed to the disk: from there on Linux writes dirty pages back, and at twice as much
 * it makes all writers wait. Source: vm.dirty_background_ratio and vm.dirty_ratio.
 */
const DIRTY_SHARE = 0.1;

/**
 * The most that the disk may owe, in seconds of its time: drainSeconds of the class, or what the page cache takes. It
 * is {@link OVERLAP} times as much while the disk has time left.
 */
export function drainTargetSeconds(load: NodeLoad): number {
  const { sample, limit } = load;
  const seconds = steadyDrainTargetSeconds(load);
  return sample?.utilisation !== undefined && limit.utilisation < BUSY ? OVERLAP * seconds : seconds;
}

/** The same, whatever time the disk has left now. */
export function steadyDrainTargetSeconds({
  sample,
  facts,
  limit,
  nodeClass,
}: Pick<NodeLoad, "sample" | "facts" | "limit" | "nodeClass">): number {
  const memoryBytes = sample?.memoryBytes ?? facts.allocatable["memory"] ?? Infinity;
  return Math.min(nodeClass.drainSeconds, (DIRTY_SHARE * memoryBytes) / limit.bytesPerSecond);
}

export const sum = (amounts: readonly number[]) => amounts.reduce((total, amount) => total + amount, 0);
