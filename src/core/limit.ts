/**
 * How many pods may be in startup on a node at a time. A number that moves with what the node shows: it grows while more
 * starts in parallel still find the disk idle, holds once the disk is busy (more would only wait), and halves when starts
 * fail. The debt that kills starts is limited apart from it, in bytes (judge.ts, condition DiskOwes).
 */
import type { NodeClass } from "../policy/schema.ts";
import type { NodeSample } from "./facts.ts";
import { MIB } from "./units.ts";

/** Above this share of busy time the disk gains nothing from more parallel starts. Assumed; iostat's rule of thumb. */
export const BUSY_UTILISATION = 0.9;
/** Throughput is learnt only from intervals in which the disk was at least this busy: less is noise. Assumed. */
const LEARNING_UTILISATION = 0.1;
/** After a cut the limit rests for this long, so that one overload is not punished sample by sample. Assumed, in ms. */
const REST_AFTER_CUT_MS = 10_000;
/**
 * A disk that was hot stays hot for this long after its last hot sample, or for as long as that sample is fresh where
 * that is longer (Prometheus scrapes every 15 s or so): no flapping between samples. Assumed, in ms.
 */
const HOT_FOR_MS = 10_000;
/** gp3's baseline, in bytes/s: what a disk is taken for until something is known (problem.md). */
const GP3_BYTES_PER_SECOND = 125 * MIB;
/** A slot more was worth it when throughput rose by this factor. Chosen by simulation (docs/adr/0003). */
const WORTHWHILE_GAIN = 1.0;
/** Weight of a new throughput reading against what was learnt before, times the share of busy time. Assumed. */
const THROUGHPUT_GAIN = 0.2;

/** What one replica has learnt of one node. Rebuilt from the class's figures when it is lost. */
export interface Limit {
  readonly slots: number;
  /** Why `slots` last moved, in words. */
  readonly move: string;
  readonly cutAtMs: number;
  readonly hotUntilMs: number;
  /** What the disk writes while it is busy, bytes/s. */
  readonly bytesPerSecond: number;
  /** Throughput at which the limit last grew, bytes/s: growing again must have been worth it. */
  readonly grewAtBytesPerSecond: number;
  /** Whether every slot was held at some time since the last move. */
  readonly used: boolean;
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
  };
}

/** Keeps a limit within its class when the class changes. */
export function boundLimit(limit: Limit, { slots: { min, max } }: NodeClass): Limit {
  const slots = Math.min(max, Math.max(min, limit.slots));
  return slots === limit.slots ? limit : { ...limit, slots, move: `bounded to ${slots} by its class` };
}

/** All slots were held: the limit may grow. */
export function markUsed(limit: Limit): Limit {
  return limit.used ? limit : { ...limit, used: true };
}

/**
 * Takes in one sample of the disk: learns its throughput, and whether it is hot.
 * @param freshForMs how long a sample of this source counts as fresh
 */
export function afterSample(limit: Limit, nodeClass: NodeClass, sample: NodeSample, freshForMs = 0): Limit {
  const hot = (sample.awaitMs ?? 0) > nodeClass.awaitMs.hot;
  const hotUntilMs = hot ? sample.atMs + Math.max(HOT_FOR_MS, freshForMs) : limit.hotUntilMs;
  const bytesPerSecond = learntThroughput(limit.bytesPerSecond, sample);
  return { ...limit, hotUntilMs, bytesPerSecond };
}

/**
 * What the disk can write: what it wrote ÷ the share of time it was busy (the utilisation law). For a disk that serves
 * many requests at once this is too low while it is little used, never too high; and it never falls below what was seen.
 */
function learntThroughput(before: number, { utilisation, writeBytesPerSecond }: NodeSample): number {
  if (utilisation === undefined || writeBytesPerSecond === undefined || utilisation < LEARNING_UTILISATION)
    return before;
  const capacity = writeBytesPerSecond / Math.min(1, utilisation);
  return Math.max(before + THROUGHPUT_GAIN * utilisation * (capacity - before), writeBytesPerSecond);
}

/**
 * A pod has started: one slot more if every slot was in use, the disk has something left to give, and the last slot that
 * was added made it write more (else something else is the bottleneck: the registry, the cores).
 */
export function afterStart(limit: Limit, nodeClass: NodeClass, sample: NodeSample | undefined, nowMs: number): Limit {
  const resting = nowMs < limit.cutAtMs + REST_AFTER_CUT_MS;
  if (!limit.used || resting || limit.slots >= nodeClass.slots.max || sample?.utilisation === undefined) return limit;
  const { utilisation, writeBytesPerSecond = 0 } = sample;
  const held = (why: string) => ({ ...limit, used: false, move: `held at ${limit.slots}: ${why}` });
  if (utilisation >= BUSY_UTILISATION) return held(`the disk is ${percent(utilisation)} busy`);
  if (writeBytesPerSecond < limit.grewAtBytesPerSecond * WORTHWHILE_GAIN)
    return held("more in parallel write no faster");
  const slots = limit.slots + 1;
  const move = `grew to ${slots}: all were used, the disk ${percent(utilisation)} busy`;
  return { ...limit, slots, used: false, grewAtBytesPerSecond: writeBytesPerSecond, move };
}

/** A start failed as overload makes it fail: half the slots. */
export function afterFailure(limit: Limit, nodeClass: NodeClass, what: string, nowMs: number): Limit {
  if (nowMs < limit.cutAtMs + REST_AFTER_CUT_MS) return limit;
  const slots = Math.max(nodeClass.slots.min, Math.floor(limit.slots / 2));
  return { ...limit, slots, used: false, cutAtMs: nowMs, move: `cut to ${slots}: ${what}` };
}

const percent = (share: number) => `${Math.round(share * 100)} %`;
