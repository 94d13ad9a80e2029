/** The lower bound in cases calculated by hand. Disk 100 MiB/s; by default, blobs are 0.4 of the unpacked size. */
import { describe, expect, test } from "vitest";
import { nodeBound, type BoundPod } from "../../../../src/simulate/engine/bound.ts";
import { parseScenario } from "../../../../src/simulate/scenario/parse.ts";

/** All small durations are zero, so that only the figures of a case count. */
const nothingSmall = {
  resolveMs: 0,
  sandboxCpuSeconds: 0,
  createCpuSeconds: 0,
  startCpuSeconds: 0,
  noticeMs: 0,
  downloadMibPerSecond: 10_000,
  unpackMibPerSecondPerCore: 10_000,
  requestKib: 1_024,
};

function boundOf(yaml: string, pods: readonly (readonly [workload: number, releasedSeconds: number])[], more = {}) {
  const parsed = parseScenario(yaml);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  const { scenario } = parsed;
  const bound: BoundPod[] = pods.map(([at, releasedSeconds]) => {
    const workload = scenario.workloads[at];
    if (!workload) throw new Error(`no workload ${at}`);
    return { workload, releasedSeconds };
  });
  const [node] = scenario.nodes;
  if (!node) throw new Error("no node");
  return nodeBound({ scenario, node, pods: bound, assumptions: { ...nothingSmall, ...more } });
}

const yaml = (rest = "", node = "") => `
nodes: [{ disk: { mibPerSecond: 100, iops: 1000000 }, cpu: 4${node} }]
images:
  - { name: a, mib: 500, layers: 1, compressedRatio: 0.4 }
  - { name: b, mib: 1000, layers: 1, compressedRatio: 0.5 }
workloads:
  - { name: one, images: [a] }
  - { name: two, images: [a, b], readySeconds: 3 }
  - { name: busy, images: [a], startCpuSeconds: 40 }
registry: { mibPerSecond: 100000 }
${rest}`;

describe("a pod that waits", () => {
  const waits = (keys: string) => `
nodes: [{ disk: { mibPerSecond: 100, iops: 1000000 }, present: [a] }]
images: [{ name: a, mib: 500 }, { name: i, mib: 500, layers: 1, compressedRatio: 0.4 }]
workloads: [{ name: one, images: [a], ${keys} }]
registry: { mibPerSecond: 100000 }`;

  test("cannot be ready before its volumes, its startup probe and its readiness: 30 + 120 + 5 s", () => {
    const bound = boundOf(waits("attachSeconds: 30, startupProbeSeconds: 120, readySeconds: 5"), [[0, 0]]);
    expect(bound).toEqual({ seconds: 155, binds: "longestPod" });
  });

  test("needs the image of its init container (7 s of disk), whose end is seen a second later: 7 + 61 s", () => {
    const bound = boundOf(waits("initContainers: [{ image: i, runSeconds: 60 }]"), [[0, 0]]);
    expect(bound.seconds).toBeCloseTo(68);
    expect(bound.binds).toBe("disk");
  });
});

describe("the disk", () => {
  test("writes blob and layers of each new image once, however many pods share it: 500 × 1.4 ÷ 100 = 7 s", () => {
    expect(
      boundOf(yaml(), [
        [0, 0],
        [0, 0],
        [0, 0],
      ]),
    ).toEqual({ seconds: 7, binds: "disk" });
  });

  test("writes the unique images of all pods, then adds the least own start: 7 + 15 s, and pod one has none", () => {
    expect(
      boundOf(yaml(), [
        [0, 0],
        [1, 0],
      ]).seconds,
    ).toBe(22);
  });

  test("leaves out bytes that no start waits for if containerd flushes its own files: 22 s, less 0.15 × 1 GiB", () => {
    const bound = boundOf(yaml("runtime: { flushes: files }", ", memoryGib: 1"), [
      [0, 0],
      [1, 0],
    ]);
    expect(bound.seconds).toBeCloseTo(22 - 1.536);
  });

  test("then waits for the last pod's own start if every pod has one: 7 + 15 + 3 s", () => {
    expect(boundOf(yaml(), [[1, 0]]).seconds).toBe(25);
  });

  test("does not write images that are on the node from the start", () => {
    expect(boundOf(yaml("", ", present: [b]"), [[1, 0]]).seconds).toBe(10);
  });

  test("cannot begin before a pod exists: image b from second 30 on", () => {
    expect(
      boundOf(yaml(), [
        [0, 0],
        [1, 30],
      ]),
    ).toEqual({ seconds: 30 + 15 + 3, binds: "disk" });
  });

  test("is limited by its IOPS: 50 requests/s of 1 MiB are 50 MiB/s", () => {
    expect(boundOf(yaml().replace("iops: 1000000", "iops: 50"), [[0, 0]]).seconds).toBe(14);
  });
});

describe("bounds other than the disk", () => {
  test("cores: three pods of 40 core-seconds on 4 cores need 30 s, but one pod alone needs 40 s", () => {
    const present = yaml("", ", present: [a, b]");
    expect(
      boundOf(present, [
        [2, 0],
        [2, 0],
        [2, 0],
      ]),
    ).toEqual({ seconds: 40, binds: "longestPod" });
    expect(
      boundOf(present, [
        [2, 0],
        [2, 0],
        [2, 0],
        [2, 0],
        [2, 0],
        [2, 0],
      ]),
    ).toEqual({ seconds: 60, binds: "cpu" });
  });

  test("unpacking: 1,500 MiB at 10 MiB/s on 4 cores need 37.5 s, but image b has one layer after another: 100 s", () => {
    const bound = boundOf(
      yaml(),
      [
        [0, 0],
        [1, 0],
      ],
      { unpackMibPerSecondPerCore: 10 },
    );
    expect(bound).toEqual({ seconds: 50 + 100 + 3, binds: "longestPod" }); // pod two pulls a, then b
  });

  test("a slow registry: 200 + 500 MiB of blobs at 10 MiB/s", () => {
    const slow = yaml().replace("registry: { mibPerSecond: 100000 }", "registry: { mibPerSecond: 10 }");
    expect(
      boundOf(slow, [
        [0, 0],
        [1, 0],
      ]).seconds,
    ).toBe(73); // pod two alone: 20 + 50 + 3
    expect(
      boundOf(slow, [
        [0, 0],
        [0, 0],
      ]),
    ).toEqual({ seconds: 20, binds: "registry" });
  });

  test("the pull budget: 2 images, burst 1, one pull in 100 s", () => {
    const bound = boundOf(yaml("kubelet: { registryPullQPS: 0.01, registryBurst: 1 }"), [
      [0, 0],
      [1, 0],
    ]);
    expect(bound).toEqual({ seconds: 100, binds: "pullQPS" });
  });
});
