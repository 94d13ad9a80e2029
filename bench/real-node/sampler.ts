/** Reads the disk's figures every second, independent of Paceline. */
import { readFileSync } from "node:fs";

/** Figures of one second. */
export interface DiskLook {
  /** Seconds since the node was Ready. */
  readonly second: number;
  /** Mean wait of the requests that ended in this second; undefined if none did. */
  readonly awaitMs: number | undefined;
  /** 0 to 1. */
  readonly utilisation: number;
  readonly writtenBytes: number;
  readonly dirtyBytes: number;
  readonly ready: number;
  readonly inStartup: number;
}

export interface DiskStat {
  readonly ios: number;
  readonly waitedMs: number;
  readonly busyMs: number;
  readonly writtenBytes: number;
}

const SECTOR_BYTES = 512;

/** One device's line of /proc/diskstats (Documentation/admin-guide/iostats.rst). @throws when it has none. */
export function parseDiskStats(text: string, device: string): DiskStat {
  const fields = text
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .find((line) => line[2] === device);
  if (!fields) throw new Error(`/proc/diskstats has no device ${device}`);
  const at = (index: number) => Number(fields[index + 2] ?? 0);
  return { ios: at(1) + at(5), waitedMs: at(4) + at(8), busyMs: at(10), writtenBytes: at(7) * SECTOR_BYTES };
}

/** Dirty and Writeback of /proc/meminfo, in bytes. */
export function parseDirtyBytes(text: string): number {
  const of = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0) * 1_024;
  return of("Dirty") + of("Writeback");
}

export interface Sampler {
  readonly looks: readonly DiskLook[];
  stop(): void;
}

/** @param pods how many are Ready and in startup, now. */
export function startSampler(device: string, pods: () => { ready: number; inStartup: number }): Sampler {
  const looks: DiskLook[] = [];
  const startMs = performance.now();
  const stat = () => parseDiskStats(readFileSync("/proc/diskstats", "utf8"), device);
  let before = { atMs: startMs, ...stat() };
  const look = () => {
    const now = { atMs: performance.now(), ...stat() };
    const ios = now.ios - before.ios;
    looks.push({
      second: (now.atMs - startMs) / 1_000,
      awaitMs: ios > 0 ? (now.waitedMs - before.waitedMs) / ios : undefined,
      utilisation: Math.min(1, (now.busyMs - before.busyMs) / (now.atMs - before.atMs)),
      writtenBytes: now.writtenBytes - before.writtenBytes,
      dirtyBytes: parseDirtyBytes(readFileSync("/proc/meminfo", "utf8")),
      ...pods(),
    });
    before = now;
  };
  const timer = setInterval(look, 1_000);
  return { looks, stop: () => clearInterval(timer) };
}
