/**
 * Starts Debian's prometheus-node-exporter, prometheus and iostat for tests, and a disk load that moves real counters.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import { mkdtemp, open, readFile, readlink, realpath, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, delimiter, join } from "node:path";
import { onFreePort } from "../../dev/control-plane/ports.ts";
import { eventually } from "./control-plane.ts";

/** The longest time until a program listens, in ms. On an idle machine it takes seconds. */
const START_TIMEOUT_MS = 120_000;

/** True if a program can be started. Otherwise prints its name. */
export function hasProgram(program: string): boolean {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      // Not in this folder.
    }
  }
  console.warn(`SKIPPED: ${program} is not installed, so the tests that need it do not run; .ci/run installs it`);
  return false;
}

/** A new folder that `remove` takes away again. */
export async function temporaryFolder(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), "paceline-telemetry-"));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

export interface Program {
  readonly port: number;
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>;
}

/** Running programs. None outlives this process. */
const running = new Set<ChildProcess>();
process.once("exit", () => running.forEach((child) => child.kill("SIGKILL")));

/** Ends the child when this process ends. */
export function mindChild(child: ChildProcess): void {
  running.add(child);
  child.once("exit", () => running.delete(child));
}

/** Starts a program, and waits until it prints that it listens. @throws with its output if it ends before that */
async function startProgram(program: string, args: readonly string[], port: number): Promise<Program> {
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (text: Buffer) => (said = (said + text.toString()).slice(-2_000)));
  const kill = () => killed(child);
  mindChild(child);
  const isOver = () => child.exitCode !== null || child.signalCode !== null;
  const listens = () => said.includes("Listening on") || said.includes("Server is ready");
  const what = `${program} listens on ${port}`;
  await eventually(what, () => isOver() || listens(), START_TIMEOUT_MS).catch(() => undefined);
  if (isOver() || !listens()) {
    await kill();
    throw new Error(`${program} does not listen on ${port}: ${said}`);
  }
  return { port, kill };
}

/** Ends a child at once. */
export async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

/** Only the collectors that Paceline reads. */
export const MINIMAL_COLLECTORS = [
  "--collector.disable-defaults",
  ...["diskstats", "meminfo", "loadavg", "pressure"].map((name) => `--collector.${name}`),
];
/** Further collectors: the cores and the image file system's device. */
export const MORE_COLLECTORS = ["--collector.cpu", "--collector.filesystem"];

export interface ExporterOptions {
  /** Default: the minimal set of collectors. */
  readonly args?: readonly string[];
  /** Default: a free one. */
  readonly port?: number;
  /** Default: 127.0.0.1. */
  readonly host?: string;
}

/** Debian's node_exporter. */
export async function startNodeExporter(options: ExporterOptions = {}): Promise<Program> {
  const { args = MINIMAL_COLLECTORS, port, host = "127.0.0.1" } = options;
  const start = (at: number) =>
    startProgram("prometheus-node-exporter", [`--web.listen-address=${host}:${at}`, ...args], at);
  return port === undefined ? onFreePort(start) : start(port);
}

/** Prometheus that scrapes one exporter each second. @param args more flags */
export async function startPrometheus(
  folder: string,
  exporter: number,
  args: readonly string[] = [],
): Promise<Program> {
  const config = join(folder, "prometheus.yml");
  await writeFile(
    config,
    [
      "global: {scrape_interval: 1s, scrape_timeout: 1s}",
      `scrape_configs: [{job_name: node-exporter, static_configs: [{targets: ["127.0.0.1:${exporter}"]}]}]`,
    ].join("\n"),
  );
  const flags = [`--config.file=${config}`, `--storage.tsdb.path=${join(folder, "data")}`];
  const start = (port: number) =>
    startProgram("prometheus", [...flags, `--web.listen-address=127.0.0.1:${port}`, ...args], port);
  return onFreePort(start);
}

/** The disk below a folder, by its name in /proc/diskstats; undefined for memory and overlay file systems. */
export async function diskUnder(folder: string): Promise<string | undefined> {
  const { dev } = await stat(folder);
  const [major, minor] = [(dev >> 8) & 0xfff, (dev & 0xff) | ((dev >> 12) & 0xfff00)];
  const link = await readlink(`/sys/dev/block/${major}:${minor}`).catch(() => undefined);
  if (link === undefined) return undefined;
  const path = await realpath(`/sys/dev/block/${major}:${minor}`);
  const partition = await readFile(join(path, "partition"), "utf8").catch(() => undefined);
  return basename(partition === undefined ? path : join(path, ".."));
}

/** Size of the scratch file, and of one write, in bytes. */
const SCRATCH_BYTES = 16 * 1_048_576;
const WRITE_BYTES = 65_536;
/** Parallel writers, so that requests queue and await exceeds the time of a single request. */
const WRITERS = 4;

export interface Scratch {
  /**
   * Writes this many pieces. A writer waits until a piece is on the disk before it writes the next one. Resolves when
   * all are on the disk.
   */
  burst(writes: number): Promise<void>;
  /** Closes the file and removes it. */
  remove(): Promise<void>;
}

/** A scratch file that is fully on the disk, so that a write moves only its own bytes. */
export async function openScratch(folder: string): Promise<Scratch> {
  const path = join(folder, "scratch");
  const file = await open(path, constants.O_CREAT | constants.O_RDWR | constants.O_DSYNC);
  await file.write(Buffer.alloc(SCRATCH_BYTES, 1), 0, SCRATCH_BYTES, 0);
  const data = Buffer.alloc(WRITE_BYTES, 7);
  const share = SCRATCH_BYTES / WRITERS;
  const writer = async (lane: number, writes: number) => {
    for (let write = 0; write < writes; write += 1) {
      await file.write(data, 0, WRITE_BYTES, lane * share + ((write * WRITE_BYTES) % share));
    }
  };
  return {
    async burst(writes) {
      await Promise.all(Array.from({ length: WRITERS }, (_, lane) => writer(lane, Math.ceil(writes / WRITERS))));
    },
    async remove() {
      await file.close();
      await rm(path, { force: true });
    },
  };
}

/** The pause between two bursts of a steady load, in ms, since other programs use this disk, too. */
const REST_MS = 20;

/** Small bursts, one after another, until stopped. */
export async function startDiskLoad(folder: string): Promise<{ stop: () => Promise<void> }> {
  const scratch = await openScratch(folder);
  let stopped = false;
  const load = async () => {
    while (!stopped) {
      await scratch.burst(WRITERS * 4);
      await new Promise((resolve) => setTimeout(resolve, REST_MS));
    }
  };
  const running = load();
  return {
    async stop() {
      stopped = true;
      await running;
      await scratch.remove();
    },
  };
}
