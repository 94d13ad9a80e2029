/**
 * The herds of a real node as built-in scenarios: times within 20 % of the measured ones, and failures where some were
 * observed.
 */
import { describe, expect, test } from "vitest";
import { runStrategy } from "../../../../src/simulate/engine/run.ts";
import { type Strategy } from "../../../../src/simulate/engine/strategy.ts";
import { builtinText } from "../../../../src/simulate/scenario/builtin.ts";
import { parseScenario } from "../../../../src/simulate/scenario/parse.ts";

const none: Strategy = { kind: "none" };
const fixed6: Strategy = { kind: "fixed", slots: 6 };
const fixed3: Strategy = { kind: "fixed", slots: 3 };

const measured = [
  { name: "real-node-harsh", label: "all at once", strategy: none, makespan: 331, mean: 304.5, fails: true },
  { name: "real-node-harsh", label: "six in startup", strategy: fixed6, makespan: 329, mean: 240, fails: false },
  { name: "real-node-mild", label: "all at once", strategy: none, makespan: 124, mean: 116, fails: false },
  { name: "real-node-mild", label: "three in startup", strategy: fixed3, makespan: 131, mean: 93, fails: false },
  { name: "real-node-mild", label: "six in startup", strategy: fixed6, makespan: 121, mean: 93, fails: false },
];

describe.each(measured)("$name, $label", ({ name, strategy, makespan, mean, fails }) => {
  const parsed = parseScenario(builtinText(name) ?? "");
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  const runs = [1, 2, 3].map((seed) => runStrategy({ scenario: parsed.scenario, strategy, seed }).result);

  test("makespan and mean time to Ready are within 20 % of the measured ones", () => {
    for (const run of runs) {
      expect(Math.abs(run.makespanSeconds / makespan - 1)).toBeLessThan(0.2);
      expect(Math.abs(run.meanReadySeconds / mean - 1)).toBeLessThan(0.2);
    }
  });

  test("starts fail because of the disk exactly where failures were observed", () => {
    for (const { failures, startErrors } of runs) {
      expect(startErrors - (failures.PullQpsExceeded ?? 0) > 0).toBe(fails);
    }
  });
});
