/**
 * How many pods may be in startup on a node at a time, and how many of them may fetch images.
 *
 * The first moves with what the node shows: slow start until disk or cores are busy, then one more at a time, no more
 * while they are busy, down to one per core where only the cores are busy, half when starts fail. The second is what
 * keeps the disk busy and no more (bandwidth × time in flight, as BBR has it). What the disk has left to write, which
 * makes starts fail, is limited apart from both, in bytes (disk-checks.ts, DiskBacklog).
 */
import type { NodeClass } from "../../policy/schema.ts";
import type { NodeSample } from "../facts.ts";
import { MIB, SECOND_MS } from "../measures.ts";

/** Above this share of busy time the disk gains nothing from more parallel starts. Assumed; iostat's rule of thumb. */
export const BUSY_UTILISATION = 0.9;
/**
 * Share of time with some task waiting for a core (PSI "some") above which more starts only slow each other. Assumed:
 * at 0.9 practically no moment passes without a queue.
 */
export const BUSY_CPU_PRESSURE = 0.9;
/** True if a fresh sample shows the disk below 90 % busy. Without a sample, assume that it is busy. */
export const hasTimeLeft = (sample: NodeSample | undefined): boolean => (sample?.utilisation ?? 1) < BUSY_UTILISATION;

/** Throughput is learnt only from intervals in which the disk was at least this busy: less is noise. Assumed. */
const LEARNING_UTILISATION = 0.1;
/** After a cut the limit rests for this long, so that one overload is not punished sample by sample. Assumed, in ms. */
const REST_AFTER_CUT_MS = 10_000;
/**
 * A disk that was hot stays hot for this long after its last hot sample, or for as long as that sample is fresh where
 * that is longer (Prometheus scrapes every 15 s or so): no flapping between samples. Assumed, in ms.
 */
const HOT_FOR_MS = 10_000;
/** Throughput of a disk of which nothing is known yet, bytes/s: the baseline of AWS gp3 volumes. */
const GP3_BYTES_PER_SECOND = 125 * MIB;
/** Weight of a new throughput reading against what was learnt before, times the share of busy time. Assumed. */
const THROUGHPUT_GAIN = 0.2;
/**
 * Weight of a new sample in the smoothed figures that the limit moves by: about the last four. Chosen by simulation.
 */
const SMOOTHING = 0.4;
/** A gap between samples counts as this at most: Prometheus' intervals are shorter. Assumed, ms. */
const LONGEST_INTERVAL_MS = 60_000;
/**
 * A disk takes one pull for each of these to be busy, bytes/s: layers unpack one after another on one core, with a
 * flush after each. Chosen by simulation (docs/adr/0003): four pulls on gp3.
 */
const BYTES_PER_SECOND_OF_A_PULL = 40 * MIB;
/** At least this many pods may fetch: one downloads while another unpacks and a third one flushes. */
const FEWEST_FETCHERS = 3;
/** …and this share of the slots, so that a limit that has grown lets more fetch as well. Chosen by simulation. */
const FETCHER_SHARE = 1 / 3;
/** The unpack ratio is learnt once so many images of the size of the last one have come. Chosen by simulation. */
const IMAGES_TO_LEARN_FROM = 3;
/** Whatever layers are shared, what is fetched is written. */
const LEAST_UNPACK_RATIO = 1;
/**
 * A pod that takes no longer than this besides what its bytes need did not queue. Assumed: sandbox, create and start,
 * ms.
 */
const QUICK_START_MS = 2_000;

/** What one replica has learnt of one node. Rebuilt from the class's figures when it is lost. */
export interface Limit {
  readonly slots: number;
  /** Why `slots` last moved, in words. */
  readonly move: string;
  readonly cutAtMs: number;
  readonly hotUntilMs: number;
  /** What the disk writes while it is busy, bytes/s. */
  readonly bytesPerSecond: number;
  /** Write rate (smoothed, bytes/s) at which the limit last grew: growing must not have made it less. */
  readonly grewAtBytesPerSecond: number;
  /** Whether every slot was in use at some time since the last move. */
  readonly used: boolean;
  /** Pods that have started since the limit last moved: what the last move did can be seen. */
  readonly starts: number;
  /** Disk or cores have been busy: slow start is over. */
  readonly kneeSeen: boolean;
  /** Share of busy time and bytes/s, smoothed over the last samples. */
  readonly utilisation: number;
  readonly writeBytesPerSecond: number;
  /** Of what the images in flight make the disk write, what it has written already, bytes. */
  readonly progressBytes: number;
  readonly sampledAtMs: number;
  /** Bytes that reach the disk for each byte of an image as kubelets list it: the class's figure, or less, learnt. */
  readonly unpackRatio: number;
  /** What that is learnt from, bytes: written while images were fetched, dirty still, and of images that have come. */
  readonly wroteBytes: number;
  readonly dirtyBytes: number;
  readonly fetchedBytes: number;
}

/** A node of which nothing is known yet. */
export function initialLimit(nodeClass: NodeClass): Limit {
  return {
    slots: nodeClass.slots.initial,
    move: `starts at the initial ${nodeClass.slots.initial} of class ${nodeClass.name}`,
    cutAtMs: -Infinity,
    hotUntilMs: -Infinity,
    bytesPerSecond: nodeClass.diskMiBPerSecond ? nodeClass.diskMiBPerSecond * MIB : GP3_BYTES_PER_SECOND,
    grewAtBytesPerSecond: 0,
    used: false,
    starts: 0,
    kneeSeen: false,
    utilisation: 0,
    writeBytesPerSecond: 0,
    progressBytes: 0,
    sampledAtMs: Infinity,
    unpackRatio: nodeClass.unpackRatio,
    wroteBytes: 0,
    dirtyBytes: 0,
    fetchedBytes: 0,
  };
}

/** Keeps a limit within its class when the class changes. */
export function boundLimit(limit: Limit, { slots: { min, max }, unpackRatio }: NodeClass): Limit {
  const slots = Math.min(max, Math.max(min, limit.slots));
  const move = slots === limit.slots ? limit.move : `bounded to ${slots} by its class`;
  return { ...limit, slots, move, unpackRatio };
}

/** All slots were in use: the limit may grow. */
export function markUsed(limit: Limit): Limit {
  return limit.used ? limit : { ...limit, used: true };
}

/**
 * How many of the slots may be pods that fetch images: what the disk takes to be busy, though no more than one for each
 * core and one besides, because unpacking an image is work for one core.
 */
export function fetcherLimit({ slots, bytesPerSecond }: Limit, cores: number): number {
  const forDisk = Math.min(Math.ceil(bytesPerSecond / BYTES_PER_SECOND_OF_A_PULL), Math.ceil(cores) + 1);
  return Math.min(slots, Math.max(FEWEST_FETCHERS, Math.ceil(slots * FETCHER_SHARE), forDisk));
}

/**
 * Takes in one sample: learns the disk's throughput, whether it is hot, how far the images in flight have come, and
 * grows the limit where there is something left to give.
 * @param writesInFlight what the images in flight make the disk write, bytes.
 * @param freshForMs how long a sample of this source counts as fresh.
 */
export function afterSample(
  limit: Limit,
  nodeClass: NodeClass,
  sample: NodeSample,
  writesInFlight: number,
  freshForMs = 0,
): Limit {
  const { atMs, utilisation, writeBytesPerSecond: rate, cpuPressure = 0 } = sample;
  const hot = (sample.awaitMs ?? 0) > nodeClass.awaitMs.hot;
  const intervalMs = Math.min(LONGEST_INTERVAL_MS, Math.max(0, atMs - limit.sampledAtMs));
  const wrote = ((rate ?? 0) * intervalMs) / SECOND_MS;
  const busy = (utilisation ?? 0) >= BUSY_UTILISATION || cpuPressure >= BUSY_CPU_PRESSURE;
  const learnt: Limit = {
    ...limit,
    hotUntilMs: hot ? atMs + Math.max(HOT_FOR_MS, freshForMs) : limit.hotUntilMs,
    bytesPerSecond: learntThroughput(limit.bytesPerSecond, sample),
    kneeSeen: limit.kneeSeen || busy,
    utilisation: smoothed(limit.utilisation, utilisation),
    writeBytesPerSecond: smoothed(limit.writeBytesPerSecond, rate),
    progressBytes: Math.min(limit.progressBytes + wrote, writesInFlight),
    sampledAtMs: atMs,
    wroteBytes: limit.wroteBytes + (writesInFlight > 0 ? wrote : 0),
    dirtyBytes: (sample.dirtyBytes ?? 0) + (sample.writebackBytes ?? 0),
  };
  if (utilisation === undefined) return learnt;
  const fetching = writesInFlight > 0;
  return fetching || !exceedsCores(learnt, nodeClass, sample) ? weighed(learnt, nodeClass, sample) : lowered(learnt);
}

const smoothed = (before: number, now: number | undefined) =>
  now === undefined ? before : before + SMOOTHING * (now - before);

/**
 * What the disk can write: what it wrote ÷ the share of time it was busy (the utilisation law). For a disk that serves
 * many requests at once this is too low while it is little used, never too high; and it never falls below what was
 * seen.
 */
function learntThroughput(before: number, { utilisation, writeBytesPerSecond }: NodeSample): number {
  if (utilisation === undefined || writeBytesPerSecond === undefined || utilisation < LEARNING_UTILISATION)
    return before;
  const capacity = writeBytesPerSecond / Math.min(1, utilisation);
  return Math.max(before + THROUGHPUT_GAIN * utilisation * (capacity - before), writeBytesPerSecond);
}

/**
 * More slots if every slot was in use, disk and cores have something left to give, and the last growth did not make the
 * disk write less (else something else is the bottleneck). A pod must have started since the last growth, because its
 * effect does not show before.
 */
function weighed(limit: Limit, nodeClass: NodeClass, { atMs, cpuPressure = 0 }: NodeSample): Limit {
  if (!mayGrow(limit, nodeClass, atMs)) return limit;
  const unchanged = (why: string) => ({ ...limit, used: false, starts: 0, move: `held at ${limit.slots}: ${why}` });
  if (limit.utilisation >= BUSY_UTILISATION) return unchanged(`the disk is ${percent(limit.utilisation)} busy`);
  if (cpuPressure >= BUSY_CPU_PRESSURE) return unchanged("the cores are busy");
  if (limit.writeBytesPerSecond < limit.grewAtBytesPerSecond) return unchanged("more in parallel write no faster");
  if (limit.starts === 0) return limit;
  const step = limit.kneeSeen ? 1 : limit.starts;
  return grown(limit, nodeClass, step, `all were used, the disk ${percent(limit.utilisation)} busy`);
}

/**
 * True where only start-up work keeps the cores busy and every slot is used. Beyond one pod per core, more at a time
 * only make all of them late.
 */
function exceedsCores({ used, slots }: Limit, { slots: { min } }: NodeClass, sample: NodeSample): boolean {
  const { cores = Infinity, cpuPressure = 0 } = sample;
  return used && cpuPressure >= BUSY_CPU_PRESSURE && slots > Math.max(min, Math.ceil(cores));
}

function lowered(limit: Limit): Limit {
  const slots = limit.slots - 1;
  return { ...limit, slots, used: false, starts: 0, kneeSeen: true, move: `lowered to ${slots}: the cores are busy` };
}

const mayGrow = (limit: Limit, { slots }: NodeClass, nowMs: number) =>
  limit.used && limit.slots < slots.max && nowMs >= limit.cutAtMs + REST_AFTER_CUT_MS;

function grown(limit: Limit, nodeClass: NodeClass, step: number, why: string): Limit {
  const slots = Math.min(nodeClass.slots.max, limit.slots + Math.min(step, limit.slots));
  const grewAtBytesPerSecond = limit.writeBytesPerSecond;
  return { ...limit, slots, used: false, starts: 0, grewAtBytesPerSecond, move: `grew to ${slots}: ${why}` };
}

/** A pod that has started, as the limit sees it. */
export interface Start {
  /** Bytes that it brought to the disk, and that are still in flight without it. */
  readonly fetchedBytes: number;
  readonly leftBytes: number;
  /** From its binding, ms; undefined where that is not known. */
  readonly tookMs: number | undefined;
  /** The disk is watched: growing is up to its samples. */
  readonly watched: boolean;
}

/**
 * A pod has started. Where the disk is not watched, a quick start shows that there was no queue (as TCP Vegas has it).
 */
export function afterStart(limit: Limit, nodeClass: NodeClass, start: Start, nowMs: number): Limit {
  const { fetchedBytes, leftBytes, tookMs = Infinity, watched } = start;
  const left = fetchedBytes === 0 ? 1 : leftBytes / (leftBytes + fetchedBytes); // all of them came equally far
  const counted = { ...limit, starts: limit.starts + 1, progressBytes: limit.progressBytes * left };
  const after = watched ? learntRatio(counted, nodeClass, fetchedBytes) : counted;
  if (watched || !mayGrow(limit, nodeClass, nowMs)) return after;
  const aloneMs = ((fetchedBytes * after.unpackRatio) / limit.bytesPerSecond) * SECOND_MS;
  if (tookMs > QUICK_START_MS + aloneMs) return after;
  return grown(after, nodeClass, 1, `all were used, a pod started within ${(tookMs / SECOND_MS).toFixed(1)} s`);
}

/**
 * All that was written or is dirty ÷ what has come: too high by what is still in flight, so that it counts only once
 * several images have come, and never too low. Images that do not compress, or share layers, make the disk write less.
 */
function learntRatio(limit: Limit, nodeClass: NodeClass, newBytes: number): Limit {
  const fetchedBytes = limit.fetchedBytes + newBytes;
  if (newBytes === 0 || fetchedBytes < IMAGES_TO_LEARN_FROM * newBytes) return { ...limit, fetchedBytes };
  const ratio = Math.max(LEAST_UNPACK_RATIO, (limit.wroteBytes + limit.dirtyBytes) / fetchedBytes);
  return { ...limit, fetchedBytes, unpackRatio: Math.min(nodeClass.unpackRatio, ratio) };
}

/** A start failed as overload makes it fail: half the slots. */
export function afterFailure(limit: Limit, nodeClass: NodeClass, what: string, nowMs: number): Limit {
  if (nowMs < limit.cutAtMs + REST_AFTER_CUT_MS) return limit;
  const slots = Math.max(nodeClass.slots.min, Math.floor(limit.slots / 2));
  return { ...limit, slots, used: false, starts: 0, kneeSeen: true, cutAtMs: nowMs, move: `cut to ${slots}: ${what}` };
}

const percent = (share: number) => `${Math.round(share * 100)} %`;
