/** The targets of pacing for one built-in scenario. */
import type { Comparison } from "../src/simulate/engine/compare.ts";

export interface TargetFigures {
  readonly startErrors: number;
  /** Of those that can become Ready. */
  readonly unreadyPods: number;
  readonly ratioToBound: number;
  /** Makespan ÷ that of all at once. */
  readonly allReadyToNone: number;
  /** Mean time to Ready ÷ that of all at once. */
  readonly meanToNone: number;
}

export function targetFigures({ strategies: { none, paceline } }: Comparison): TargetFigures {
  return {
    startErrors: paceline.startErrors,
    unreadyPods: paceline.unreadyPods - (paceline.neverReadyPods ?? 0),
    ratioToBound: paceline.ratioToBound,
    allReadyToNone: paceline.makespanSeconds / none.makespanSeconds,
    meanToNone: paceline.meanReadySeconds / none.meanReadySeconds,
  };
}

export interface ScenarioKind {
  readonly telemetry: boolean;
  /** True if images that must be pulled differ in size or are shared. */
  readonly orderMatters: boolean;
}

/** The missed targets, in words; empty when all are met. */
export function missedTargets(figures: TargetFigures, { telemetry, orderMatters }: ScenarioKind): readonly string[] {
  const targets: readonly (readonly [met: boolean, words: string])[] = [
    [figures.startErrors === 0, "failed starts"],
    [figures.unreadyPods === 0, "pods not Ready"],
    [figures.ratioToBound <= (telemetry ? 1.1 : 1.25), "÷ bound"],
    [figures.allReadyToNone <= 1.05, "all Ready ÷ none"],
    [figures.meanToNone <= (orderMatters ? 0.7 : 1), "mean ÷ none"],
  ];
  return targets.flatMap(([met, words]) => (met ? [] : [words]));
}
