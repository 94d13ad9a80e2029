/**
 * `npm run bench:diagnose [-- --gb 2]`: `paceline diagnose` beside the equivalent `jq` on one large audit log, and
 * `paceline replay` beside both, as whole processes. Prints times, ratios and peak memory; exit 1 when a budget is
 * missed.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, mkdtempSync, rmSync } from "node:fs";
import { stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { AuditLog } from "./diagnose/audit-log.ts";
import { withProgress } from "./progress.ts";
import { endWith, flagsOf } from "./flags.ts";

const MAIN = join(import.meta.dirname, "../src/cli/main.ts");
/** Budgets: times as fast as jq, and memory in MiB. */
const BUDGET = { ratio: 10, rssMib: 200 } as const;
/** Budgets of replay: times as long as diagnose, and memory in MiB. */
const REPLAY_BUDGET = { ratio: 2, rssMib: 512 } as const;
/** The query of the thread, by hour, for jq. */
const JQ =
  'select(.requestObject.status.containerStatuses[0]?.lastState.terminated.reason? == "StartError") | .requestReceivedTimestamp[0:13]';

interface Run {
  readonly seconds: number;
  readonly stdout: string;
  readonly rssMib: number;
}

/** Runs a program and reads its peak memory from the kernel while it runs (in place of GNU time). */
async function measure(command: string, args: readonly string[]): Promise<Run> {
  const began = performance.now();
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
  let rssMib = 0;
  const sampler = setInterval(() => {
    void peakMib(child.pid).then((mib) => (rssMib = Math.max(rssMib, mib)));
  }, 50);
  try {
    const [stdout] = await Promise.all([text(child.stdout), once(child, "close")]);
    return { seconds: (performance.now() - began) / 1_000, stdout, rssMib };
  } finally {
    clearInterval(sampler);
    child.kill("SIGKILL");
  }
}

async function peakMib(pid: number | undefined): Promise<number> {
  const { readFile } = await import("node:fs/promises");
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1_024;
}

async function write(path: string, bytes: number): Promise<AuditLog> {
  const log = new AuditLog();
  const file = createWriteStream(path);
  for (let written = 0; written < bytes;) {
    const block = log.next();
    written += block.length;
    if (!file.write(block)) await once(file, "drain");
  }
  file.end();
  await once(file, "finish");
  return log;
}

async function bench(folder: string, gb: number): Promise<boolean> {
  const path = join(folder, "audit.log");
  const log = await withProgress(`writing an audit log of ${gb} GB`, () => write(path, gb * 1e9));
  const { size } = await stat(path);
  await measure("wc", ["-l", path]); // both find the file in the page cache
  const ours = await withProgress("paceline diagnose", () =>
    measure(process.execPath, [MAIN, "diagnose", "--json", path]),
  );
  const replay = await withProgress("paceline replay", () =>
    measure(process.execPath, [MAIN, "replay", "--json", path]),
  );
  const jq = await withProgress("jq", () => measure("jq", ["-r", JQ, path]));
  const { query, failures } = JSON.parse(ours.stdout) as { query: { total: number }; failures: { total: number } };
  const jqTotal = jq.stdout.split("\n").filter((line) => line !== "").length;
  const ratio = jq.seconds / ours.seconds;
  console.log(
    `audit log           ${(size / 1e9).toFixed(2)} GB, ${log.lines} lines, ${log.failures} failed starts in it`,
  );
  console.log(`jq (the query only) ${jq.seconds.toFixed(1)} s, ${jqTotal} audit events`);
  console.log(
    `paceline diagnose   ${ours.seconds.toFixed(1)} s, ${query.total} audit events, ${failures.total} failures`,
  );
  console.log(`ratio               ${ratio.toFixed(1)} × (budget ≥ ${BUDGET.ratio})`);
  console.log(`peak memory         ${ours.rssMib.toFixed(0)} MiB (budget < ${BUDGET.rssMib})`);
  const { recording } = JSON.parse(replay.stdout) as { recording: { pods: number; nodes: number } };
  const slower = replay.seconds / ours.seconds;
  console.log(`paceline replay     ${replay.seconds.toFixed(1)} s, ${recording.pods} pods, ${recording.nodes} nodes`);
  console.log(`ratio to diagnose   ${slower.toFixed(2)} × (budget ≤ ${REPLAY_BUDGET.ratio})`);
  console.log(`peak memory         ${replay.rssMib.toFixed(0)} MiB (budget ≤ ${REPLAY_BUDGET.rssMib})`);
  const replays = slower <= REPLAY_BUDGET.ratio && replay.rssMib <= REPLAY_BUDGET.rssMib;
  const agrees = jqTotal === query.total && failures.total === log.failures;
  if (!agrees) console.error("bench: jq, diagnose and the generator do not agree");
  return agrees && replays && ratio >= BUDGET.ratio && ours.rssMib < BUDGET.rssMib;
}

const gb = Number(flagsOf({ gb: { type: "string", default: "2" } }).gb);
if (!(gb > 0)) endWith("--gb wants a number above 0");
const folder = mkdtempSync(join(tmpdir(), "paceline-bench-diagnose-"));
const clean = () => rmSync(folder, { recursive: true, force: true });
process.on("exit", clean);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));
process.exitCode = (await bench(folder, gb)) ? 0 : 1;
