/**
 * Compares our await with that of `iostat -x` for the same I/Os. Both programs read /proc/diskstats, but not at the
 * same moment; on a busy machine they are tenths of a second apart. So the load pauses while they read: each burst
 * begins after both have read, and ends before they read again. An interval counts only if both saw the same number of
 * I/Os, because other programs may use this disk.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";
import { createAccess } from "../../src/telemetry/access.ts";
import type { CounterSnapshot } from "../../src/telemetry/counters.ts";
import { scrapeCounters } from "../../src/telemetry/scrape.ts";
import { deviceFilter, sampleOf } from "../../src/telemetry/signals.ts";
import { killed, mindChild, openScratch, startNodeExporter } from "./telemetry-programs.ts";

/** Time between two reports of iostat, in s. */
const SECONDS = 2;
/** Writes of one burst: 16 MiB, well within two seconds on a slow disk. */
const BURST_WRITES = 256;
/** The number of intervals to compare, and the most reports to wait for. */
const WANTED = 5;
const MAX_REPORTS = 45;
/** Counts that differ by less are the same I/Os. iostat reports a rate, and its intervals are not exactly 2 s. */
const SAME_COUNT = 0.05;
/** iostat reports await in hundredths of ms. */
export const IOSTAT_ROUNDING_MS = 0.005;

export interface Comparison {
  /** Await of the same I/Os, in ms. */
  readonly ours: number;
  readonly iostat: number;
  /** The number of I/Os. */
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

/** A running `iostat -x`. Its first report covers the time since boot, and each later one covers `seconds`. */
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
