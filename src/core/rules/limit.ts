/**
 * How many pods may be in startup on a node at a time.
 *
 * It starts from the node's cores and moves with what the node shows: slow start until disk or cores are busy, then one
 * more at a time, no more while they are busy, half when starts fail. What the disk has left to write, which makes
 * starts fail, is limited apart from it, in seconds (start-checks.ts, DiskBacklog).
 */
import type { NodeClass } from "../../policy/schema.ts";
import type { NodeFacts, NodeSample } from "../facts.ts";
import { MIB, MILLICORES, SECOND_MS } from "../measures.ts";

/**
 * Starts for each core of a node of which nothing is known yet: half of a start is waiting, for the registry and for
 * the disk. Chosen on shared/cases/herds (docs/adr/0008). Load per core that means busy cores where there is no PSI.
 */
const STARTS_PER_CORE = 2;
/**
 * Above this share of time, disk (busy) or cores (PSI "some") gain nothing from more starts at a time. A rule of thumb:
 * in an open queue what comes waits for five times its own service by then.
 */
export const BUSY = 0.8;
/**
 * After a cut the limit rests for this long, so that one overload is not punished sample by sample. A hot disk stays
 * hot for this long after its last hot sample, or while that is fresh where that is longer. Assumed, ms.
 */
const CALM_MS = 10_000;
/** Throughput of a disk of which nothing is known yet, bytes/s: the baseline of AWS gp3 volumes. */
const GP3_BYTES_PER_SECOND = 125 * MIB;
/** Weight of a new sample against what was learnt before: about the last five count. Assumed. */
const GAIN = 0.2;
/**
 * Below this share of time disk and cores are idle, and below this share of its target a disk is nearly drained:
 * neither is ever quite zero. Assumed; 0 to 0.3 give the same figures on shared/cases/herds (docs/adr/0008).
 */
export const NEXT_TO_NOTHING = 0.2;
/** Sandbox, create and start of a pod that did not queue, ms. Assumed. */
const QUICK_START_MS = 2_000;

/** What one replica has learnt of one node. Rebuilt when it is lost. */
export interface Limit {
  readonly slots: number;
  /** Why `slots` last moved, in words. */
  readonly move: string;
  readonly cutAtMs: number;
  readonly hotUntilMs: number;
  /** What the disk writes while it is busy, bytes/s. */
  readonly bytesPerSecond: number;
  /** Share of busy time, smoothed over the last samples. */
  readonly utilisation: number;
  /** Whether every slot was in use at some time since the last move. */
  readonly used: boolean;
  /** Pods that have started since the limit last moved: what the last move did can be seen. */
  readonly starts: number;
  /** Disk or cores have been busy: slow start is over. */
  readonly kneeSeen: boolean;
  /** Of what the images in flight make the disk write, what it has written already, bytes. */
  readonly progressBytes: number;
  readonly sampledAtMs: number;
  /** All slots were in use at the last sample, while disk and cores were idle. */
  readonly wasIdle: boolean;
}

/** A node of which nothing is known yet but its size. */
export function initialLimit(nodeClass: NodeClass, { allocatable }: Pick<NodeFacts, "allocatable">): Limit {
  const { initial, min, max } = nodeClass.slots;
  const byCores = Math.round((STARTS_PER_CORE * (allocatable["cpu"] ?? 0)) / MILLICORES);
  const slots = initial ?? Math.min(max, Math.max(min, byCores));
  const why = initial === undefined ? "two for each core" : `the initial of class ${nodeClass.name}`;
  return {
    slots,
    move: `starts at ${slots}: ${why}`,
    cutAtMs: -Infinity,
    hotUntilMs: -Infinity,
    bytesPerSecond: nodeClass.diskMiBPerSecond ? nodeClass.diskMiBPerSecond * MIB : GP3_BYTES_PER_SECOND,
    utilisation: 0,
    used: false,
    starts: 0,
    kneeSeen: false,
    progressBytes: 0,
    sampledAtMs: Infinity,
    wasIdle: false,
  };
}

/** Keeps a limit within its class when the class changes. */
export function boundLimit(limit: Limit, { slots: { min, max } }: NodeClass): Limit {
  const slots = Math.min(max, Math.max(min, limit.slots));
  return slots === limit.slots ? limit : { ...limit, slots, move: `bounded to ${slots} by its class` };
}

/** All slots were in use: the limit may grow. */
export function markUsed(limit: Limit): Limit {
  return limit.used ? limit : { ...limit, used: true };
}

/**
 * Takes in one sample: learns the disk's throughput, whether it is hot, how far the images in flight have come, and
 * grows the limit where there is something left to give.
 * @param writesInFlight what the images in flight make the disk write, bytes
 * @param freshForMs how long a sample of this source counts as fresh
 * @param isFull all slots are in use
 */
export function afterSample(
  limit: Limit,
  nodeClass: NodeClass,
  sample: NodeSample,
  writesInFlight: number,
  freshForMs = 0,
  isFull = false,
): Limit {
  const { atMs, utilisation, writeBytesPerSecond: rate = 0 } = sample;
  const hot = (sample.awaitMs ?? 0) > nodeClass.awaitMs.hot;
  const intervalMs = Math.min(freshForMs, Math.max(0, atMs - limit.sampledAtMs));
  const learnt: Limit = {
    ...limit,
    hotUntilMs: hot ? atMs + Math.max(CALM_MS, freshForMs) : limit.hotUntilMs,
    bytesPerSecond: learntThroughput(limit.bytesPerSecond, sample),
    utilisation: limit.utilisation + GAIN * ((utilisation ?? limit.utilisation) - limit.utilisation),
    kneeSeen: limit.kneeSeen || (utilisation ?? 0) >= BUSY || hasBusyCores(sample),
    progressBytes: Math.min(limit.progressBytes + (rate * intervalMs) / SECOND_MS, writesInFlight),
    sampledAtMs: atMs,
    wasIdle: isFull && isIdle(sample),
  };
  return utilisation === undefined ? learnt : weighed(learnt, nodeClass, sample, limit.wasIdle && learnt.wasIdle);
}

/** Neither disk nor cores have anything to do. A figure that is missing is unknown, never idle. */
function isIdle({ utilisation = 1, cpuPressure, load1 = Infinity, cores = -1 }: NodeSample): boolean {
  return utilisation < NEXT_TO_NOTHING && (cpuPressure ?? (load1 <= cores ? 0 : 1)) < NEXT_TO_NOTHING;
}

/** Tasks wait for a core practically all the time. Unknown cores are not busy. */
export function hasBusyCores({ cpuPressure, load1 = 0, cores = Infinity }: Partial<NodeSample> = {}): boolean {
  return cpuPressure === undefined ? load1 / cores >= STARTS_PER_CORE : cpuPressure >= BUSY;
}

/**
 * What the disk can write: what it wrote ÷ the share of time it was busy (the utilisation law). For a disk that serves
 * many requests at once this is too low while it is little used, so that such samples weigh little, and it never falls
 * below what was seen.
 */
function learntThroughput(before: number, { utilisation = 0, writeBytesPerSecond = 0 }: NodeSample): number {
  const busy = Math.min(1, utilisation);
  // GAIN × busy of the way to writeBytesPerSecond ÷ busy, without dividing by what may be next to nothing
  return Math.max(before + GAIN * (writeBytesPerSecond - busy * before), writeBytesPerSecond);
}

/**
 * More slots if every slot was in use, and disk and cores have something left to give. A pod must have started since
 * the last growth, because its effect does not show before.
 */
function weighed(limit: Limit, nodeClass: NodeClass, sample: NodeSample, isIdleForTwo: boolean): Limit {
  if (!mayGrow(limit, nodeClass, sample.atMs)) return limit;
  const unchanged = (why: string) => ({ ...limit, used: false, starts: 0, move: `held at ${limit.slots}: ${why}` });
  if (limit.utilisation >= BUSY) return unchanged(`the disk is ${percent(limit.utilisation)} busy`);
  if (hasBusyCores(sample)) return unchanged("the cores are busy");
  if (limit.starts === 0) return isIdleForTwo ? idleGrown(limit, nodeClass) : limit;
  const step = limit.kneeSeen ? 1 : limit.starts;
  return grown(limit, nodeClass, step, `all were used, the disk ${percent(limit.utilisation)} busy`);
}

/** Two samples in a row what holds the slots does no work here. Others should not wait for it. */
function idleGrown(limit: Limit, nodeClass: NodeClass): Limit {
  return { ...grown(limit, nodeClass, limit.slots, "all were used, disk and cores idle"), wasIdle: false };
}

const mayGrow = (limit: Limit, { slots }: NodeClass, nowMs: number) =>
  limit.used && limit.slots < slots.max && nowMs >= limit.cutAtMs + CALM_MS;

function grown(limit: Limit, nodeClass: NodeClass, step: number, why: string): Limit {
  const slots = Math.min(nodeClass.slots.max, limit.slots + Math.min(step, limit.slots));
  return { ...limit, slots, used: false, starts: 0, move: `grew to ${slots}: ${why}` };
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
  if (watched || !mayGrow(limit, nodeClass, nowMs)) return counted;
  const aloneMs = ((fetchedBytes * nodeClass.unpackRatio) / limit.bytesPerSecond) * SECOND_MS;
  if (tookMs > QUICK_START_MS + aloneMs) return counted;
  return grown(counted, nodeClass, 1, `all were used, a pod started within ${(tookMs / SECOND_MS).toFixed(1)} s`);
}

/** A start failed as overload makes it fail: half the slots. */
export function afterFailure(limit: Limit, nodeClass: NodeClass, what: string, nowMs: number): Limit {
  if (nowMs < limit.cutAtMs + CALM_MS) return limit;
  const slots = Math.max(nodeClass.slots.min, Math.floor(limit.slots / 2));
  return { ...limit, slots, used: false, starts: 0, kneeSeen: true, cutAtMs: nowMs, move: `cut to ${slots}: ${what}` };
}

const percent = (share: number) => `${Math.round(share * 100)} %`;
