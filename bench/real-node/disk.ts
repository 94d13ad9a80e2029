/**
 * The node's disk: a sparse file in memory, loop device A on it, loop device B on A, ext4 on B. Only A is throttled, so
 * that B's requests wait in its queue and show a true await; a throttled device itself shows none.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { basename } from "node:path";
import { liftThrottleOf, setThrottle } from "./cgroups.ts";
import { BACKING, BACKING_BYTES, DISK, run } from "./host.ts";
import type { Setting } from "./settings.ts";

export interface Disk {
  /** Name of the device that the file system is on, such as `loop1`. */
  readonly device: string;
  /** Sets the throttle; from now on the disk is slow. */
  throttle(setting: Pick<Setting, "diskMibPerSecond" | "iops">): void;
}

/** KiB; the size of the largest request that EBS counts as one I/O. */
const MAX_REQUEST_KIB = "256";

/** Makes and mounts the disk. `cleanUp` removes what a failure leaves. */
export async function makeDisk({ memoryGib }: Pick<Setting, "memoryGib">): Promise<Disk> {
  await run("truncate", "-s", String(BACKING_BYTES), BACKING);
  const a = await run("losetup", "--find", "--show", BACKING);
  const b = await run("losetup", "--find", "--show", "--direct-io=on", a);
  for (const device of [a, b]) writeFileSync(`/sys/block/${basename(device)}/queue/max_sectors_kb`, MAX_REQUEST_KIB);
  await run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", b);
  await mkdir(DISK, { recursive: true });
  await run("mount", b, DISK);
  limitDirty(readFileSync(`/sys/block/${basename(b)}/dev`, "utf8").trim(), memoryGib);
  const numbers = readFileSync(`/sys/block/${basename(a)}/dev`, "utf8").trim();
  return {
    device: basename(b),
    throttle: ({ diskMibPerSecond, iops }) => {
      setThrottle(numbers, { bytesPerSecond: diskMibPerSecond * 1024 ** 2, iops });
    },
  };
}

/**
 * Share of the node's memory that this file system may have dirty in the page cache: the kernel's default of 20 %.
 * Otherwise the point at which starts fail would depend on this machine's memory
 * (Documentation/ABI/testing/sysfs-class-bdi).
 */
const DIRTY_SHARE = 0.2;

function limitDirty(numbers: string, memoryGib: number): void {
  writeFileSync(`/sys/class/bdi/${numbers}/strict_limit`, "1");
  writeFileSync(`/sys/class/bdi/${numbers}/max_bytes`, String(Math.round(DIRTY_SHARE * memoryGib * 1024 ** 3)));
}

/** Our loop devices, the upper one first: those on our file, and those on these. */
export async function ourLoops(): Promise<string[]> {
  const list = JSON.parse((await run("losetup", "--list", "--json")) || "{}") as {
    loopdevices?: { name: string; "back-file": string | null }[];
  };
  const on = (file: string) =>
    (list.loopdevices ?? []).filter((loop) => loop["back-file"]?.replace(/ \(deleted\)$/, "") === file);
  return on(BACKING).flatMap(({ name }) => [...on(name).map((upper) => upper.name), name]);
}

/** Removes the throttle of our devices. Must come before unmounting, which otherwise takes minutes. */
export async function liftThrottle(): Promise<void> {
  for (const name of await ourLoops()) {
    const numbers = readFileSync(`/sys/block/${basename(name)}/dev`, "utf8").trim();
    liftThrottleOf(numbers);
  }
}
