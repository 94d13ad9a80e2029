import { expect, it } from "vitest";
import type { NodeSample } from "../../../src/core/facts.ts";
import type { Herd } from "../../../src/recording/herd.ts";
import { herdTelemetry, measuredDisk } from "../../../src/recording/herd-telemetry.ts";

const MIB = 1_048_576;
/** 90 % busy with 36 requests in the disk. */
const saturated: NodeSample = {
  ...{ atMs: 10_000, utilisation: 0.9, awaitMs: 40, iops: 900 },
  ...{ writeBytesPerSecond: 90 * MIB, readBytesPerSecond: 0 },
};

it("a saturated disk can do what it moved ÷ the share of time that it was busy", () => {
  expect(measuredDisk([saturated, saturated])).toEqual({ mibPerSecond: 100, iops: 1_000, samples: 2 });
});

it("a disk that was not saturated, or of which something is unknown, tells nothing", () => {
  const { awaitMs: _, ...noAwait } = saturated;
  const { readBytesPerSecond: __, ...noReads } = saturated;
  for (const one of [{ ...saturated, utilisation: 0.5 }, { ...saturated, awaitMs: 1 }, noAwait, noReads, { atMs: 1 }]) {
    expect(measuredDisk([one, one, one])).toBeUndefined();
  }
  expect(measuredDisk([saturated])).toBeUndefined();
});

it("large requests do not make the model's disk slower than it was", () => {
  const large = { ...saturated, iops: 450, awaitMs: 80 };
  expect(measuredDisk([large, large])?.iops).toBe(800);
});

const node = (name: string, openedMs: number) => ({
  ...{ name, openedMs, instanceType: "m5.xlarge", labels: {}, capacity: undefined, allocatable: undefined },
  ...{
    address: undefined,
    runtime: "",
    createdMs: undefined,
    images: new Map<string, number>(),
    presentAtOpen: undefined,
  },
});
const herd: Herd = {
  ...{ startMs: 5_000, endMs: 60_000, settled: [], pods: [] },
  nodes: [node("a", 5_000), node("b", 20_000)],
  leftOut: { notReady: 0, noObject: 0, done: 0, ended: 0 },
};

it("only samples of a node's young time count, and nodes without any are named", () => {
  const { samples, unknownNodes, disks } = herdTelemetry(
    herd,
    new Map([
      ["a", [{ ...saturated, atMs: 4_000 }, saturated, { ...saturated, atMs: 70_000 }]],
      ["b", [saturated]],
    ]),
  );
  expect([samples, unknownNodes, disks.size]).toEqual([1, ["b"], 0]);
});

it("what no sample has is unknown and not zero", () => {
  const { recorded } = herdTelemetry(herd, new Map([["a", [{ atMs: 10_000, load1: 4 }]]]));
  expect(Object.values(recorded).every((one) => one === undefined)).toBe(true);
});

it("await is the worst node's, and the other figures are means", () => {
  const { recorded, disks } = herdTelemetry(
    herd,
    new Map([
      ["a", [saturated, { ...saturated, atMs: 11_000, load1: 8, cores: 4 }]],
      ["b", [{ ...saturated, atMs: 30_000, awaitMs: 80, utilisation: 0.3, ioPressure: 0.5 }]],
    ]),
  );
  expect(recorded).toMatchObject({ awaitP95Ms: 80, ioPressureMean: 0.5, loadPerCoreMean: 2 });
  expect(recorded.utilisationMean).toBeCloseTo(0.7);
  expect(disks.get("m5.xlarge")).toMatchObject({ mibPerSecond: 100 });
});
