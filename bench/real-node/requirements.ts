/** What the benchmark needs of the machine, and what to do if it is missing. */
import { accessSync, constants, existsSync, readFileSync, statfsSync } from "node:fs";
import { freemem } from "node:os";
import { delimiter, join } from "node:path";
import { spawnSync } from "node:child_process";
import { missingCgroups } from "./cgroups.ts";
import { BACKING_BYTES } from "./host.ts";

/** Folder of Debian's CNI plugins. */
export const CNI_BIN = "/usr/lib/cni";

/** Programs, and the Debian package each comes with. */
const PROGRAMS: Readonly<Record<string, string>> = {
  containerd: "containerd",
  ctr: "containerd",
  runc: "runc",
  "docker-registry": "docker-registry",
  "prometheus-node-exporter": "prometheus-node-exporter",
  "mkfs.ext4": "e2fsprogs",
  losetup: "mount",
  ip: "iproute2",
};

/** 10 GiB in use at the peak, measured; the rest is for the machine. */
const MEMORY_BYTES = 12 * 1024 ** 3;

/** Everything that is missing, one sentence each; empty when the benchmark can run. */
export function missing(env: NodeJS.ProcessEnv = process.env): string[] {
  if (process.platform !== "linux") return ["This runs on Linux only."];
  return [...missingPrograms(env), ...missingKernel(), ...missingMemory()];
}

function missingPrograms(env: NodeJS.ProcessEnv): string[] {
  const path = [...(env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  const absent = Object.keys(PROGRAMS).filter((name) => !path.some((folder) => isExecutable(join(folder, name))));
  const packages = new Set(absent.map((name) => PROGRAMS[name] ?? name));
  if (!["bridge", "host-local", "loopback"].every((plugin) => isExecutable(join(CNI_BIN, plugin)))) {
    packages.add("containernetworking-plugins");
  }
  const go = spawnSync("go", ["version"], { env }).status === 0 ? [] : ["There is no Go (1.26 or later) on PATH."];
  if (packages.size === 0) return go;
  return [`Packages are missing; on Debian: apt-get install --no-install-recommends ${[...packages].join(" ")}`, ...go];
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function missingKernel(): string[] {
  const problems: string[] = [];
  if (process.getuid?.() !== 0) problems.push("It needs root: loop devices, mounts and cgroups are root's.");
  if (!existsSync("/dev/loop-control")) problems.push("There are no loop devices (/dev/loop-control is missing).");
  const filesystems = readFileSync("/proc/filesystems", "utf8");
  for (const name of ["ext4", "overlay"]) {
    if (!new RegExp(`\\b${name}$`, "m").test(filesystems))
      problems.push(`The kernel has no ${name} (modprobe ${name}).`);
  }
  return [...problems, ...missingCgroups()];
}

function missingMemory(): string[] {
  const problems: string[] = [];
  const available = Number(/MemAvailable:\s+(\d+)/.exec(readFileSync("/proc/meminfo", "utf8"))?.[1] ?? 0) * 1_024;
  if (Math.max(available, freemem()) < MEMORY_BYTES) problems.push("It needs 12 GiB of free memory.");
  const { bavail, bsize } = statfsSync("/dev/shm");
  if (bavail * bsize < BACKING_BYTES) problems.push("/dev/shm has less than 12 GiB left.");
  return problems;
}

/** Share of the last minute in which some task waited for a core; above this it changes the figures. Assumed. */
const BUSY_CPU = 0.2;

/** A sentence about other programs that use the cores; empty if they do not, or if it is unknown. */
export function disturbance(pressure = "/proc/pressure/cpu"): string {
  const text = existsSync(pressure) ? readFileSync(pressure, "utf8") : "";
  const share = Number(/^some .*avg60=([\d.]+)/m.exec(text)?.[1] ?? 0) / 100;
  if (share < BUSY_CPU) return "";
  return `Other programs keep the cores busy (tasks waited ${Math.round(share * 100)} % of the last minute): the figures will show it.`;
}
