/** `paceline replay`: what a recording's herds came to, and what they would have come to with Paceline. */
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { stringify } from "yaml";
import { printable } from "../api/printable.ts";
import { UsageError } from "../api/usage-error.ts";
import type { DiagnoseInput } from "../diagnose/diagnose.ts";
import { timeOf } from "../diagnose/json.ts";
import { parsePolicy } from "../policy/parse.ts";
import type { PacingPolicy } from "../policy/schema.ts";
import { type Herd, herdsOf, largestHerds } from "../recording/herd.ts";
import { scenarioOf } from "../recording/herd-scenario.ts";
import { type Machines, noMachines, parseMachines } from "../recording/machines.ts";
import { type ReadRecording, readRecording } from "../recording/read-recording.ts";
import { missingNotes } from "../recording/unread.ts";
import type { ReplayOptions } from "../replay/replay.ts";
import { jsonReport } from "../replay/report/json.ts";
import { textReport } from "../replay/report/text.ts";
import { liveInput } from "../recording/live.ts";
import { type ClusterFlags, withCluster } from "./connect.ts";
import { QUIET_MS, withProgress } from "./progress.ts";
import { prometheusSettings, telemetryOf } from "./replay-prometheus.ts";

/** Where a recording comes from; `prewarm` has the same flags. */
export interface SourceFlags extends ClusterFlags {
  readonly live?: true;
}

interface ReplayFlags extends SourceFlags {
  readonly prometheus?: string;
  readonly policy?: string;
  readonly window?: Window;
  readonly disk?: number;
  readonly class?: string;
  readonly json?: true;
  readonly html?: string;
  readonly scenario?: string;
}

interface Window {
  readonly fromMs: number;
  readonly toMs: number;
}

const HELP = `
Exit codes:
  0  there is a forecast
  1  the cluster (--live) or Prometheus cannot be read
  2  wrong usage, nothing usable in the input, or files of more than one cluster
  3  no forecast: the recording has no herd, lacks something, or the model does not give what was recorded

What to give it (more in docs/replay.md):
  audit log     pods and nodes at level Request or higher, from before the nodes joined until all pods were Ready
  --live        the same as dumps, of the cluster that kubectl talks to
  dumps         kubectl get nodes,pods,events -A -o json, while the herd's pods are still there
  --prometheus  beside these: what the disks did while nodes were young, so that they are measured and not assumed
Both together tell most: the audit log has the times, and the nodes have the sizes of images.`;

/** The command with its flags. */
export function replayCommand(): Command {
  return new Command("replay")
    .description(
      "Rebuild the herds of a recording, check the model against what happened, and say what Paceline and other remedies would have brought. Reads only.",
    )
    .argument("[files...]", "what diagnose reads: files, or folders of them, plain or gzip; - or none: standard input")
    .option(
      "--live",
      "read nodes, pods and Events of a live cluster, besides the files if there are any; changes nothing",
    )
    .option("--kubeconfig <file>", "kubeconfig to use with --live; default as for serve")
    .option("--context <name>", "context of the kubeconfig; default: its current one")
    .option(
      "--prometheus <url>",
      "ask this Prometheus, too, for node_exporter's figures of the herds' young nodes; TLS, token and node label as telemetry in --policy says",
    )
    .option("--policy <file>", "policy to replay with, instead of every default")
    .option("--window <from/to>", "only herds that began between these times (RFC 3339)", parseWindow)
    .option("--disk <MiB/s>", "what the nodes' disks write", parseDisk)
    .option("--class <file>", "what the nodes, kubelets and images are like, as far as no recording tells (YAML)")
    .option("--json", "print everything as JSON")
    .option("--html <file>", "write a report with charts, one file that needs no network")
    .option("--scenario <file>", "write the largest herd as a scenario of paceline simulate, without any of its names")
    .addHelpText("after", HELP)
    .action((files: readonly string[], flags: ReplayFlags) => replay(files, flags, Date.now()));
}

function parseDisk(text: string): number {
  const mibPerSecond = Number(text);
  if (mibPerSecond >= 0.1 && mibPerSecond <= 100_000) return mibPerSecond;
  throw new InvalidArgumentError("give MiB/s, such as 125.");
}

function parseWindow(text: string): Window {
  const [from, to, ...more] = text.split("/");
  const [fromMs, toMs] = [timeOf(from), timeOf(to)];
  if (more.length === 0 && fromMs !== undefined && toMs !== undefined && fromMs < toMs) return { fromMs, toMs };
  throw new InvalidArgumentError("give two times, such as 2026-11-24T08:00:00Z/2026-11-24T10:00:00Z.");
}

async function replay(files: readonly string[], flags: ReplayFlags, nowMs: number): Promise<void> {
  const machines = flags.class === undefined ? noMachines : await machinesFrom("--class", flags.class);
  const policy = flags.policy === undefined ? undefined : await policyFrom(flags.policy);
  const prometheus = flags.prometheus === undefined ? undefined : prometheusSettings(flags.prometheus, policy);
  const whole = await readAll(files, flags, nowMs);
  const { recording } = whole;
  const herds = chosen(herdsOf(recording), flags.window);
  const most = largestHerds(herds);
  const options: ReplayOptions = { machines, policy, diskMibPerSecond: flags.disk };
  const telemetry = prometheus && (await telemetryOf(most, prometheus));
  const replays = await withProgress(
    "replaying",
    async (tell) => {
      // Loaded when it is needed: reading alone is what costs time with a large log.
      const { replayHerd } = await import("../replay/replay.ts");
      const done = [];
      for (const [at, herd] of most.entries()) {
        const say = (what: string) => tell(`herd ${at + 1} of ${most.length}: ${what}`);
        done.push(await replayHerd(herd, recording, { ...options, telemetry: telemetry?.get(herd), tell: say }));
      }
      return done;
    },
    { quietForMs: QUIET_MS },
  );
  const notes = [...missingNotes(whole), ...(herds.length === 0 ? [noHerd(recording, flags.window)] : [])];
  const report = { replays, moreHerds: herds.length - most.length, notes };
  if (flags.scenario !== undefined) {
    const [largest] = [...most].sort((a, b) => b.pods.length - a.pods.length);
    if (largest === undefined) throw new UsageError(`--scenario: ${noHerd(recording, flags.window)}`);
    const { file } = scenarioOf(largest, recording, {
      ...options,
      measured: telemetry?.get(largest)?.disks,
      anonymous: true,
    });
    await write("--scenario", flags.scenario, stringify(file, { aliasDuplicateObjects: false }));
  }
  if (flags.html !== undefined) {
    const { htmlReport } = await import("../replay/report/html.ts");
    await write("--html", flags.html, htmlReport(report));
  }
  process.stdout.write(
    flags.json ? `${JSON.stringify(jsonReport(report, whole), undefined, 2)}\n` : textReport(report),
  );
  process.exitCode = replays.some(({ forecast }) => forecast !== undefined) ? 0 : 3;
}

/** @throws UsageError where an input cannot be read or holds nothing usable, or where they are of several clusters */
export async function readAll(files: readonly string[], flags: SourceFlags, nowMs: number): Promise<ReadRecording> {
  if (flags.live !== true) return read(await inputsOf(files), nowMs);
  const others = files.length === 0 ? [] : await inputsOf(files);
  return withCluster(flags, (client) => read([...others, liveInput(client)], nowMs));
}

function noHerd({ nodes, pods }: ReadRecording["recording"], window: Window | undefined): string {
  const seen = `${nodes.length} nodes and ${pods.length} pods were read`;
  const where = window === undefined ? "" : " in this window";
  return `No herd${where}: ${seen}, and no node opened and took five pods or more within its first ten minutes.`;
}

const chosen = (herds: readonly Herd[], window: Window | undefined) =>
  window === undefined ? herds : herds.filter(({ startMs }) => startMs >= window.fromMs && startMs < window.toMs);

/** Files, and those that lie in folders, by name. @throws UsageError */
async function inputsOf(files: readonly string[]): Promise<readonly DiagnoseInput[]> {
  if (files.length === 0) return [{ name: "standard input", stream: process.stdin }];
  const inputs: DiagnoseInput[] = [];
  for (const file of files) {
    if (file === "-") inputs.push({ name: "standard input", stream: process.stdin });
    else if (await isFolder(file)) inputs.push(...(await filesIn(file)));
    else inputs.push(file);
  }
  if (inputs.length === 0) throw new UsageError(`${files.join(", ")}: there is no file in it`);
  return inputs;
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

async function filesIn(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const files = entries.filter((entry) => entry.isFile() && !entry.name.startsWith("."));
  return files.map(({ parentPath, name }) => join(parentPath, name)).sort();
}

async function read(inputs: readonly DiagnoseInput[], nowMs: number): Promise<ReadRecording> {
  let result: ReadRecording;
  try {
    result = await withProgress("reading", (tell) => readRecording(inputs, { nowMs, onInput: tell }), {
      quietForMs: QUIET_MS,
    });
  } catch (cause) {
    throw unreadable(inputs.map((one) => (typeof one === "string" ? one : one.name)).join(", "), cause);
  }
  if (result.unusable.length < inputs.length) return ofOneCluster(result);
  const names = inputs.slice(0, 10).map((one) => (typeof one === "string" ? one : one.name));
  const hints = [...new Set(result.unusable.flatMap(({ looksLike }) => looksLike ?? []))];
  const what = "expected what paceline diagnose reads: audit logs, kubectl get nodes,pods,events -A -o json, Events";
  throw new UsageError([`nothing usable in ${names.join(", ")}: ${what}`, ...hints].join(". "));
}

/** Herds of two clusters must not become one. @throws UsageError */
function ofOneCluster(result: ReadRecording): ReadRecording {
  const { mixedNodes } = result.recording;
  if (mixedNodes.length === 0) return result;
  const more = mixedNodes.length > 3 ? ` and ${mixedNodes.length - 3} more` : "";
  const names = printable(`${mixedNodes.slice(0, 3).join(", ")}${more}`);
  throw new UsageError(
    `two nodes at a time have the name ${names}, with different uids: this is of more than one cluster; give what is of one cluster at a time`,
  );
}

function unreadable(name: string, cause: unknown): UsageError {
  const { code, path = name, message } = cause as NodeJS.ErrnoException;
  return new UsageError(code === "ENOENT" ? `${path}: there is no such file` : `${path} cannot be read: ${message}`, {
    cause,
  });
}

/** What nodes, kubelets and images are like, as the file that the flag names says. @throws UsageError */
export async function machinesFrom(flag: string, file: string): Promise<Machines> {
  const parsed = parseMachines(await text(file));
  if (parsed.ok) return parsed.machines;
  throw new UsageError(`${flag} ${file} has errors:\n${parsed.errors.map((one) => `  ${one}`).join("\n")}`);
}

async function policyFrom(file: string): Promise<PacingPolicy> {
  const parsed = parsePolicy(await text(file));
  if (parsed.ok) return parsed.policy;
  throw new UsageError(`policy ${file} has errors:\n${parsed.errors.map(({ message }) => `  ${message}`).join("\n")}`);
}

async function text(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw unreadable(file, cause);
  }
}

async function write(flag: string, file: string, content: string): Promise<void> {
  try {
    await writeFile(file, content);
  } catch (cause) {
    throw new UsageError(`${flag} ${file} cannot be written: ${(cause as Error).message}`, { cause });
  }
}
