/**
 * Computes a node's figures from two successive snapshots of its counters. Pure. A figure that cannot be computed (no
 * earlier snapshot, a counter that was reset, a missing family) is undefined: unknown, never idle.
 */
import type { NodeSample } from "../facts.ts";
import type { CounterSnapshot, DiskCounters } from "./snapshot.ts";

/** Devices that are never a node's own disk: memory, optical, floppy; loop devices only when the policy names them. */
const NOT_A_DISK = /^(ram|zram|sr|fd|loop)\d+$/;
/**
 * Stacked devices (LVM, LUKS, RAID) repeat the I/O of the disks below. They count if they hold the images, or are
 * named.
 */
const STACKED = /^(dm-|md)\d+$/;

/** Figures of one device over the time between two snapshots. */
export interface DiskFigures {
  readonly device: string;
  /** Completed reads and writes a second. */
  readonly iops: number;
  readonly awaitMs: number | undefined;
  readonly utilisation: number;
  readonly writeBytesPerSecond: number;
  readonly readBytesPerSecond: number;
}

/** Mean rates of a device, per second. */
export interface DiskRates {
  /** Completed I/Os. */
  readonly ios: number;
  /** Sum of the seconds that they took. */
  readonly waitedSeconds: number;
  /** Share of time that the device was busy. */
  readonly busy: number;
  readonly writtenBytes: number;
  readonly readBytes: number;
}

/** More busy time per second than clocks explain: the counters are of two different boots. */
const MAX_BUSY = 1.5;
/** A device that was busy for a smaller share was idle; its last I/Os may have ended just before. */
const IDLE_BUSY = 0.01;

/** The difference of two readings of a counter; undefined when it went back (the node rebooted). */
const rise = (now: number, before: number) => (now >= before ? now - before : undefined);

/** One device's figures from its rates; undefined when they contradict themselves. */
export function diskFiguresOf(device: string, rates: DiskRates): DiskFigures | undefined {
  const { ios, waitedSeconds, busy, writtenBytes, readBytes } = rates;
  if (!(busy >= 0 && busy <= MAX_BUSY)) return undefined;
  return {
    device,
    iops: ios,
    awaitMs: awaitMs(ios, waitedSeconds, busy),
    utilisation: Math.min(1, busy),
    writeBytesPerSecond: writtenBytes,
    readBytesPerSecond: readBytes,
  };
}

/** One device's rates between two readings; undefined when any of its counters was reset. */
function ratesBetween(now: DiskCounters, before: DiskCounters, seconds: number): DiskRates | undefined {
  const readBytes = rise(now.readBytes, before.readBytes);
  const writtenBytes = rise(now.writtenBytes, before.writtenBytes);
  const ios = rise(now.reads + now.writes, before.reads + before.writes);
  const waited = rise(now.readSeconds + now.writeSeconds, before.readSeconds + before.writeSeconds);
  const busy = rise(now.ioSeconds, before.ioSeconds);
  if (readBytes === undefined || writtenBytes === undefined || ios === undefined) return undefined;
  if (waited === undefined || busy === undefined) return undefined;
  const per = (amount: number) => amount / seconds;
  return {
    ios: per(ios),
    waitedSeconds: per(waited),
    busy: per(busy),
    writtenBytes: per(writtenBytes),
    readBytes: per(readBytes),
  };
}

/** The await of a busy device that completed nothing is unknown: it is stalled. An idle device has an await of 0. */
function awaitMs(ios: number, waitedSeconds: number, busy: number): number | undefined {
  if (ios > 0) return (waitedSeconds / ios) * 1_000;
  return busy > IDLE_BUSY ? undefined : 0;
}

/** Does the device count? `holdsImages`: the node's images are on it. */
export type DeviceFilter = (device: string, holdsImages?: boolean) => boolean;

/** Which devices count: those that match the pattern with their whole name, or without a pattern every real disk. */
export function deviceFilter(pattern: string | undefined): DeviceFilter {
  if (pattern !== undefined) {
    const named = new RegExp(`^(?:${pattern})$`);
    return (device) => named.test(device);
  }
  return (device, holdsImages = false) => !NOT_A_DISK.test(device) && (holdsImages || !STACKED.test(device));
}

/**
 * Chooses the disk for a node's figures: the one that holds the images, if it is known and the policy does not exclude
 * it; without figures of that one, none. Otherwise the busiest that counts; if several are equally busy, the first in
 * the exporter's order.
 * @param dataDisks disks that hold a file system of their own which is not the images'
 */
export function chooseDisk(
  disks: readonly DiskFigures[],
  counts: DeviceFilter,
  imageDevice: string | undefined,
  dataDisks: ReadonlySet<string> = new Set(),
): DiskFigures | undefined {
  if (imageDevice !== undefined && counts(imageDevice, true)) {
    return disks.find((disk) => disk.device === imageDevice && isTimed(disk));
  }
  const counted = disks.filter(({ device }) => counts(device));
  const possible = counted.filter(({ device }) => !dataDisks.has(device));
  return (possible.length > 0 ? possible : counted).reduce<DiskFigures | undefined>(
    (best, disk) => (best && best.utilisation >= disk.utilisation ? best : disk),
    undefined,
  );
}

/** Older kernels count the bytes of a RAID device, but not its time: it looks idle while it works. */
const isTimed = ({ device, utilisation, writeBytesPerSecond, readBytesPerSecond }: DiskFigures) =>
  !STACKED.test(device) || utilisation > 0 || writeBytesPerSecond + readBytesPerSecond === 0;

/** Figures of every device that both snapshots have, and whose counters were not reset. */
export function disksBetween(now: CounterSnapshot, before: CounterSnapshot): DiskFigures[] {
  const seconds = (now.steadyMs - before.steadyMs) / 1_000;
  if (!(seconds > 0)) return [];
  return [...now.disks].flatMap(([device, disk]) => {
    const earlier = before.disks.get(device);
    const rates = earlier && ratesBetween(disk, earlier, seconds);
    const figures = rates && diskFiguresOf(device, rates);
    return figures === undefined ? [] : [figures];
  });
}

/** Share of the time between two readings of a "seconds spent" counter, 0 to 1. */
function share(now: number | undefined, before: number | undefined, seconds: number): number | undefined {
  if (now === undefined || before === undefined || !(seconds > 0)) return undefined;
  const spent = rise(now, before);
  return spent === undefined ? undefined : Math.min(1, spent / seconds);
}

/** The disk's part of a node's sample. */
export function diskSample(disk: DiskFigures | undefined, imageDevice: string | undefined): Partial<NodeSample> {
  return {
    device: disk && { name: disk.device, holdsImages: disk.device === imageDevice },
    iops: disk?.iops,
    awaitMs: disk?.awaitMs,
    utilisation: disk?.utilisation,
    writeBytesPerSecond: disk?.writeBytesPerSecond,
    readBytesPerSecond: disk?.readBytesPerSecond,
  };
}

/**
 * The figures of a node at `now`.
 * @param before the snapshot before; undefined right after the start: then only gauges are known
 */
export function sampleOf(now: CounterSnapshot, before: CounterSnapshot | undefined, counts: DeviceFilter): NodeSample {
  const seconds = before === undefined ? 0 : (now.steadyMs - before.steadyMs) / 1_000;
  const disk = before && chooseDisk(disksBetween(now, before), counts, now.imageDevice, now.dataDisks);
  return {
    atMs: now.atMs,
    ...diskSample(disk, now.imageDevice),
    dirtyBytes: now.dirtyBytes,
    writebackBytes: now.writebackBytes,
    ioPressure: share(now.ioPressureSeconds, before?.ioPressureSeconds, seconds),
    cpuPressure: share(now.cpuPressureSeconds, before?.cpuPressureSeconds, seconds),
    load1: now.load1,
    cores: now.cores,
    memoryBytes: now.memoryBytes,
  };
}
