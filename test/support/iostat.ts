/**
 * Our await against that of `iostat -x`, for the same I/Os. Both programs read /proc/diskstats, but never at the same
 * moment; on a busy machine tenths of a second apart. So the load rests while they read: each burst begins after both
 * have read and ends before they read again. Whatever else runs on this disk, an interval is compared only where both
 * counted the same I/Os.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";
import { createAccess } from "../../src/telemetry/access.ts";
import type { CounterSnapshot } from "../../src/core/signals/snapshot.ts";
import { scrapeCounters } from "../../src/telemetry/scrape.ts";
import { deviceFilter, sampleOf } from "../../src/core/signals/sample.ts";
import { killed, mindChild, openScratch, startNodeExporter } from "./telemetry-programs.ts";

/** Time between two reports of iostat, in s. */
const SECONDS = 2;
/** Writes of one burst: 16 MiB, well within two seconds on a slow disk. */
const BURST_WRITES = 256;
/** Intervals that are compared, and reports that are waited for to find them. */
const WANTED = 5;
const MAX_REPORTS = 45;
/** Counts that differ by less are of the same I/Os: iostat tells a rate, and its intervals are not of exactly 2 s. */
const SAME_COUNT = 0.05;
/** iostat tells await in hundredths of ms. */
export const IOSTAT_ROUNDING_MS = 0.005;

export interface Comparison {
  /** Await in ms, of the same I/Os. */
  readonly ours: number;
  readonly iostat: number;
  /** How many I/Os there were. */
  readonly ios: number;
}

/** Compares some intervals. @throws when the two hardly ever count the same I/Os */
export async function compareWithIostat(disk: string, folder: string): Promise<readonly Comparison[]> {
  const scratch = await openScratch(folder);
  const scrape = await exporterScraper();
  const iostat = startIostat(disk, SECONDS);
  const comparisons: Comparison[] = [];
  const seen: string[] = [];
  let burst: Promise<void> | undefined;
  let before: CounterSnapshot | undefined;
  let isRunning = false;
  try {
    for await (const report of iostat.reports) {
      const rested = !isRunning;
      const now = await scrape();
      const compared = before && rested ? comparison(report, before, now, disk) : undefined;
      seen.push(compared ? `${report.iosPerSecond * SECONDS} and ${compared.ios}` : "no rest");
      if (compared && isSame(report, compared)) comparisons.push(compared);
      if (comparisons.length === WANTED) return comparisons;
      if (seen.length === MAX_REPORTS) throw new Error(`iostat and we count different I/Os: ${seen.join(", ")}`);
      before = rested ? now : undefined;
      if (rested) {
        isRunning = true;
        burst = scratch.burst(BURST_WRITES).finally(() => (isRunning = false));
      }
    }
    throw new Error("iostat ended");
  } finally {
    await iostat.stop();
    await burst;
    await scratch.remove();
  }
}

const isSame = ({ iosPerSecond }: IostatInterval, { ios }: Comparison) =>
  ios >= BURST_WRITES && Math.abs(ios / (iosPerSecond * SECONDS) - 1) <= SAME_COUNT;

function comparison(report: IostatInterval, before: CounterSnapshot, now: CounterSnapshot, disk: string): Comparison {
  const { awaitMs = NaN } = sampleOf(now, before, deviceFilter(disk));
  const completed = ({ disks }: CounterSnapshot) => (disks.get(disk)?.reads ?? NaN) + (disks.get(disk)?.writes ?? NaN);
  return { ours: awaitMs, iostat: report.awaitMs, ios: completed(now) - completed(before) };
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

/** One interval of `iostat -x`. */
interface IostatInterval {
  /** Mean time of reads and writes in ms, each weighted by how many there were; NaN without any. */
  readonly awaitMs: number;
  readonly iosPerSecond: number;
}

interface IostatDisk {
  readonly disk_device: string;
  readonly "r/s": number;
  readonly "w/s": number;
  readonly r_await: number;
  readonly w_await: number;
}

/** A running `iostat -x`; its first report is of the time since boot, each other one of `seconds`. */
function startIostat(device: string, seconds: number) {
  const args = ["-x", "-o", "JSON", device, String(seconds)];
  const child = spawn("iostat", args, { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, LC_ALL: "C" } });
  mindChild(child);
  async function* reports(): AsyncGenerator<IostatInterval> {
    for await (const line of createInterface({ input: child.stdout })) {
      const disk = /\{"disk_device".*?\}/.exec(line)?.[0];
      if (disk !== undefined) yield weighted(JSON.parse(disk) as IostatDisk);
    }
  }
  return { reports: reports(), stop: () => killed(child) };
}

function weighted(disk: IostatDisk): IostatInterval {
  const iosPerSecond = disk["r/s"] + disk["w/s"];
  const waited = disk["r/s"] * disk.r_await + disk["w/s"] * disk.w_await;
  return { awaitMs: waited / iosPerSecond, iosPerSecond };
}
