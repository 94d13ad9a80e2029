/**
 * Undoes everything, also what a crashed run left. It looks for our fixed names and paths, not for what this process
 * remembers. It touches nothing else.
 */
import { existsSync, readdirSync, readFileSync, readlinkSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ourCgroups, restoreRootControllers, rootControllers } from "./cgroups.ts";
import { liftThrottle, ourLoops } from "./disk.ts";
import { BACKING, BRIDGE, RUN, run, STATE_FILE, until } from "./host.ts";

/** Settings of the kernel that a kubelet changes for good (its `protectKernelDefaults` would only complain). */
const SYSCTLS = [
  "vm/overcommit_memory",
  "vm/panic_on_oom",
  "kernel/panic",
  "kernel/panic_on_oops",
  "kernel/keys/root_maxkeys",
  "kernel/keys/root_maxbytes",
  "net/ipv4/ip_forward",
];
/** Folders that a kubelet or containerd makes whatever its flags say. They are removed if they did not exist before. */
const FOLDERS = ["/var/lib/kubelet", "/var/log/containers", "/var/log/pods", "/opt/containerd", "/etc/cni", "/opt/cni"];
/** ms; a killed process needs a moment to close its files. */
const PATIENCE_MS = 15_000;

interface State {
  readonly sysctls: Readonly<Record<string, string>>;
  /** Those of FOLDERS that did not exist. */
  readonly absent: readonly string[];
  /** What the root of cgroup v2 gives to its children. */
  readonly controllers: readonly string[];
}

/** Saves the machine's settings before they are changed. An existing file is of a run that crashed, so it stays. */
export function rememberHost(): void {
  if (existsSync(STATE_FILE)) return;
  const readable = SYSCTLS.filter((name) => existsSync(`/proc/sys/${name}`));
  const sysctls = Object.fromEntries(readable.map((name) => [name, readFileSync(`/proc/sys/${name}`, "utf8").trim()]));
  const absent = FOLDERS.filter((folder) => !existsSync(folder));
  const state: State = { sysctls, absent, controllers: rootControllers() };
  writeFileSync(STATE_FILE, JSON.stringify(state));
}

/** Removes everything. @throws an error that names what is left */
export async function cleanUp(): Promise<void> {
  await liftThrottle();
  await until("our processes end", PATIENCE_MS, () => endProcesses() === 0);
  await unmountAll();
  for (const loop of await ourLoops()) await run("losetup", "--detach", loop);
  rmSync(BACKING, { force: true });
  if (existsSync(`/sys/class/net/${BRIDGE}`)) await run("ip", "link", "delete", BRIDGE);
  await until("our cgroups are removed", PATIENCE_MS, removeCgroups);
  rmSync(RUN, { recursive: true, force: true });
  restoreHost();
}

/**
 * Kills our processes: those in our cgroups, and those whose command line names our folder. Returns how many there
 * were.
 */
function endProcesses(): number {
  const ours = new Set([...ourCgroups().flatMap(processesIn), ...processesNaming(RUN)]);
  ours.delete(process.pid);
  for (const pid of ours) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It ended before the signal.
    }
  }
  return ours.size;
}

function processesNaming(text: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) =>
      readOr(`/proc/${pid}/cmdline`)
        .split("\0")
        .slice(0, -1)
        .some((argument) => argument.includes(text)),
    )
    .filter((pid) => isOurProgram(pid))
    .map(Number);
}

/** True for our programs: a shell or an editor may name our folder, too. */
function isOurProgram(pid: string): boolean {
  const comm = readOr(`/proc/${pid}/comm`).trim();
  return /^(containerd|containerd-shim|kubelet|registry|docker-registry|runc|ctr|prometheus-node|pause)/.test(comm);
}

function readOr(path: string, otherwise = ""): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return otherwise;
  }
}

const processesIn = (cgroup: string) => readOr(join(cgroup, "cgroup.procs")).split("\n").filter(Boolean).map(Number);

function removeCgroups(): boolean {
  for (const folder of ourCgroups()) {
    try {
      rmdirSync(folder);
    } catch {
      return false; // busy for a moment after its last process ended
    }
  }
  return true;
}

/** What is mounted below our folder, the innermost first. */
function ourMounts(): string[] {
  const points = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "");
  return points.filter((point) => point === RUN || point.startsWith(`${RUN}/`)).reverse();
}

async function unmountAll(): Promise<void> {
  await until("our mounts are gone", PATIENCE_MS, async () => {
    for (const point of ourMounts()) await run("umount", point).catch(() => undefined);
    return ourMounts().length === 0;
  });
}

function restoreHost(): void {
  const text = readOr(STATE_FILE);
  if (text === "") return;
  const { sysctls, absent, controllers } = JSON.parse(text) as State;
  for (const [name, value] of Object.entries(sysctls)) {
    if (readOr(`/proc/sys/${name}`).trim() !== value) writeFileSync(`/proc/sys/${name}`, value);
  }
  restoreRootControllers(controllers);
  removeDanglingLogs();
  for (const folder of absent) rmSync(folder, { recursive: true, force: true });
  rmSync(STATE_FILE);
}

/** The kubelet's links from /var/log/containers to our pods' logs. */
function removeDanglingLogs(): void {
  const folder = "/var/log/containers";
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isSymbolicLink() && readlinkSync(path).startsWith(RUN)) rmSync(path);
  }
}
