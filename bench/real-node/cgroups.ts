/**
 * cgroups of both versions. The node's programs and pods are in one cgroup with a fixed name, and the disk is
 * throttled. Version 1 throttles the root cgroup. Version 2 has no `io.max` there, so containerd and kubelet run inside
 * of our cgroup. It limits the writes of these programs, their pods and their writeback.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CGROUP } from "./host.ts";

export const CGROUPS = "/sys/fs/cgroup";

export type CgroupVersion = 1 | 2;

/** The cgroup version that controls I/O here: 1 if its blkio is mounted, otherwise 2; undefined if neither does. */
export function cgroupVersion(root = CGROUPS): CgroupVersion | undefined {
  if (existsSync(join(root, "blkio/blkio.throttle.write_bps_device"))) return 1;
  return existsSync(join(root, "cgroup.controllers")) ? 2 : undefined;
}

/** What is missing for a throttle, and what to do; empty when it can be set. */
export function missingCgroups(root = CGROUPS): string[] {
  const version = cgroupVersion(root);
  if (version === undefined) {
    return [
      `There is neither cgroup v1's blkio controller (${root}/blkio) nor cgroup v2 (${root}/cgroup.controllers).`,
    ];
  }
  if (version === 1 || controllersOf(root).includes("io")) return [];
  return [
    `cgroup v2 has no io controller here: ${root}/cgroup.controllers lists ${controllersOf(root).join(" ") || "none"}; ` +
      "the kernel needs CONFIG_BLK_CGROUP, and a container must see the host's cgroups.",
  ];
}

const wordsOf = (path: string) => readFileSync(path, "utf8").split(/\s+/).filter(Boolean);
const controllersOf = (root: string) => wordsOf(join(root, "cgroup.controllers"));

export interface Throttle {
  /** Reads and writes each; 0: no limit. */
  readonly bytesPerSecond: number;
  readonly iops: number;
}

/** A file of the kernel and the text to write to it. */
export interface KernelWrite {
  readonly path: string;
  readonly text: string;
}

/** @param numbers `major:minor` of the device. */
export function throttleWrites(version: CgroupVersion, numbers: string, throttle: Throttle): KernelWrite[] {
  const { bytesPerSecond, iops } = throttle;
  if (version === 2) {
    const [bytes, ios] = [bytesPerSecond, iops].map((limit) => (limit === 0 ? "max" : String(limit)));
    const text = `${numbers} rbps=${bytes} wbps=${bytes} riops=${ios} wiops=${ios}`;
    return [{ path: join(CGROUPS, CGROUP, "io.max"), text }];
  }
  const file = (name: string) => join(CGROUPS, "blkio", `blkio.throttle.${name}_device`);
  return ["read", "write"].flatMap((direction) => [
    { path: file(`${direction}_bps`), text: `${numbers} ${bytesPerSecond}` },
    { path: file(`${direction}_iops`), text: `${numbers} ${iops}` },
  ]);
}

/** Sets a throttle. @throws where the kernel has none (CONFIG_BLK_DEV_THROTTLING). */
export function setThrottle(numbers: string, throttle: Throttle): void {
  for (const { path, text } of throttleWrites(cgroupVersion() ?? 1, numbers, throttle)) writeFileSync(path, text);
}

/** Removes the throttle. If our cgroup of version 2 is gone, so is the throttle. */
export function liftThrottleOf(numbers: string): void {
  const writes = throttleWrites(cgroupVersion() ?? 1, numbers, { bytesPerSecond: 0, iops: 0 });
  for (const { path, text } of writes) if (existsSync(path)) writeFileSync(path, text);
}

/** Makes our cgroups: one for each controller in version 1; in version 2 one, with a leaf for the programs. */
export function makeCgroups(): void {
  if (cgroupVersion() === 2) makeUnified();
  else makeForEachController();
}

function makeForEachController(): void {
  for (const controller of readdirSync(CGROUPS)) mkdirSync(join(CGROUPS, controller, CGROUP), { recursive: true });
  for (const file of ["cpuset.cpus", "cpuset.mems"]) {
    const value = readFileSync(join(CGROUPS, "cpuset", file), "utf8").trim(); // empty until its processors are set
    writeFileSync(join(CGROUPS, "cpuset", CGROUP, file), value);
  }
}

/** The controllers that a kubelet needs, and io. */
const CONTROLLERS = ["cpu", "cpuset", "io", "memory", "pids", "hugetlb"];
const PROGRAMS = join(CGROUPS, CGROUP, "programs");

function makeUnified(): void {
  mkdirSync(PROGRAMS, { recursive: true });
  for (const folder of [CGROUPS, join(CGROUPS, CGROUP)]) {
    const wanted = CONTROLLERS.filter((name) => controllersOf(folder).includes(name));
    setControllers(folder, wanted.map((name) => `+${name}`)); // prettier-ignore
  }
}

const controlFile = (folder: string) => join(folder, "cgroup.subtree_control");

function setControllers(folder: string, changes: readonly string[]): void {
  if (changes.length > 0) writeFileSync(controlFile(folder), changes.join(" "));
}

/** Controllers that the machine's root gives to its children; none with version 1. */
export const rootControllers = (): string[] => (cgroupVersion() === 2 ? wordsOf(controlFile(CGROUPS)) : []);

/** Removes controllers that the root did not give before. One that another cgroup uses by now stays. */
export function restoreRootControllers(before: readonly string[]): void {
  for (const name of rootControllers().filter((controller) => !before.includes(controller))) {
    try {
      setControllers(CGROUPS, [`-${name}`]);
    } catch {
      // Another cgroup uses it by now.
    }
  }
}

/** The command that runs a program inside of the throttled cgroup. */
export function throttled(version: CgroupVersion, command: string, args: readonly string[]): [string, string[]] {
  if (version === 1) return [command, [...args]];
  return ["sh", ["-c", 'echo $$ > "$0" && exec "$@"', join(PROGRAMS, "cgroup.procs"), command, ...args]];
}

/** Our cgroups that exist, children first. */
export function ourCgroups(): string[] {
  const roots = [CGROUPS, ...readdirSync(CGROUPS).map((name) => join(CGROUPS, name))];
  return [...new Set(roots.map((root) => join(root, CGROUP)).filter(existsSync).flatMap(tree))]; // prettier-ignore
}

function tree(folder: string): string[] {
  const children = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [...children.flatMap((child) => tree(join(folder, child.name))), folder];
}
