import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countersOf } from "../../../src/telemetry/counters.ts";
import type { CounterSnapshot, DiskCounters } from "../../../src/core/signals/snapshot.ts";
import { deviceFilter, sampleOf } from "../../../src/core/signals/sample.ts";

const zero: DiskCounters = {
  reads: 0,
  writes: 0,
  readSeconds: 0,
  writeSeconds: 0,
  ioSeconds: 0,
  readBytes: 0,
  writtenBytes: 0,
};

function snapshot(
  atMs: number,
  disks: Record<string, Partial<DiskCounters>>,
  node: Partial<CounterSnapshot> = {},
): CounterSnapshot {
  const whole = Object.entries(disks).map(([device, disk]) => [device, { ...zero, ...disk }] as const);
  return { ...countersOf([], atMs), ...node, disks: new Map(whole) };
}

const everyDisk = deviceFilter(undefined);

describe("figures between two snapshots", () => {
  const before = snapshot(
    10_000,
    { nvme0n1: { reads: 100, writes: 100, readSeconds: 1, writeSeconds: 1 } },
    { ioPressureSeconds: 5 },
  );
  const now = snapshot(
    12_000,
    {
      nvme0n1: {
        reads: 110,
        writes: 130,
        readSeconds: 2,
        writeSeconds: 8,
        ioSeconds: 1.5,
        writtenBytes: 4e6,
        readBytes: 2e6,
      },
    },
    { ioPressureSeconds: 6, dirtyBytes: 9, load1: 3, cores: 4 },
  );

  it("are means over the time between", () => {
    expect(sampleOf(now, before, everyDisk)).toMatchObject({
      atMs: 12_000,
      awaitMs: 200,
      iops: 20,
      utilisation: 0.75,
      writeBytesPerSecond: 2e6,
      readBytesPerSecond: 1e6,
      ioPressure: 0.5,
      dirtyBytes: 9,
      load1: 3,
      cores: 4,
    });
  });

  it("are unknown, not zero, without an earlier snapshot", () => {
    const sample = sampleOf(now, undefined, everyDisk);
    expect([sample.awaitMs, sample.utilisation, sample.ioPressure]).toEqual([undefined, undefined, undefined]);
    expect(sample.dirtyBytes).toBe(9);
  });

  it("are unknown when counters were reset by a reboot", () => {
    const sample = sampleOf({ ...before, atMs: 14_000 }, now, everyDisk);
    expect([sample.awaitMs, sample.writeBytesPerSecond, sample.ioPressure]).toEqual([undefined, undefined, undefined]);
  });

  it("are unknown when no time has passed, or when time went back", () => {
    for (const atMs of [12_000, 11_000]) expect(sampleOf({ ...now, atMs }, now, everyDisk).utilisation).toBeUndefined();
  });

  it("give await 0 for an idle disk, and unknown for a busy disk that completes nothing", () => {
    const later = (ioSeconds: number) =>
      sampleOf(snapshot(2_000, { sda: { ioSeconds } }), snapshot(0, { sda: {} }), everyDisk);
    expect(later(0).awaitMs).toBe(0);
    expect(later(2)).toMatchObject({ utilisation: 1, awaitMs: undefined });
  });

  it("are in range or unknown with any counters", () => {
    const counter = fc.oneof(fc.double({ min: 0, noNaN: true, max: 1e15 }), fc.constant(0));
    const disk = fc.record({
      reads: counter,
      writes: counter,
      readSeconds: counter,
      writeSeconds: counter,
      ioSeconds: counter,
      readBytes: counter,
      writtenBytes: counter,
    });
    fc.assert(
      fc.property(disk, disk, fc.integer({ min: -5_000, max: 60_000 }), (a, b, elapsedMs) => {
        const { awaitMs, utilisation } = sampleOf(snapshot(elapsedMs, { sda: b }), snapshot(0, { sda: a }), everyDisk);
        if (utilisation !== undefined) expect(utilisation >= 0 && utilisation <= 1).toBe(true);
        if (awaitMs !== undefined) expect(awaitMs).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});

describe("the device", () => {
  const before = snapshot(0, { sda: {}, sdb: {}, loop0: {}, "dm-0": {} });
  const now = snapshot(1_000, {
    sda: { ioSeconds: 0.2, writtenBytes: 1 },
    sdb: { ioSeconds: 0.6, writtenBytes: 2 },
    loop0: { ioSeconds: 1, writtenBytes: 3 },
    "dm-0": { ioSeconds: 0.9, writtenBytes: 4 },
  });
  const writtenOn = (pattern?: string) => sampleOf(now, before, deviceFilter(pattern)).writeBytesPerSecond;

  it("is the busiest real disk unless the policy names one", () => expect(writtenOn()).toBe(2));
  it("is the one that the policy names, stacked or loop devices included", () => {
    expect([writtenOn("sda"), writtenOn("loop0"), writtenOn("dm-.*")]).toEqual([1, 3, 4]);
  });
  it("must match by its whole name", () => expect(writtenOn("sd")).toBeUndefined());
  it("counts only if it existed before", () => {
    expect(sampleOf(now, snapshot(0, {}), everyDisk).utilisation).toBeUndefined();
  });
});

it("a device with missing counters is left out", () => {
  const series = [{ name: "node_disk_reads_completed_total", labels: { device: "sda" }, value: 5 }];
  expect(countersOf(series, 0).disks.size).toBe(0);
});

describe("the disk of a dump whose exporter leaves bind mounts out", () => {
  const families = [
    "reads_completed",
    "writes_completed",
    "read_time_seconds",
    "write_time_seconds",
    "io_time_seconds",
  ];
  const page = (writes: Record<string, readonly [ios: number, seconds: number]>, mounts: Record<string, string>) =>
    countersOf(
      [
        ...Object.entries(writes).flatMap(([device, [ios, seconds]]) =>
          [...families, "read_bytes", "written_bytes"].map((family) => ({
            name: `node_disk_${family}_total`,
            labels: { device },
            value: family === "writes_completed" ? ios : family.endsWith("_seconds") ? seconds / 3 : 0,
          })),
        ),
        ...Object.entries(mounts).map(([mountpoint, device]) => ({
          name: "node_filesystem_size_bytes",
          labels: { mountpoint, device },
          value: 1,
        })),
      ],
      Object.values(writes)[0]?.[0] === 0 ? 0 : 10_000,
    );
  it.each([
    ["EKS AL2023 with RAID0", "md127", { "/": "/dev/nvme0n1p1", "/mnt/k8s-disks/0": "/dev/md127" }],
    ["a container's own view", "nvme1n1", { "/": "overlay", "/etc/hostname": "/dev/nvme1n1" }],
  ])("is the images', not the busy root: %s", (_layout, device, mounts) => {
    const seconds = (root: number, images: number) =>
      page({ nvme0n1: [root * 100, root * 9], [device]: [images * 1_000, images] }, mounts);
    expect(sampleOf(seconds(1, 1), seconds(0, 0), everyDisk).awaitMs).toBeCloseTo(2 / 3);
  });
});

describe("without the images' disk, a disk of other data is left out", () => {
  const page = (busy: Record<string, number>, mounts: Record<string, string>, atMs: number) =>
    countersOf(
      [
        ...Object.entries(busy).flatMap(([device, value]) =>
          [
            ...["reads_completed", "writes_completed", "read_time_seconds", "write_time_seconds", "io_time_seconds"],
            ...["read_bytes", "written_bytes"],
          ].map((family) => ({ name: `node_disk_${family}_total`, labels: { device }, value })),
        ),
        ...Object.entries(mounts).map(([mountpoint, device]) => ({
          name: "node_filesystem_size_bytes",
          labels: { mountpoint, device },
          value: 1,
        })),
      ],
      atMs,
    );
  const device = (mounts: Record<string, string>) =>
    sampleOf(page({ sda: 2, sdb: 9 }, mounts, 10_000), page({ sda: 0, sdb: 0 }, mounts, 0), everyDisk).device;

  it.each([
    ["mounted whole", { "/": "/dev/root", "/data": "/dev/sdb" }, "sda"],
    ["mounted by a partition", { "/": "/dev/root", "/data": "/dev/sdb1" }, "sda"],
    ["mounted for the kubelet alone", { "/": "/dev/root", "/var/lib/kubelet": "/dev/sdb1" }, "sda"],
    ["but not for its boot partition", { "/": "/dev/root", "/boot/efi": "/dev/sdb15" }, "sdb"],
    ["but not where none is left", { "/": "/dev/root", "/data": "/dev/sda2", "/more": "/dev/sdb1" }, "sdb"],
  ])("%s", (_case, mounts, name) => expect(device(mounts)).toEqual({ name, holdsImages: false }));

  it("and the sample says whether its disk is known to hold the images", () => {
    expect(device({ "/": "/dev/sda1" })).toEqual({ name: "sda", holdsImages: true });
  });
});
