/** What /metrics says of each paced node's disk. */
import { Registry } from "prom-client";
import { expect, test } from "vitest";
import type { NodeSample } from "../../../src/core/facts.ts";
import { nodeName } from "../../../src/core/ids.ts";
import { nodeGauges } from "../../../src/server/node-gauges.ts";
import { aNode, START_MS } from "../../support/core-facts.ts";
import { pacerWith } from "../../support/core-plan.ts";

async function valuesOf(
  name: string,
  sample: NodeSample,
  nodeClass: { diskIOPS?: number; diskMiBPerSecond?: number } = {},
) {
  const registry = new Registry();
  const pacer = pacerWith([aNode("n1")], [], { nodeClasses: [{ name: "n", ...nodeClass }] });
  pacer.observeSample(nodeName("n1"), sample, START_MS);
  nodeGauges([registry]).set(pacer.status(START_MS), new Map());
  return (await registry.getSingleMetric(name)?.get())?.values.map(({ labels, value }) => [labels["node"], value]);
}

test("a node's IOPS and await are told; unknown ones are left out, and zero is not unknown", async () => {
  const known = { atMs: START_MS, iops: 2_950, awaitMs: 8 };
  expect(await valuesOf("paceline_node_disk_iops", known)).toEqual([["n1", 2_950]]);
  expect(await valuesOf("paceline_node_disk_await_seconds", known)).toEqual([["n1", 0.008]]);
  expect(await valuesOf("paceline_node_disk_iops", { atMs: START_MS, iops: 0 })).toEqual([["n1", 0]]);
  expect(await valuesOf("paceline_node_disk_iops", { atMs: START_MS })).toEqual([]);
});

test("what a disk is given is told beside what it does: a class's IOPS and throughput", async () => {
  const diskOf = async (name: string) =>
    await valuesOf(name, { atMs: START_MS }, { diskIOPS: 3_000, diskMiBPerSecond: 125 });
  expect(await diskOf("paceline_node_disk_provisioned_iops")).toEqual([["n1", 3_000]]);
  expect(await diskOf("paceline_node_disk_provisioned_bytes_per_second")).toEqual([["n1", 131_072_000]]);
  expect(await valuesOf("paceline_node_disk_provisioned_iops", { atMs: START_MS })).toEqual([]);
});

test("throughput, pressure, load and dirty bytes are told, with what is being written just now", async () => {
  const sample = {
    ...{ atMs: START_MS, readBytesPerSecond: 1, writeBytesPerSecond: 2, dirtyBytes: 30, writebackBytes: 4 },
    ...{ ioPressure: 0.5, cpuPressure: 0.6, load1: 7, cores: 8 },
  };
  const told = {
    disk_read_bytes_per_second: 1,
    disk_written_bytes_per_second: 2,
    dirty_bytes: 34,
    io_pressure_ratio: 0.5,
    cpu_pressure_ratio: 0.6,
    load1: 7,
    cores: 8,
  };
  for (const [name, value] of Object.entries(told)) {
    expect(await valuesOf(`paceline_node_${name}`, sample), name).toEqual([["n1", value]]);
  }
});
