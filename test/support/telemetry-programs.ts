/** Debian's prometheus-node-exporter, prometheus and iostat, started by tests; and a disk load that moves real counters. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import { mkdtemp, open, readFile, readlink, realpath, rm, stat, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { basename, delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { eventually } from "./control-plane.ts";

/** Whether a program can be started; says so loudly, by name, when not. */
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

/** A port of 127.0.0.1 that nobody uses now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
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

/** Programs that run; none outlives this process. */
const running = new Set<ChildProcess>();
process.once("exit", () => running.forEach((child) => child.kill("SIGKILL")));

/** Starts a program and waits until its port answers HTTP (or TLS, or whatever it speaks). */
async function startProgram(program: string, args: readonly string[], port: number): Promise<Program> {
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (text: Buffer) => (said = (said + text.toString()).slice(-2_000)));
  const kill = () => killed(child);
  running.add(child);
  child.once("exit", () => running.delete(child));
  await eventually(`${program} listens on ${port}`, () => {
    if (child.exitCode !== null) throw new Error(`${program} ended: ${said}`);
    return said.includes("Listening on") || said.includes("Server is ready");
  }).catch(async (error: unknown) => {
    await kill();
    throw new Error(said, { cause: error });
  });
  return { port, kill };
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

/** The collectors that Paceline reads, and no other. */
export const MINIMAL_COLLECTORS = [
  "--collector.disable-defaults",
  ...["diskstats", "meminfo", "loadavg", "pressure"].map((name) => `--collector.${name}`),
];

/** Debian's node_exporter. @param args default: the minimal set of collectors */
export async function startNodeExporter(args: readonly string[] = MINIMAL_COLLECTORS, port?: number): Promise<Program> {
  const at = port ?? (await freePort());
  return startProgram("prometheus-node-exporter", [`--web.listen-address=127.0.0.1:${at}`, ...args], at);
}

/** Prometheus that scrapes one exporter each second. @param args more flags */
export async function startPrometheus(
  folder: string,
  exporter: number,
  args: readonly string[] = [],
): Promise<Program> {
  const port = await freePort();
  const config = join(folder, "prometheus.yml");
  await writeFile(
    config,
    [
      "global: {scrape_interval: 1s, scrape_timeout: 1s}",
      `scrape_configs: [{job_name: node-exporter, static_configs: [{targets: ["127.0.0.1:${exporter}"]}]}]`,
    ].join("\n"),
  );
  const flags = [`--config.file=${config}`, `--storage.tsdb.path=${join(folder, "data")}`];
  return startProgram("prometheus", [...flags, `--web.listen-address=127.0.0.1:${port}`, ...args], port);
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
const SCRATCH_BYTES = 64 * 1_048_576;
const WRITE_BYTES = 262_144;
/** Rest after each write, in ms: some hundred I/Os a second are enough, and others use this disk too. */
const REST_MS = 5;
/** Writers side by side, so that requests queue and await is more than one request's own time. */
const WRITERS = 4;

/** Writes to a scratch file of 64 MiB, each write on the disk before the next begins, until stopped. */
export async function startDiskLoad(folder: string): Promise<{ stop: () => Promise<void> }> {
  const path = join(folder, "scratch");
  const flags = constants.O_CREAT | constants.O_RDWR | constants.O_DSYNC;
  const file = await open(path, flags);
  await file.truncate(SCRATCH_BYTES);
  const data = Buffer.alloc(WRITE_BYTES, 7);
  let stopped = false;
  const writer = async (lane: number) => {
    const share = SCRATCH_BYTES / WRITERS;
    for (let at = 0; !stopped; at = (at + WRITE_BYTES) % share) {
      await file.write(data, 0, WRITE_BYTES, lane * share + at);
      await new Promise((resolve) => setTimeout(resolve, REST_MS));
    }
  };
  const writers = Array.from({ length: WRITERS }, (_, lane) => writer(lane));
  return {
    async stop() {
      stopped = true;
      await Promise.all(writers);
      await file.close();
      await rm(path, { force: true });
    },
  };
}

/** One interval of `iostat -x`. */
export interface IostatInterval {
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

/**
 * Runs `iostat -x`; the first report is of the time since boot, each other one of `seconds`.
 * @param onReport called as each report comes in
 */
export async function runIostat(
  device: string,
  seconds: number,
  reports: number,
  onReport: (report: IostatInterval) => void,
): Promise<void> {
  const args = ["-x", "-o", "JSON", device, String(seconds), String(reports)];
  const child = spawn("iostat", args, { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, LC_ALL: "C" } });
  const ended = once(child, "exit");
  for await (const line of createInterface({ input: child.stdout })) {
    const disk = /\{"disk_device".*?\}/.exec(line)?.[0];
    if (disk !== undefined) onReport(weighted(JSON.parse(disk) as IostatDisk));
  }
  await ended;
}

function weighted(disk: IostatDisk): IostatInterval {
  const iosPerSecond = disk["r/s"] + disk["w/s"];
  const waited = disk["r/s"] * disk.r_await + disk["w/s"] * disk.w_await;
  return { awaitMs: waited / iosPerSecond, iosPerSecond };
}
