/** What /metrics says of each paced node's disk. */
import { Registry } from "prom-client";
import { expect, test } from "vitest";
import type { NodeSample } from "../../../src/core/facts.ts";
import { nodeName } from "../../../src/core/ids.ts";
import { nodeGauges } from "../../../src/server/node-gauges.ts";
import { aNode, START_MS } from "../../support/core-facts.ts";
import { pacerWith } from "../../support/core-plan.ts";

async function valuesOf(name: string, sample: NodeSample) {
  const registry = new Registry();
  const pacer = pacerWith([aNode("n1")], []);
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
