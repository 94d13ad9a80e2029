/**
 * `npm run bench:pacing -- --herds DIR`: compares Paceline and constant concurrency with no pacing on every scenario of
 * a folder, and judges Paceline by failed starts, all Ready, honest mean and herds made worse. `--perturb` counts the
 * failed starts where constants of the model are changed (herds/changes.ts).
 */
import { withProgress } from "./progress.ts";
import { asTheyAre, changes } from "./herds/changes.ts";
import { readHerds, withTolerantDaemonSets } from "./herds/herd.ts";
import { judge } from "./herds/judgement.ts";
import { changesText, judgementText, verdictText } from "./herds/report.ts";
import { ALL_STRATEGIES, type Outcome, runHerds, strategyName, type StrategyName } from "./herds/runs.ts";
import { verdicts, verdictsOfChanges } from "./herds/targets.ts";
import { type Figure, isMet } from "./figures.ts";

export interface HerdsOptions {
  readonly folder: string;
  /** Herds to run; all if empty. */
  readonly names: readonly string[];
  readonly seeds: number;
  /** Strategies, separated by commas; all without it. */
  readonly only: string | undefined;
  readonly daemonSetsTolerate: boolean;
  readonly perturb: boolean;
  readonly json: boolean;
}

/** @returns whether every target is met. @throws UnusableInput */
export async function benchHerds(options: HerdsOptions): Promise<boolean> {
  const strategies = chosenStrategies(options.only);
  const read = readHerds(options.folder, options.names);
  const herds = options.daemonSetsTolerate ? read.map(withTolerantDaemonSets) : read;
  const outcomes = await withProgress(`${herds.length} herds`, (tell) =>
    runHerds({
      ...{ herds, strategies, seeds: options.seeds, changes: options.perturb ? [asTheyAre, ...changes] : [asTheyAre] },
      onRun: (done, of) => tell(`${done} of ${of} runs are done`),
    }),
  );
  const targets = targetsOf(outcomes, strategies, options, herds.length);
  process.stdout.write(
    options.json ? jsonOf(outcomes, strategies, targets) : textOf(outcomes, strategies, targets, options),
  );
  return targets.every(isMet);
}

/** All are compared with `none`, so it always runs. */
function chosenStrategies(only: string | undefined): readonly StrategyName[] {
  if (only === undefined) return ALL_STRATEGIES;
  return [...new Set<StrategyName>(["none", ...only.split(",").map(strategyName)])];
}

/** Only Paceline has targets, and those of `--perturb` compare it with `fixed:3`. */
function targetsOf(
  outcomes: readonly Outcome[],
  strategies: readonly StrategyName[],
  { perturb, daemonSetsTolerate }: HerdsOptions,
  herds: number,
): readonly Figure[] {
  if (!strategies.includes("paceline")) return [];
  if (!perturb) return verdicts(judge("paceline", outcomes), herds, daemonSetsTolerate);
  if (!strategies.includes("fixed:3")) return [];
  return verdictsOfChanges(outcomes.filter(({ change }) => change !== asTheyAre.name));
}

function textOf(
  outcomes: readonly Outcome[],
  strategies: readonly StrategyName[],
  targets: readonly Figure[],
  { perturb }: HerdsOptions,
): string {
  const body = perturb
    ? changesText(outcomes, strategies)
    : judgementText(strategies.map((strategy) => judge(strategy, outcomes)));
  return targets.length === 0 ? `${body}\n` : `${body}\n\n${verdictText(targets)}\n`;
}

function jsonOf(outcomes: readonly Outcome[], strategies: readonly StrategyName[], targets: readonly Figure[]): string {
  const byChange = [...Map.groupBy(outcomes, ({ change }) => change)].map(([change, own]) => ({
    change,
    judgements: strategies.map((strategy) => judge(strategy, own)),
  }));
  const judged = targets.map((figure) => ({ ...figure, met: isMet(figure) }));
  return `${JSON.stringify({ targets: judged, changes: byChange, herds: outcomes }, undefined, 2)}\n`;
}
