/** The pure parts of telemetry: devices, labels, JSON, endpoints, plausibility, summaries, docs and manifests. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { sliceSelector } from "../../../src/service/exporter-endpoints.ts";
import { nodeName } from "../../../src/core/ids.ts";
import { countersOf } from "../../../src/telemetry/counters.ts";
import { ExporterAddresses, sliceAddresses } from "../../../src/telemetry/endpoints.ts";
import { imageDeviceOf } from "../../../src/telemetry/image-device.ts";
import { jsonElements } from "../../../src/telemetry/json-elements.ts";
import { nodeFinder } from "../../../src/telemetry/node-label.ts";
import { plausible } from "../../../src/telemetry/plausible.ts";
import { addSeries, figuresQuery, type NodeFigures } from "../../../src/telemetry/prometheus-query.ts";
import { chooseDisk, deviceFilter, sampleOf } from "../../../src/core/signals/sample.ts";
import { telemetryFailureKinds } from "../../../src/telemetry/source.ts";
import { readSummary, summarySample } from "../../../src/telemetry/summary.ts";
import { promAnswer, promNode, promSeries, summary } from "./source-answers.ts";

const ROOT = join(import.meta.dirname, "../../..");

describe("the image file system's device", () => {
  const disks = new Set(["nvme0n1", "nvme1n1", "sda", "vda", "mmcblk0", "md0", "md127", "dm-3"]);
  const found = (mounts: Record<string, string>) =>
    imageDeviceOf(new Map(Object.entries(mounts)), (name) => disks.has(name), new Map([["vg-var", "dm-3"]]));

  it.each([
    [{ "/": "/dev/nvme0n1p1" }, "nvme0n1"],
    [{ "/": "/dev/nvme0n1p1", "/var/lib/containerd": "/dev/nvme1n1" }, "nvme1n1"],
    [{ "/": "/dev/sda3" }, "sda"],
    [{ "/": "/dev/vda" }, "vda"],
    [{ "/": "/dev/mmcblk0p2" }, "mmcblk0"],
    [{ "/": "/dev/vda1", "/var/lib/docker": "/dev/md0" }, "md0"],
    [{ "/": "overlay" }, undefined],
    [{ "/": "/dev/mapper/vg-root" }, undefined],
    [{ "/": "/dev/sda1", "/var": "/dev/mapper/vg-var" }, "dm-3"],
    [{ "/": "/dev/nvme0n1p1", "/var/lib/containerd": "/dev/md127" }, "md127"],
    [{ "/": "/dev/sdz1" }, undefined],
    [{ "/": "/dev/nvme0n1p1", "/mnt/k8s-disks/0": "/dev/md127" }, "md127"],
    [{ "/": "/dev/root", "/local": "/dev/nvme1n1p1" }, "nvme1n1"],
    [{ "/": "/dev/mapper/vroot", "/mnt/stateful_partition": "/dev/sda1" }, "sda"],
    [{ "/mnt/stateful_partition": "/dev/sda1", "/mnt/stateful_partition/kube-ephemeral-ssd": "/dev/md0" }, "md0"],
    [{ "/": "overlay", "/etc/hostname": "/dev/nvme1n1" }, "nvme1n1"],
    [{ "/": "overlay", "/etc/resolv.conf": "/dev/sda3" }, "sda"],
    [{ "/": "/dev/sda1", "/var/lib/containerd": "rpool/containerd" }, undefined],
    [{ "/": "/dev/sda1", "/var": "/dev/disk/by-uuid/5f0c-sda1" }, undefined],
    [{ "/": "/dev/nvme0n1p1", "/mnt/k8s-disks/0": "/dev/md127", "/var/lib/kubelet": "/dev/md127" }, "md127"],
    [{ "/": "/dev/nvme0n1p1", "/mnt/k8s-disks/0": "/dev/md127", "/var/lib/kubelet": "/dev/sda1" }, "nvme0n1"],
    [{ "/": "/dev/nvme0n1p1", "/mnt/k8s-disks/0": "/dev/md127", "/var/lib/containerd": "/dev/sda1" }, "sda"],
    [{ "/": "/dev/nvme0n1p1", "/mnt/k8s-disks/0": "/dev/nvme1n1" }, "nvme0n1"],
    [{ "/": "/dev/nvme0n1p1", "/mnt/k8s-disks/0": "/dev/nvme1n1", "/var/lib/kubelet": "/dev/nvme1n1" }, "nvme1n1"],
    [{ "/": "/dev/nvme0n1p1", "/var/lib/kubelet": "/dev/nvme1n1" }, "nvme0n1"],
    [
      {
        "/mnt/stateful_partition": "/dev/sda1",
        "/mnt/stateful_partition/kube-ephemeral-ssd": "/dev/md0",
        "/var/lib/kubelet": "/dev/sda1",
      },
      "sda",
    ],
    [{}, undefined],
  ])("of mounts %j is %s", (mounts, device) => expect(found(mounts as Record<string, string>)).toBe(device));

  const figures = (device: string, utilisation: number) => ({
    device,
    utilisation,
    awaitMs: 1,
    iops: 1,
    writeBytesPerSecond: 0,
    readBytesPerSecond: 0,
  });
  it("is preferred to the busiest one, unless the policy names another", () => {
    const all = [figures("nvme0n1", 0.2), figures("nvme1n1", 0.9)];
    const chosen = (pattern?: string, image?: string) => chooseDisk(all, deviceFilter(pattern), image)?.device;
    expect([chosen(), chosen(undefined, "nvme0n1"), chosen("nvme1n1", "nvme0n1")]).toEqual([
      ...["nvme1n1", "nvme0n1", "nvme1n1"],
    ]);
  });

  it("may be a RAID array or a logical volume: these count where they hold the images, not otherwise", () => {
    const all = [figures("nvme0n1", 0.9), figures("md127", 0.2), figures("dm-3", 0.95)];
    const chosen = (image?: string, pattern?: string) => chooseDisk(all, deviceFilter(pattern), image)?.device;
    expect([chosen("md127"), chosen("dm-3"), chosen(), chosen("md127", "nvme0n1")]).toEqual([
      "md127",
      "dm-3",
      "nvme0n1",
      "nvme0n1",
    ]);
  });

  it("is unknown, never another one, while a RAID array of images has no time figures or no figures at all", () => {
    const all = [figures("nvme0n1", 0.9), { ...figures("md127", 0), writeBytesPerSecond: 1e8 }];
    const chosen = (image: string, pattern?: string) => chooseDisk(all, deviceFilter(pattern), image)?.device;
    expect([chosen("md127"), chosen("dm-3")]).toEqual([undefined, undefined]);
    expect([chosen("md127", "nvme0n1"), chosen("dm-3", "nvme0n1")]).toEqual(["nvme0n1", "nvme0n1"]);
  });

  it("is no disk on which other data is mounted, as long as another one is left", () => {
    const all = [figures("sda", 0.4), figures("sdb", 0.9)];
    const chosen = (...dataDisks: string[]) =>
      chooseDisk(all, deviceFilter(undefined), undefined, new Set(dataDisks))?.device;
    expect([chosen(), chosen("sdb"), chosen("sda", "sdb")]).toEqual(["sdb", "sda", "sdb"]);
  });
});

it("figures of two boots mixed (more busy time than time) are unknown", () => {
  const disk = (value: number) =>
    [
      ...["reads_completed_total", "writes_completed_total", "read_time_seconds_total", "write_time_seconds_total"],
      ...["io_time_seconds_total", "read_bytes_total", "written_bytes_total"],
    ].map((family) => ({ name: `node_disk_${family}`, labels: { device: "sda" }, value }));
  const between = (value: number) =>
    sampleOf(countersOf(disk(value), 1_000), countersOf(disk(0), 0), deviceFilter(undefined)).utilisation;
  expect([between(0.5), between(1.2), between(50)]).toEqual([0.5, 1, undefined]);
});

it("time between readings is measured on the steady clock, even if the other is set", () => {
  const series = [{ name: "node_pressure_io_waiting_seconds_total", labels: {}, value: 0 }];
  const later = series.map((one) => ({ ...one, value: 1 }));
  const sample = sampleOf(countersOf(later, 3_600_000, 2_000), countersOf(series, 0, 0), () => true);
  expect([sample.ioPressure, sample.atMs]).toEqual([0.5, 3_600_000]);
});

describe("an accepted sample", () => {
  it("never has a figure that is negative, NaN, infinite or absurd", () => {
    const any = fc.oneof(fc.double(), fc.constantFrom(NaN, Infinity, -1, undefined));
    const names = [
      "awaitMs",
      "iops",
      "utilisation",
      "writeBytesPerSecond",
      "dirtyBytes",
      "ioPressure",
      "load1",
      "cores",
    ] as const;
    fc.assert(
      fc.property(fc.array(any, { minLength: 8, maxLength: 8 }), fc.double(), (values, atMs) => {
        const given = Object.fromEntries(names.map((name, index) => [name, values[index]]));
        const { atMs: dated, ...kept } = plausible({ ...given, atMs }, 1_000);
        expect(dated > 1_000).toBe(false);
        for (const value of Object.values(kept))
          expect(typeof value === "number" && value >= 0 && value <= 1e15).toBe(true);
      }),
    );
  });
  it("otherwise keeps its figures unchanged", () => {
    const device = { name: "sda", holdsImages: true };
    expect(plausible({ atMs: 5, device, iops: 3_000, awaitMs: 599_999, utilisation: 1 }, 9)).toEqual({
      atMs: 5,
      device,
      iops: 3_000,
      awaitMs: 599_999,
      utilisation: 1,
    });
    expect(plausible({ atMs: 50, awaitMs: 600_001 }, 9)).toEqual({ atMs: 9 });
  });
});

describe("the node of a label", () => {
  const find = nodeFinder([
    { name: nodeName("node-a"), address: "10.0.0.1", paced: true },
    { name: nodeName("node-b"), address: "fd00::2", paced: true },
    { name: nodeName("10.0.0.1"), address: "10.0.0.3", paced: false },
  ]);
  it.each([
    ["node-a", "node-a"],
    ["node-a:9100", "node-a"],
    ["fd00::2", "node-b"],
    ["[fd00::2]:9100", "node-b"],
    ["10.0.0.3:9100", "10.0.0.1"],
    ["10.0.0.1", "10.0.0.1"],
    ["node-a:", undefined],
    ["node-c:9100", undefined],
    ["", undefined],
    ["node-a.example:9100", undefined],
  ])("%s is %s", (label, node) => expect(find(label)).toBe(node));
});

describe("Prometheus' answer", () => {
  const read = (text: Buffer, cuts: readonly number[] = []) => {
    const elements: unknown[] = [];
    const reader = jsonElements((element) => elements.push(element));
    const places = [0, ...cuts.map((cut) => cut % text.length).toSorted((a, b) => a - b), text.length];
    places.forEach((place, index) => reader.push(text.subarray(place, places[index + 1] ?? text.length)));
    return { elements, frame: reader.end() };
  };

  it("is read the same with any cuts and any labels", () => {
    const label = fc.oneof(fc.string(), fc.constantFrom('"}]{[,', "\\", "ü€𝄞"));
    fc.assert(
      fc.property(fc.array(fc.dictionary(label, label)), fc.array(fc.nat()), (metrics, cuts) => {
        const result = metrics.map((metric) => ({ metric, value: [1, "2"] }));
        const { elements, frame } = read(Buffer.from(promAnswer(result)), cuts);
        expect(elements).toEqual(JSON.parse(JSON.stringify(result)));
        expect(frame).toEqual({ status: "success", data: { resultType: "vector", result: [] } });
      }),
    );
  });

  it("leads to an error if it is something else", () => {
    for (const text of [
      "",
      "null {",
      "<html>",
      '{"data":{"result":[{]}}',
      "x".repeat(70_000),
      '{"data":{"result":[{"a":"' + "y".repeat(20_000),
    ]) {
      expect(() => read(Buffer.from(text)), text.slice(0, 20)).toThrow();
    }
  });

  const sorted = (elements: readonly unknown[]) => {
    const figures = new Map<string, NodeFigures>();
    const nodeOf = (label: string) => (["a", "127.0.0.1:9100"].includes(label) ? "a" : undefined);
    for (const one of elements) addSeries(figures, "instance", nodeOf, one);
    return figures;
  };

  it("is sorted by node; other nodes are ignored", () => {
    const figures = sorted([...promNode(2), null, 5, { metric: {} }, { metric: { instance: "x" }, value: [] }]);
    expect([...figures.keys()]).toEqual(["a"]);
    expect(figures.get("a")?.node).toMatchObject({ age: 2, dirtyBytes: 12345 });
    expect(figures.get("a")?.disks.get("nvme0n1")).toMatchObject({ ios: 100, waitedSeconds: 5 });
  });

  it("keeps nothing of other nodes, and no endless list of devices of one node", () => {
    const series = Array.from({ length: 5_000 }, (_, index) => promSeries("ios", 1, { device: `sd${index}` }));
    expect(sorted([...series, ...promNode(1, "10.9.9.9:9100")]).size).toBe(1);
    expect(sorted(series).get("a")?.disks.size).toBe(1_024);
  });

  it("uses the largest value if two servers report one node under different labels, and the latest scrape", () => {
    const twice = [...promNode(9, "a"), promSeries("cores", 2), promSeries("age", 4), promSeries("dirtyBytes", "NaN")];
    for (const series of [twice, twice.toReversed()]) {
      expect(sorted(series).get("a")?.node).toMatchObject({ cores: 4, age: 4, dirtyBytes: 12345 });
    }
  });

  it("comes from one query, with the policy's label and selector in every part", () => {
    const query = figuresQuery({ nodeLabel: "node", selector: 'job="x"', staleSeconds: 45 });
    expect(query.split(" or label_replace").length).toBe(15);
    expect(query.match(/\{/g)?.length).toBe(query.match(/\{job="x"/g)?.length);
    expect(query).not.toContain("instance");
  });

  it("leaves loop devices out, unless the policy names devices", () => {
    const settings = { nodeLabel: "node", staleSeconds: 45 };
    expect(figuresQuery(settings)).toContain('device!~"(ram|zram|sr|fd|loop)[0-9]+"');
    expect(figuresQuery({ ...settings, device: "loop7" })).not.toContain("loop");
  });
});

describe("exporters behind a Service", () => {
  const endpoint = (node: string | undefined, address: string, ready?: boolean) => ({
    addresses: [address],
    conditions: { ready },
    ...(node !== undefined && { nodeName: node }),
  });

  it("are found by node, ready ones only", () => {
    const slice = {
      endpoints: [endpoint("a", "10.1.0.1"), endpoint("b", "10.1.0.2", false), endpoint(undefined, "10.1.0.3")],
    };
    expect([...sliceAddresses(slice)]).toEqual([["a", "10.1.0.1"]]);
    for (const odd of [null, {}, { endpoints: 5 }, { endpoints: [null, { addresses: [5], nodeName: "a" }] }]) {
      expect(sliceAddresses(odd).size).toBe(0);
    }
  });

  it("move between slices without a gap", () => {
    const [addresses, a] = [new ExporterAddresses(), nodeName("a")];
    addresses.set("s1", new Map([[a, "10.1.0.1"]]));
    addresses.set("s2", new Map([[a, "10.1.0.9"]]));
    addresses.set("s1", new Map());
    expect(addresses.get(a)).toBe("10.1.0.9");
    addresses.delete("s2");
    expect(addresses.get(a)).toBeUndefined();
  });

  it("are selected in the API server's syntax", () => {
    const at = { type: "Endpoints", namespace: "m" } as const;
    expect(sliceSelector({ ...at, service: "s" })).toBe("kubernetes.io/service-name=s");
    const matchExpressions = [
      { key: "tier", operator: "In", values: ["a", "b"] },
      { key: "x", operator: "DoesNotExist" },
    ] as const;
    expect(sliceSelector({ ...at, labelSelector: { matchLabels: { app: "ne" }, matchExpressions } })).toBe(
      "app=ne,tier in (a,b),!x",
    );
  });
});

describe("a kubelet's summary", () => {
  const reading = (takenMs: number, over?: Record<string, unknown>) => {
    const read = readSummary(summary(takenMs, over));
    if (read === undefined) throw new Error("not read");
    return read;
  };
  it("gives pressure, memory, and the growth of images as the least bytes written", () => {
    const [before, now] = [reading(10_000), reading(20_000)];
    expect(summarySample(now, before, 7)).toEqual({
      atMs: 7,
      ioPressure: 0.25,
      cpuPressure: 0.5,
      memoryBytes: 8e9,
      writeBytesPerSecond: 5e6,
    });
  });
  it("leaves figures unknown that a kubelet without PSI does not report, and ignores removed images", () => {
    const old = reading(30_000, { io: undefined, cpu: { time: new Date(30_000).toISOString() } });
    expect(old).toMatchObject({ takenMs: 30_000, ioPressure: undefined, cpuPressure: undefined });
    expect(summarySample(reading(10_000), reading(20_000), 0).writeBytesPerSecond).toBeUndefined();
  });
  it("is distinguished from anything else", () => {
    fc.assert(fc.property(fc.anything(), (odd) => void readSummary(odd)));
    expect([readSummary(null), readSummary({ node: 5 }), readSummary([])]).toEqual([undefined, undefined, undefined]);
  });
});

describe("docs/telemetry.md", () => {
  const page = readFileSync(join(ROOT, "docs/telemetry.md"), "utf8");
  it("has a remedy for exactly the existing kinds of failure", () => {
    const listed = [...page.matchAll(/^\| `([A-Z]\w+)` +\|/gm)].map(([, kind]) => kind);
    expect(listed.toSorted()).toEqual([...telemetryFailureKinds].toSorted());
  });
});

describe("telemetry-config/node-exporter.yaml", () => {
  interface Manifest {
    readonly kind: string;
    readonly spec: {
      readonly template: {
        readonly spec: { readonly containers: readonly { args: string[]; securityContext: object }[] };
      };
    };
  }
  const text = readFileSync(join(ROOT, "telemetry-config/node-exporter.yaml"), "utf8");
  const documents = parseAllDocuments(text).map((document) => document.toJS() as Manifest);
  const pod = documents.find(({ kind }) => kind === "DaemonSet")?.spec.template.spec;

  it("runs only the four collectors, without privileges or host namespaces", () => {
    const collectors = pod?.containers[0]?.args.filter((arg) => arg.startsWith("--collector.")).toSorted();
    expect(collectors).toEqual([
      ...["--collector.disable-defaults", "--collector.diskstats", "--collector.loadavg", "--collector.meminfo"],
      "--collector.pressure",
    ]);
    expect(pod?.containers[0]?.securityContext).toMatchObject({
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
    });
    expect(text).not.toMatch(/host(Network|PID|Path|Port)/);
  });
});

describe("a kubelet's pressure", () => {
  const read = (some: Record<string, number>) => {
    const io = { time: "2026-01-01T00:00:00Z", psi: { some: { avg60: 0, avg300: 0, ...some }, full: {} } };
    return readSummary(summary(10_000, { io }))?.ioPressure;
  };

  it("is unknown where all is zero since boot, as on cgroup v1", () => {
    expect(read({ total: 0, avg10: 0 })).toBeUndefined();
  });

  it("is unknown where zero comes without a total", () => {
    expect(read({ avg10: 0 })).toBeUndefined();
  });

  it("is 0 on an idle node that has waited since its boot", () => {
    expect(read({ total: 812, avg10: 0 })).toBe(0);
  });
});
