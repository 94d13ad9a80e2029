/** What the model predicts of a setting (docs/real-node.md, "Model against measurement"). */
import { runStrategy } from "../../src/simulate/engine/run.ts";
import type { Strategy as Simulated } from "../../src/simulate/engine/strategy.ts";
import { parseScenario } from "../../src/simulate/scenario/parse.ts";
import { median } from "./outcome.ts";
import { scenarioOf } from "./scenario.ts";
import { batchSize, type Setting, type Strategy } from "./settings.ts";

export const SEEDS = [1, 2, 3];

/** Times in s; failed starts without `pull QPS exceeded`, as in an Outcome. */
export function predicted(setting: Setting, strategy: Strategy, seed: number) {
  const parsed = parseScenario(scenarioOf(setting));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  const { scenario, policy } = parsed;
  const slots = batchSize(strategy);
  const others: Simulated = slots === undefined ? { kind: "none" } : { kind: "fixed", slots };
  const lever: Simulated = strategy === "paceline" ? { kind: "paceline", policy } : others;
  const { makespanSeconds, meanReadySeconds, startErrors, failures } = runStrategy({
    scenario,
    strategy: lever,
    seed,
  }).result;
  return { makespanSeconds, meanReadySeconds, failedStarts: startErrors - (failures.PullQpsExceeded ?? 0) };
}

export interface Prediction {
  /** Medians of the seeds, s. */
  readonly allReady: number;
  readonly meanReady: number;
  /** Failed starts of each seed. */
  readonly failed: readonly number[];
}

export function prediction(setting: Setting, strategy: Strategy): Prediction {
  const runs = SEEDS.map((seed) => predicted(setting, strategy, seed));
  return {
    allReady: median(runs.map(({ makespanSeconds }) => makespanSeconds)),
    meanReady: median(runs.map(({ meanReadySeconds }) => meanReadySeconds)),
    failed: runs.map(({ failedStarts }) => failedStarts),
  };
}
