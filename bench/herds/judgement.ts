/** Judges strategies by what they did with many herds, compared with no pacing. */
import { type Distribution, distribution, geometricMean } from "./distribution.ts";
import type { Figures, Outcome, StrategyName } from "./runs.ts";

/** All Ready counts as worse than without pacing from here on. Another seed alone moves it by about 1 %. */
export const WORSE_ABOVE = 1.05;

/** The ratios, with the figure that each one compares. */
export const ratioFigures = {
  allReady: "makespanSeconds",
  mean: "meanReadySeconds",
  p95: "p95ReadySeconds",
  slowestDaemonSet: "slowestDaemonSetSeconds",
} as const satisfies Record<string, keyof Figures>;
export type RatioName = keyof typeof ratioFigures;
const ratioNames = Object.keys(ratioFigures) as RatioName[];

/** A herd with a count, such as its failed starts, or a ratio. */
export interface HerdFigure {
  readonly herd: string;
  readonly figure: number;
}

export interface Judgement {
  readonly strategy: StrategyName;
  /** Of each figure ÷ that of `none`; one ratio a herd, the geometric mean of its seeds. */
  readonly ratios: Readonly<Record<RatioName, Distribution>>;
  readonly failedStarts: number;
  /** By kind, startup probes and refused pulls included; containers that crash by themselves are in neither. */
  readonly failures: Figures["failures"];
  readonly herdsWithFailures: readonly HerdFigure[];
  /** Pods that were never Ready, beyond those that are not without pacing either. */
  readonly unreadyPods: number;
  /** With their ratio of all Ready, the worst first. */
  readonly herdsWorse: readonly HerdFigure[];
}

/** Judges a strategy by outcomes that all have the same change. */
export function judge(strategy: StrategyName, outcomes: readonly Outcome[]): Judgement {
  const allReady = perHerd(outcomes, (own) => ratioOf(own, strategy, "allReady"));
  const failures = perHerd(outcomes, (own) => sum(own, strategy, "failedStarts"));
  const herdsWithFailures = failures.filter(({ figure }) => figure > 0).sort((a, b) => b.figure - a.figure);
  return {
    strategy,
    ratios: Object.fromEntries(
      ratioNames.map((name) => [name, spread(outcomes, strategy, name)]),
    ) as Judgement["ratios"],
    failedStarts: sum(outcomes, strategy, "failedStarts"),
    failures: failuresOf(outcomes, strategy),
    herdsWithFailures,
    unreadyPods: Math.max(0, sum(outcomes, strategy, "unreadyPods") - sum(outcomes, "none", "unreadyPods")),
    herdsWorse: allReady.filter(({ figure }) => figure > WORSE_ABOVE).sort((a, b) => b.figure - a.figure),
  };
}

function spread(outcomes: readonly Outcome[], strategy: StrategyName, name: RatioName): Distribution {
  const ratios = perHerd(outcomes, (own) => ratioOf(own, strategy, name)).map(({ figure }) => figure);
  return distribution(ratios.filter((ratio) => !Number.isNaN(ratio)));
}

/** NaN where there is nothing to compare: without DaemonSets. */
function ratioOf(outcomes: readonly Outcome[], strategy: StrategyName, name: RatioName): number {
  const figure = ratioFigures[name];
  const pairs = outcomes.map(({ figures }) => [figures[strategy]?.[figure] ?? 0, figures.none?.[figure] ?? 0] as const);
  return geometricMean(pairs.flatMap(([own, none]) => (none > 0 ? [own / none] : [])));
}

function perHerd(outcomes: readonly Outcome[], figureOf: (own: readonly Outcome[]) => number): readonly HerdFigure[] {
  const byHerd = Map.groupBy(outcomes, ({ herd }) => herd);
  return [...byHerd].map(([herd, own]) => ({ herd, figure: figureOf(own) }));
}

function failuresOf(outcomes: readonly Outcome[], strategy: StrategyName): Figures["failures"] {
  const kinds = outcomes.flatMap(({ figures }) => Object.entries(figures[strategy]?.failures ?? {}));
  const notTheirOwn = kinds.filter(([kind]) => kind !== "Crash");
  const byKind = Map.groupBy(notTheirOwn, ([kind]) => kind);
  return Object.fromEntries(
    [...byKind].map(([kind, own]) => [kind, own.reduce((total, [, count]) => total + count, 0)]),
  );
}

const sum = (outcomes: readonly Outcome[], strategy: StrategyName, name: "failedStarts" | "unreadyPods") =>
  outcomes.reduce((total, { figures }) => total + (figures[strategy]?.[name] ?? 0), 0);
