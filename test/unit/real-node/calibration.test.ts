/**
 * The model against rounds of `npm run bench:real-node` (docs/real-node.md has the same figures): makespan and mean time
 * to Ready within 20 %, and Paceline before all at once as it was measured.
 */
import { describe, expect, it } from "vitest";
import { scenarioOf } from "../../../bench/real-node/scenario.ts";
import { byTurns, type Setting, settings } from "../../../bench/real-node/settings.ts";
import { runStrategy } from "../../../src/simulate/engine/run.ts";
import { parseScenario } from "../../../src/simulate/scenario/parse.ts";

interface Measured {
  readonly images: string;
  readonly strategy: "all-at-once" | "paceline";
  /** Where the round's setting differed from today's harsh one. */
  readonly change: Partial<Setting>;
  /** Seconds. */
  readonly allReady: number;
  readonly meanReady: number;
}

const first = { runtimeRequestTimeoutSeconds: 20, drainSeconds: 10 };
const smaller = { images: byTurns(400, 50), runtimeRequestTimeoutSeconds: 20, drainSeconds: 9 };
const slower = { diskMibPerSecond: 48, runtimeRequestTimeoutSeconds: 15, drainSeconds: 7 };
const measured: readonly Measured[] = [
  { images: "500/50", strategy: "all-at-once", change: first, allReady: 126.6, meanReady: 108.0 },
  { images: "500/50", strategy: "all-at-once", change: first, allReady: 120.7, meanReady: 108.0 },
  { images: "500/50", strategy: "paceline", change: first, allReady: 122.0, meanReady: 39.6 },
  { images: "400/50", strategy: "all-at-once", change: smaller, allReady: 95.7, meanReady: 84.8 },
  { images: "400/50", strategy: "paceline", change: smaller, allReady: 111.6, meanReady: 39.8 },
  {
    ...{ images: "230/50", strategy: "all-at-once", change: { ...slower, images: byTurns(230, 50) } },
    ...{ allReady: 88.4, meanReady: 79.3 },
  },
  {
    ...{ images: "230/50", strategy: "paceline", change: { ...slower, images: byTurns(230, 50) } },
    ...{ allReady: 76.7, meanReady: 27.7 },
  },
  {
    ...{ images: "230/120", strategy: "all-at-once", change: { ...slower, images: byTurns(230, 120) } },
    ...{ allReady: 94.1, meanReady: 88.3 },
  },
];

const TOLERANCE = 0.2;
const SEEDS = [1, 2, 3];

function predicted({ strategy, change }: Pick<Measured, "strategy" | "change">, seed: number) {
  const parsed = parseScenario(scenarioOf({ ...settings.harsh, ...change }));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  const { scenario, policy } = parsed;
  const lever = strategy === "paceline" ? ({ kind: "paceline", policy } as const) : ({ kind: "none" } as const);
  return runStrategy({ scenario, strategy: lever, seed }).result;
}

describe.each(measured)("$images MB, $strategy: all Ready after $allReady s, mean $meanReady s", (round) => {
  it("is what the model predicts, within 20 %", () => {
    for (const seed of SEEDS) {
      const { makespanSeconds, meanReadySeconds } = predicted(round, seed);
      expect(Math.abs(makespanSeconds / round.allReady - 1)).toBeLessThan(TOLERANCE);
      expect(Math.abs(meanReadySeconds / round.meanReady - 1)).toBeLessThan(TOLERANCE);
    }
  });
});

it("puts Paceline before all at once, and fails starts all at once only, as it was measured on the harsh setting", () => {
  for (const seed of SEEDS) {
    const [herd, paced] = (["all-at-once", "paceline"] as const).map((strategy) =>
      predicted({ strategy, change: {} }, seed),
    );
    expect(paced?.meanReadySeconds).toBeLessThan(herd?.meanReadySeconds ?? 0);
    expect(paced?.startErrors).toBe(0);
    expect((herd?.startErrors ?? 0) - (herd?.failures.PullQpsExceeded ?? 0)).toBeGreaterThan(0);
  }
});
