/**
 * Compares our await with that of `iostat -x` since boot. Both read /proc/diskstats, and its counters only grow. So
 * what iostat has read lies between what we read before and after it ran: bounds that hold however busy the machine is,
 * and whatever other programs do with the disk.
 */
import { execFile } from "node:child_process";
import { uptime } from "node:os";
import { promisify } from "node:util";
import { onTestFinished } from "vitest";
import { createAccess } from "../../src/telemetry/access.ts";
import type { CounterSnapshot, DiskCounters } from "../../src/core/signals/snapshot.ts";
import { deviceFilter, sampleOf } from "../../src/core/signals/sample.ts";
import { scrapeCounters } from "../../src/telemetry/scrape.ts";
import { openScratch, startNodeExporter } from "./telemetry-programs.ts";

/** Writes before each comparison: 16 MiB, so that the counters move between two comparisons. */
const BURST_WRITES = 256;
const COMPARISONS = 3;
/** iostat reports await in hundredths of ms. */
export const IOSTAT_ROUNDING_MS = 0.005;

/** Mean time of an I/O, in ms, from the lowest to the highest value that the readings allow. */
export interface Range {
  readonly low: number;
  readonly high: number;
}

export interface Comparison {
  readonly ours: Range;
  readonly iostat: Range;
  /** I/Os since boot. */
  readonly ios: number;
}

/** Compares some times, with writes to the disk before each of them. */
export async function compareWithIostat(disk: string, folder: string): Promise<readonly Comparison[]> {
  const scratch = await openScratch(folder);
  const scrape = await exporterScraper();
  const comparisons: Comparison[] = [];
  try {
    while (comparisons.length < COMPARISONS) {
      await scratch.burst(BURST_WRITES);
      const before = await scrape();
      const report = await iostatSinceBoot(disk);
      comparisons.push(comparison(disk, before, report, await scrape()));
    }
    return comparisons;
  } finally {
    await scratch.remove();
  }
}

function comparison(disk: string, before: CounterSnapshot, report: IostatDisk, after: CounterSnapshot): Comparison {
  const [first, last] = [countersOfDisk(before, disk), countersOfDisk(after, disk)];
  const [fewest, most] = [first.reads + first.writes, last.reads + last.writes];
  const waitedMs = ({ reads, writes }: DiskCounters) => reads * report.r_await + writes * report.w_await;
  return {
    // The same sum over more or fewer I/Os: iostat has read the one and the other between our two readings.
    ours: { low: (awaitMs(before, disk) * fewest) / most, high: (awaitMs(after, disk) * most) / fewest },
    iostat: { low: waitedMs(first) / most, high: waitedMs(last) / fewest },
    ios: most,
  };
}

function countersOfDisk({ disks }: CounterSnapshot, disk: string): DiskCounters {
  const counters = disks.get(disk);
  if (counters === undefined) throw new Error(`node_exporter shows no disk ${disk}`);
  return counters;
}

const atBoot: DiskCounters = {
  ...{ reads: 0, writes: 0, readSeconds: 0, writeSeconds: 0 },
  ...{ ioSeconds: 0, readBytes: 0, writtenBytes: 0 },
};

/** The await that Paceline computes for the time since boot. */
function awaitMs(now: CounterSnapshot, disk: string): number {
  const boot = { ...now, disks: new Map([[disk, atBoot]]), steadyMs: now.steadyMs - uptime() * 1_000 };
  return sampleOf(now, boot, deviceFilter(disk)).awaitMs ?? NaN;
}

/** Reads the counters of an exporter of its own, which ends with the test. */
async function exporterScraper(): Promise<() => Promise<CounterSnapshot>> {
  const exporter = await startNodeExporter();
  onTestFinished(() => exporter.kill());
  const steadyNow = () => performance.now();
  const timeoutMs = 30_000;
  const access = createAccess({ intervalMs: 250, timeoutMs }, steadyNow);
  onTestFinished(() => access.close());
  const { agent: dispatcher } = await access.open();
  const url = `http://127.0.0.1:${exporter.port}/metrics`;
  const clocks = { now: () => Date.now(), steadyNow };
  return () => scrapeCounters({ url, dispatcher, headers: {}, timeoutMs, keep: true, ...clocks });
}

/** Mean times of reads and writes in ms, as `iostat -x -o JSON` has them. */
interface IostatDisk {
  readonly r_await: number;
  readonly w_await: number;
}

/** Its first report covers the time since boot. */
async function iostatSinceBoot(device: string): Promise<IostatDisk> {
  const env = { ...process.env, LC_ALL: "C" };
  const { stdout } = await promisify(execFile)("iostat", ["-x", "-o", "JSON", device], { env });
  const disk = /\{"disk_device".*?\}/.exec(stdout)?.[0];
  if (disk === undefined) throw new Error(`iostat shows no disk ${device}: ${stdout}`);
  return JSON.parse(disk) as IostatDisk;
}
