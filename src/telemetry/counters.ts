/** node_exporter's series as one snapshot of counters and gauges of a node. */
import type { CounterSnapshot, DiskCounters } from "../core/signals/snapshot.ts";
import { diskOf, imageDeviceOf, imageMounts, readMounts } from "./image-device.ts";
import type { Series } from "./prometheus-text.ts";

/** Families of node_exporter's diskstats collector, by field. */
const diskFamilies = {
  node_disk_reads_completed_total: "reads",
  node_disk_writes_completed_total: "writes",
  node_disk_read_time_seconds_total: "readSeconds",
  node_disk_write_time_seconds_total: "writeSeconds",
  node_disk_io_time_seconds_total: "ioSeconds",
  node_disk_read_bytes_total: "readBytes",
  node_disk_written_bytes_total: "writtenBytes",
} as const satisfies Record<string, keyof DiskCounters>;

/** Families of its meminfo, pressure and loadavg collectors, by field. */
const nodeFamilies = {
  node_memory_Dirty_bytes: "dirtyBytes",
  node_memory_Writeback_bytes: "writebackBytes",
  node_memory_MemTotal_bytes: "memoryBytes",
  node_pressure_io_waiting_seconds_total: "ioPressureSeconds",
  node_pressure_cpu_waiting_seconds_total: "cpuPressureSeconds",
  node_load1: "load1",
} as const satisfies Record<string, keyof CounterSnapshot>;

/** It has one series for each core and mode; the mode idle exists for every core. */
const CPU_FAMILY = "node_cpu_seconds_total";

/** It has one series for each file system, and so names the device of the images. */
const MOUNT_FAMILY = "node_filesystem_size_bytes";

/** It has one series for each device-mapper volume, with its device and its name under /dev/mapper (since 1.4). */
const MAPPER_FAMILY = "node_disk_device_mapper_info";

/** Every family that is read; all others are skipped. */
export const wantedFamilies: ReadonlySet<string> = new Set([
  ...Object.keys(diskFamilies),
  ...Object.keys(nodeFamilies),
  CPU_FAMILY,
  MOUNT_FAMILY,
  MAPPER_FAMILY,
]);

const isImageMount = (mount: string) => (imageMounts as readonly string[]).includes(mount);

/** Boot partitions are on the disk of the system. */
const BOOT_MOUNT = /^\/(boot|efi)(\/|$)/;

const has = <T extends object>(table: T, name: string): name is keyof T & string => Object.hasOwn(table, name);

const isWhole = (disk: Partial<DiskCounters>): disk is DiskCounters =>
  Object.values(diskFamilies).every((field) => Number.isFinite(disk[field]));

/**
 * Most devices of one node; more are ignored, so that an endless list cannot fill the memory. No machine has as many.
 */
export const MAX_DISKS = 1_024;

/** Collects the series of one scrape as they come. */
export interface CounterCollector {
  readonly add: (series: Series) => void;
  /** True if any series was of a wanted family. */
  readonly isEmpty: boolean;
  /** The snapshot. A device that lacks a counter (or has NaN in one) is left out. */
  snapshot(atMs: number, steadyMs: number): CounterSnapshot;
}

/** Makes an empty collector. */
export function counterCollector(): CounterCollector {
  const disks = new Map<string, Partial<Record<keyof DiskCounters, number>>>();
  const node: Partial<Record<(typeof nodeFamilies)[keyof typeof nodeFamilies], number>> = {};
  const mounts = new Map<string, string>();
  const mounted = new Set<string>();
  const mapped = new Map<string, string>();
  let [cores, count] = [0, 0];
  const addDisk = (field: keyof DiskCounters, device: string, value: number) => {
    const disk = disks.get(device) ?? {};
    disk[field] = value;
    if (disks.size < MAX_DISKS || disks.has(device)) disks.set(device, disk);
  };
  const addMount = (mountpoint: string, device: string) => {
    if (readMounts.includes(mountpoint)) mounts.set(mountpoint, device);
    if (isImageMount(mountpoint) || BOOT_MOUNT.test(mountpoint)) return;
    if (device.startsWith("/dev/") && mounted.size < MAX_DISKS) mounted.add(device);
  };
  const add = ({ name, labels, value }: Series) => {
    count += 1;
    if (has(diskFamilies, name)) addDisk(diskFamilies[name], labels.device ?? "", value);
    else if (has(nodeFamilies, name)) {
      if (Number.isFinite(value)) node[nodeFamilies[name]] = value;
    } else if (name === CPU_FAMILY && labels.mode === "idle") {
      cores += 1;
    } else if (name === MOUNT_FAMILY) addMount(labels.mountpoint ?? "", labels.device ?? "");
    else if (name === MAPPER_FAMILY && mapped.size < MAX_DISKS) mapped.set(labels.name ?? "", labels.device ?? "");
  };
  return {
    add,
    get isEmpty() {
      return count === 0;
    },
    snapshot(atMs, steadyMs) {
      const whole = [...disks].flatMap(([device, disk]) => (isWhole(disk) ? [[device, disk] as const] : []));
      const isDisk = (device: string) => disks.has(device);
      const imageDevice = imageDeviceOf(mounts, isDisk, mapped);
      const mountedDisks = [...mounted].map((device) => diskOf(device, isDisk)).filter((disk) => disk !== undefined);
      const dataDisks = new Set(mountedDisks.filter((disk) => disk !== imageDevice));
      const rest = { atMs, steadyMs, imageDevice, dataDisks, cores: cores > 0 ? cores : undefined };
      return { ...noFigures, ...node, ...rest, disks: new Map(whole) };
    },
  };
}

/** Makes a snapshot of a complete list of series. */
export function countersOf(series: readonly Series[], atMs: number, steadyMs = atMs): CounterSnapshot {
  const collector = counterCollector();
  series.forEach(collector.add);
  return collector.snapshot(atMs, steadyMs);
}

const noFigures = {
  dirtyBytes: undefined,
  writebackBytes: undefined,
  memoryBytes: undefined,
  ioPressureSeconds: undefined,
  cpuPressureSeconds: undefined,
  load1: undefined,
} as const;
