/**
 * The model against rounds of `npm run bench:real-node` (docs/real-node.md has the same figures): makespan and mean time
 * to Ready within 20 %, and Paceline before all at once as it was measured.
 */
import { describe, expect, it } from "vitest";
import { scenarioOf } from "../../../bench/real-node/scenario.ts";
import { type Setting, settings } from "../../../bench/real-node/settings.ts";
import { runStrategy } from "../../../src/simulate/engine/run.ts";
import { parseScenario } from "../../../src/simulate/scenario/parse.ts";

interface Measured {
  readonly strategy: "all-at-once" | "paceline";
  /** Where the round's setting differed from today's. */
  readonly change: Partial<Setting>;
  /** Seconds. */
  readonly allReady: number;
  readonly meanReady: number;
}

const first = { runtimeRequestTimeoutSeconds: 20, drainSeconds: 10 };
const measured: readonly Measured[] = [
  { strategy: "all-at-once", change: first, allReady: 126.6, meanReady: 108.0 },
  { strategy: "all-at-once", change: first, allReady: 120.7, meanReady: 108.0 },
  { strategy: "paceline", change: first, allReady: 122.0, meanReady: 39.6 },
];

const TOLERANCE = 0.2;
const SEEDS = [1, 2, 3];

function predicted({ strategy, change }: Measured, seed: number) {
  const parsed = parseScenario(scenarioOf({ ...settings.harsh, ...change }));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  const { scenario, policy } = parsed;
  const lever = strategy === "paceline" ? ({ kind: "paceline", policy } as const) : ({ kind: "none" } as const);
  return runStrategy({ scenario, strategy: lever, seed }).result;
}

describe.each(measured)("$strategy, all Ready after $allReady s, mean $meanReady s", (round) => {
  it("is what the model predicts, within 20 %", () => {
    for (const seed of SEEDS) {
      const { makespanSeconds, meanReadySeconds } = predicted(round, seed);
      expect(Math.abs(makespanSeconds / round.allReady - 1)).toBeLessThan(TOLERANCE);
      expect(Math.abs(meanReadySeconds / round.meanReady - 1)).toBeLessThan(TOLERANCE);
    }
  });

  it("fails starts in the model where it did: all at once", () => {
    for (const seed of SEEDS) {
      const { startErrors, failures } = predicted(round, seed);
      expect(startErrors - (failures.PullQpsExceeded ?? 0) > 0).toBe(round.strategy === "all-at-once");
    }
  });
});
