/** The comparison: which constants are tried, which one is best, and equal results with threads. */
import { expect, test } from "vitest";
import { compare, triedSlots } from "../../../../src/simulate/engine/compare.ts";
import { compareInParallel } from "../../../../src/simulate/engine/parallel.ts";
import { parseScenario } from "../../../../src/simulate/scenario/parse.ts";

function options(text: string) {
  const parsed = parseScenario(text);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  const { scenario, policy } = parsed;
  return { name: "test", scenario, policy, seed: 1 };
}

test("every N from 1 to 32 is tried for a herd on a node, fewer for thousands of pods", () => {
  expect(triedSlots(40)).toEqual(Array.from({ length: 32 }, (_, at) => at + 1));
  expect(triedSlots(5_000)).toHaveLength(10);
  expect(triedSlots(200_000)).toHaveLength(1);
});

test("fixed:best has the fewest failed starts of those tried, then the shortest makespan", () => {
  const images = Array.from({ length: 20 }, (_, at) => `{ name: i${at}, mib: ${50 + 20 * at}, layers: 3 }`);
  const workloads = images.map((_, at) => `{ name: w${at}, images: [i${at}] }`);
  const { comparison } = compare(options(`nodes: [{}]\nimages: [${images.join()}]\nworkloads: [${workloads.join()}]`));
  const best = comparison.strategies["fixed:best"];
  for (const tried of comparison.fixed) {
    expect(tried.startErrors).toBeGreaterThanOrEqual(best.startErrors);
    if (tried.startErrors === best.startErrors) {
      expect(tried.makespanSeconds).toBeGreaterThanOrEqual(best.makespanSeconds);
    }
  }
  expect(comparison.fixed.map(({ n }) => n)).toContain(best.n);
});

test("on several threads the comparison is the same", async () => {
  const large = options(
    "nodes: [{ count: 40, present: [a] }]\nimages: [{ name: a, mib: 90 }, { name: b, mib: 30 }]\nworkloads: [{ name: a, replicas: 1990, images: [a] }, { name: b, replicas: 10, images: [b] }]",
  );
  expect(await compareInParallel(large)).toEqual(compare(large));
}, 180_000);
