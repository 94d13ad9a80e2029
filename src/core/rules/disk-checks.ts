/**
 * The checks that protect a node's disk: how many pods may fetch images at a time, and how much may be left to write.
 */
import {
  coresOf,
  debtOf,
  drainSeconds as secondsToDrain,
  leftSeconds,
  type NodeLoad,
  writeSeconds,
} from "../state/load.ts";
import type { Hold } from "../verdict.ts";
import { holdBack, type StartInput } from "./check.ts";
import { BUSY_UTILISATION, fetcherLimit, hasTimeLeft } from "./limit.ts";

/**
 * Seconds until a pull makes the disk write. A disk that runs dry sooner takes one more pull. Chosen by
 * simulation.
 */
export const REFILL_SECONDS = 2;
/** Share of time with tasks waiting for a core above which one more pull would not keep the disk busy. Assumed. */
const CONTENDED_CPU_PRESSURE = 0.5;
/**
 * The write rate that {@link secondsUntilDry} reckons with is at least this share of what the disk can write. Assumed.
 */
const SLOWEST_SHARE = 0.1;
/**
 * An image is oversized if it is this many times as large as all that are on their way: their flushes would wait for
 * its bytes. If the disk is at least this busy, the image waits until the disk runs dry within this time, s. Chosen by
 * simulation (docs/adr/0003).
 */
const OVERSIZED_FACTOR = 4;
const OVERSIZED_UTILISATION = 0.5;
const OVERSIZED_REFILL_SECONDS = 0.5;
/**
 * Share of drainSeconds that may be in flight while at least this many pods keep the disk busy. With more, all of them
 * would end later. Chosen by simulation (docs/adr/0003).
 */
const BUSY_DRAIN_SHARE = 0.4;
const BUSY_FETCHERS = 3;
/** A pod that alone exceeds the target goes once the others owe less than this share of it. Chosen by simulation. */
const NEARLY_DRAINED_SHARE = 0.3;

/** Pods that may fetch images on the node at a time. */
export const fetcherLimitOf = (load: NodeLoad) => fetcherLimit(load.limit, coresOf(load));

/** As many pods fetch images as keep the disk busy, and it does not run dry soon. */
export function pullConcurrencyLimit({ load, cost: { newBytes } }: StartInput): Hold | undefined {
  if (newBytes === 0) return undefined;
  const oversized = isOversized(load, newBytes);
  const most = oversized ? 1 : fetcherLimitOf(load);
  if (load.fetchers < most) return undefined;
  const refillSeconds = oversized ? OVERSIZED_REFILL_SECONDS : REFILL_SECONDS;
  const runsDry = secondsUntilDry(load) <= refillSeconds;
  if (runsDry && (load.sample?.cpuPressure ?? 0) < CONTENDED_CPU_PRESSURE) return undefined;
  const { fetchers, facts } = load;
  const enough = oversized ? "whose flushes would wait for this one's" : "enough for its disk";
  return holdBack(load, "PullConcurrencyLimit", `${fetchers} pods fetch images to node ${facts.name}, ${enough}`);
}

/**
 * True if the image alone exceeds the target and is many times as large as all that are on their way to a busy disk.
 */
const isOversized = (load: NodeLoad, newBytes: number) =>
  writeSeconds(load, newBytes) > load.nodeClass.drainSeconds &&
  newBytes >= OVERSIZED_FACTOR * load.bytesInFlight &&
  load.limit.utilisation >= OVERSIZED_UTILISATION;

/**
 * Seconds until the disk has nothing left to write, at the rate at which it writes now: where a registry or the cores
 * are slower than the disk, more pulls write no faster.
 */
export function secondsUntilDry(load: NodeLoad): number {
  const { bytesPerSecond, writeBytesPerSecond, fetchedBytes } = load.limit;
  if (!load.sample || fetchedBytes === 0) return leftSeconds(load); // no pull has shown yet how fast they write
  const rate = Math.max(writeBytesPerSecond, SLOWEST_SHARE * bytesPerSecond);
  return leftSeconds(load) * (bytesPerSecond / rate);
}

/** The disk would have more left to write than it may owe. */
export function diskBacklog({ load, cost: { newBytes } }: StartInput): Hold | undefined {
  if (newBytes === 0) return undefined;
  const { own } = debtOf(load, newBytes);
  const most = load.nodeClass.drainSeconds;
  const drains = [{ seconds: drainWith(load, newBytes), most }];
  if (isBusy(load)) drains.push({ seconds: leftSeconds(load) + own, most: most * BUSY_DRAIN_SHARE });
  const over = drains.find((drain) => drain.seconds > drain.most);
  if (!over || (own > most && secondsToDrain(load) <= most * NEARLY_DRAINED_SHARE)) return undefined;
  const figures = `${Math.ceil(over.seconds)} s with this pod's images, ${over.most.toFixed(0)} s is the most`;
  return holdBack(load, "DiskBacklog", `the disk of node ${load.facts.name} would need ${figures}`);
}

/**
 * Seconds that are compared with the target: all that would be owed. A disk with time left may owe up to twice as much.
 * Its dirty pages stay below a threshold of the kernel's own and waiting makes them no fewer, and one large image at a
 * time leaves the disk idle while it is downloaded and unpacked (docs/real-node.md).
 */
function drainWith(load: NodeLoad, newBytes: number): number {
  const { inFlight, cached, own } = debtOf(load, newBytes);
  return hasTimeLeft(load.sample) ? Math.max(inFlight, own, (cached + own) / 2) : inFlight + cached + own;
}

/** Several pulls keep the disk busy. */
const isBusy = ({ sample, fetchers }: NodeLoad) =>
  (sample?.utilisation ?? 0) >= BUSY_UTILISATION && fetchers >= BUSY_FETCHERS;
