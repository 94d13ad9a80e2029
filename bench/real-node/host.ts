/**
 * The fixed paths and names of the benchmark on the host, so that a later run finds what a crashed one left. Also runs
 * programs.
 */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { cacheFolder as builtPrograms } from "../../dev/go-build.ts";

const execute = promisify(execFile);

/** Folder of everything that lasts one round. No other program's command line has this path. */
export const RUN = "/run/paceline-real-node";
/** The throttled file system: containerd's root, the kubelet's root, pod logs. */
export const DISK = join(RUN, "disk");
/** The sparse file behind it, in memory. */
export const BACKING = "/dev/shm/paceline-real-node.img";
/** 12 GiB: 7.5 GB of images at most, and their blobs while they are unpacked. */
export const BACKING_BYTES = 12 * 1024 ** 3;
export const BRIDGE = "plbench0";
/**
 * The node's address: on the bridge, so it is no loopback address (the kubelet refuses these) and reaches no other
 * host.
 */
export const NODE_IP = "10.231.0.1";
export const CGROUP = "paceline-real-node";
export const NODE_NAME = "young-1";
/** What must be put back: written before anything is changed. */
export const STATE_FILE = "/run/paceline-real-node.state.json";
export const LOCK_FILE = "/run/paceline-real-node.lock";

/** Built programs and images: made once, outside git. `PACELINE_CACHE` moves it. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  return join(builtPrograms(env), "real-node");
}

/** Runs a program and returns what it printed. @throws with its stderr when it fails. */
export async function run(command: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await execute(command, [...args], { maxBuffer: 64 * 1024 ** 2 });
  return stdout.trim();
}

/** Calls `probe` every 100 ms until it is true. @throws after `timeoutMs`. */
export async function until(what: string, timeoutMs: number, probe: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await probe())) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs / 1_000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
