/** The targets of pacing for one comparison. */
import type { Comparison } from "../src/simulate/engine/compare.ts";

export interface TargetFigures {
  readonly startErrors: number;
  readonly ratioToBound: number;
  /** Makespan ÷ that of the best constant concurrency. */
  readonly toFixed: number;
  /** Mean time to Ready ÷ that of all at once. */
  readonly meanToNone: number;
  /** Mean time to Ready ÷ that of shortest first. */
  readonly meanToShortest: number;
  readonly unreadyPods: number;
}

export function targetFigures({ strategies }: Comparison): TargetFigures {
  const { none, paceline, "fixed:best": fixed, "shortest-first": shortest } = strategies;
  return {
    startErrors: paceline.startErrors,
    ratioToBound: paceline.ratioToBound,
    toFixed: paceline.makespanSeconds / fixed.makespanSeconds,
    meanToNone: paceline.meanReadySeconds / none.meanReadySeconds,
    meanToShortest: paceline.meanReadySeconds / shortest.meanReadySeconds,
    unreadyPods: paceline.unreadyPods,
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
    [figures.toFixed <= 1.02, "÷ fixed"],
    [figures.meanToNone <= (orderMatters ? 0.7 : 1), "mean ÷ none"],
    [figures.meanToShortest <= 1.05, "÷ shortest"],
  ];
  return targets.flatMap(([met, words]) => (met ? [] : [words]));
}
