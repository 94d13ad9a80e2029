import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { assumedDefaults } from "../../../../src/simulate/model/constants.ts";
import { modelAnnotations } from "../../../../dev/modelled-node/pod-order.ts";

const docs = readFileSync(new URL("../../../../docs/model.md", import.meta.url), "utf8");

test("docs/model.md lists exactly the assumptions, with their current values", () => {
  const rows = [...docs.matchAll(/^\| `(\w+)` +\| ([\d.]+) +\|/gm)].map(([, name, value]) => [name, Number(value)]);
  expect(Object.fromEntries(rows)).toEqual(assumedDefaults);
});

test("docs/model.md lists every annotation that a modelled node reads", () => {
  const listed = [...docs.matchAll(/`(model\.paceline\.dev\/[\w-]+)`/g)].map(([, name]) => name);
  expect(listed.sort()).toEqual(Object.values(modelAnnotations).sort());
});
