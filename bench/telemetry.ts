/**
 * `npm run bench:telemetry [-- nodes]`: measures what it costs to scrape 5,000 young nodes. The modelled exporters run
 * in a child process, so that CPU and memory are the scraper's own. Two runs: as the service does it (spread over the
 * interval), and flat out (no spread), which shows what a round takes at least.
 */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { nodeName } from "../src/core/ids.ts";
import { defaultPolicy } from "../src/policy/parse.ts";
import { nodeExporterSource, type NodeExporterSettings } from "../src/telemetry/node-exporter.ts";
import type { TelemetryRound } from "../src/telemetry/source.ts";
import { loopbackAddress } from "./telemetry-addresses.ts";
import { withProgress } from "./progress.ts";

const NODES = Number(process.argv[2] ?? 5_000);
/** Rounds that are measured, after one that opens the connections. */
const ROUNDS = 6;
/** Longest acceptable round, in s. */
const TARGET_SECONDS = 2;
const MIB = 1_048_576;

interface Measured {
  readonly firstMs: number;
  readonly rounds: readonly TelemetryRound[];
  readonly cpuSecondsPerRound: number;
  readonly coresUsed: number;
  readonly rssMib: number;
  readonly failures: number;
  readonly samples: number;
  readonly loopP99Ms: number;
}

async function startExporters(): Promise<{ child: ChildProcess; port: number }> {
  const child = fork(fileURLToPath(new URL("telemetry-exporters.ts", import.meta.url)), [String(NODES)]);
  const [message] = (await once(child, "message")) as [{ port: number }];
  return { child, port: message.port };
}

async function measure(
  settings: NodeExporterSettings,
  bounds: { spread?: number; maxKept?: number },
): Promise<Measured> {
  const targets = Array.from({ length: NODES }, (_, index) => ({
    name: nodeName(`node-${index}`),
    address: loopbackAddress(index),
    paced: true,
  }));
  const rounds: TelemetryRound[] = [];
  let [failures, samples] = [0, 0];
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const first = Promise.withResolvers<undefined>();
  const last = Promise.withResolvers<undefined>();
  const source = nodeExporterSource({
    settings,
    bounds,
    now: () => Date.now(),
    sink: {
      targets: () => targets,
      sample: (_node, { awaitMs }) => void (samples += awaitMs === undefined ? 0 : 1),
      failure: () => void (failures += 1),
      round(round) {
        rounds.push(round);
        if (rounds.length === 1) first.resolve(undefined);
        if (rounds.length === ROUNDS + 1) last.resolve(undefined);
      },
    },
  });
  source.start();
  await first.promise;
  delay.enable();
  const [cpu, startMs] = [process.cpuUsage(), performance.now()];
  await last.promise;
  const { user, system } = process.cpuUsage(cpu);
  const seconds = (performance.now() - startMs) / 1_000;
  delay.disable();
  const rssMib = process.memoryUsage.rss() / MIB;
  await source.stop();
  const cpuSeconds = (user + system) / 1e6;
  return {
    firstMs: rounds[0]?.durationMs ?? NaN,
    rounds: rounds.slice(1),
    failures,
    samples,
    rssMib,
    cpuSecondsPerRound: cpuSeconds / ROUNDS,
    coresUsed: cpuSeconds / seconds,
    loopP99Ms: delay.percentile(99) / 1e6,
  };
}

async function bench(title: string, ...measuring: Parameters<typeof measure>): Promise<void> {
  print(title, await withProgress(title, () => measure(...measuring)));
}

function print(title: string, measured: Measured): void {
  const durations = measured.rounds.map(({ durationMs }) => durationMs / 1_000).sort((a, b) => a - b);
  const longest = durations.at(-1) ?? NaN;
  const median = durations[Math.floor(durations.length / 2)] ?? NaN;
  const { firstMs, cpuSecondsPerRound, coresUsed, rssMib, failures, samples, loopP99Ms } = measured;
  console.log(
    `${title}: round median ${median.toFixed(2)} s, longest ${longest.toFixed(2)} s` +
      ` (target ${TARGET_SECONDS} s: ${longest <= TARGET_SECONDS ? "met" : "MISSED"}), first ${(firstMs / 1_000).toFixed(2)} s;` +
      ` CPU ${cpuSecondsPerRound.toFixed(2)} s a round (${((cpuSecondsPerRound / NODES) * 1e6).toFixed(0)} µs a node,` +
      ` ${coresUsed.toFixed(2)} cores); RSS ${rssMib.toFixed(0)} MiB; event loop delay p99 ${loopP99Ms.toFixed(1)} ms;` +
      ` ${samples} figures of await, ${failures} failures`,
  );
}

const { telemetry } = defaultPolicy();
if (telemetry.source !== "node-exporter") throw new Error("the default source has changed");
const { child, port } = await startExporters();
console.log(
  `${NODES} exporters on loopback, all young; before: RSS ${(process.memoryUsage.rss() / MIB).toFixed(0)} MiB`,
);
try {
  const settings = { ...telemetry, port };
  await bench("as in service (1.5 s interval, spread)", settings, {});
  await bench("the same, 1,000 connections kept", settings, { maxKept: 1_000 });
  await bench("flat out (no spread)", { ...settings, intervalMs: 250, timeoutMs: 1_000 }, { spread: 0 });
} finally {
  child.disconnect();
}
