/** The dashboards' files are made from their source, of metrics that exist; a cluster test runs the queries. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { dashboards } from "../../../dev/chart/manifests.ts";
import { boards } from "../../../dev/dashboards/boards.ts";
import { createMetrics } from "../../../src/server/metrics.ts";

const ROOT = join(import.meta.dirname, "../../..");
const panels = boards.flatMap((board) => board.panels);
const queries = panels.flatMap((panel) => Object.values(panel.queries));

it("the committed files are what `npm run manifests` makes", async () => {
  for (const [file, text] of dashboards) expect(await readFile(join(ROOT, file), "utf8"), file).toBe(text);
});

it("every query asks for metrics that exist, and every metric of a node is on a board", () => {
  const known = createMetrics().registry.getMetricsAsArray();
  const names = known.flatMap(({ name }) => [name, `${name}_bucket`, `${name}_count`]);
  const asked = new Set(
    queries.flatMap((query) => [...query.matchAll(/\b(?:paceline|process)_\w+/g)].map(([name]) => name)),
  );
  expect([...asked].filter((name) => !names.includes(name))).toEqual([]);
  const ofNodes = known.map(({ name }) => name).filter((name) => name.startsWith("paceline_node_"));
  // Bytes on their way are in "What the disk owes", in seconds.
  expect(ofNodes.filter((name) => !asked.has(name))).toEqual(["paceline_node_in_flight_bytes"]);
});

it("the three figures that tell whether the disk is the reason come first on the board of nodes", () => {
  const node = boards.find(({ name }) => name === "node");
  const titles = node?.panels.slice(0, 3).map(({ title }) => title);
  expect(titles).toEqual(["Disk await", "IOPS used of provisioned", "Load average"]);
});

it("titles tell the panels of a board apart, and each says what it shows", () => {
  for (const { name, panels: all } of boards) {
    expect(new Set(all.map(({ title }) => title)).size, name).toBe(all.length);
    expect(all.filter(({ about }) => !about.endsWith("."))).toEqual([]);
  }
});
