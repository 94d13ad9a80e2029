/** The judgements as text. */
import { aligned } from "../../src/simulate/report/table.ts";
import { type Figure, isMet } from "../figures.ts";
import type { Distribution } from "./distribution.ts";
import { type HerdFigure, judge, type Judgement, type RatioName } from "./judgement.ts";
import type { Outcome, StrategyName } from "./runs.ts";

const ratioTitles: Readonly<Record<RatioName, string>> = {
  allReady: "all Ready ÷ none",
  mean: "honest mean ÷ none",
  p95: "p95 ÷ none",
  slowestDaemonSet: "slowest DaemonSet pod ÷ none",
};

const shown = (ratio: number) => (Number.isNaN(ratio) ? "–" : ratio.toFixed(3));
const cells = ({ geometricMean, median, p90, worst }: Distribution) => [geometricMean, median, p90, worst].map(shown);

/** The distributions of every strategy, then failed starts and herds made worse. */
export function judgementText(judgements: readonly Judgement[]): string {
  const titles = Object.entries(ratioTitles) as [RatioName, string][];
  const rows = titles.flatMap(([name, title]) =>
    judgements
      .filter(({ strategy }) => strategy !== "none")
      .map(({ strategy, ratios }) => [title, strategy, ...cells(ratios[name])]),
  );
  const table = aligned([["figure", "strategy", "geometric mean", "median", "p90", "worst"], ...rows]);
  return [table, ...judgements.map(detail)].join("\n\n");
}

/** Such as ` (StartError 3, ProbeFailure 1)`; nothing without failures. */
function kindsText(failures: Judgement["failures"]): string {
  const kinds = Object.entries(failures).sort(([, a], [, b]) => b - a);
  return kinds.length === 0 ? "" : ` (${kinds.map(([kind, count]) => `${kind} ${count}`).join(", ")})`;
}

function detail({ strategy, failedStarts, failures, herdsWithFailures, unreadyPods, herdsWorse }: Judgement): string {
  const counts = (herds: readonly HerdFigure[], text: (figure: number) => string) =>
    herds.length === 0 ? "" : `: ${herds.map(({ herd, figure }) => `${herd} ${text(figure)}`).join(", ")}`;
  const lines = [
    `${strategy}: failed starts ${failedStarts}${kindsText(failures)}, in ${herdsWithFailures.length} herds${counts(herdsWithFailures, String)}`,
    ...(unreadyPods > 0 ? [`${strategy}: ${unreadyPods} pods were never Ready that are Ready with none`] : []),
    `${strategy}: herds worse than none by more than 5 %: ${herdsWorse.length}${counts(herdsWorse, shown)}`,
  ];
  return (strategy === "none" ? lines.slice(0, 1) : lines).join("\n");
}

/** One row a change: failed starts of each strategy, and Paceline's ratios. */
export function changesText(outcomes: readonly Outcome[], strategies: readonly StrategyName[]): string {
  const paced = strategies.includes("paceline");
  const failed = (own: readonly Outcome[]) =>
    strategies.map((strategy) => groupedFailures(judge(strategy, own).failures));
  const rows = [...Map.groupBy(outcomes, ({ change }) => change)].map(([change, own]) => {
    const { allReady, mean } = judge("paceline", own).ratios;
    return [change, ...failed(own), ...(paced ? [allReady, mean].map((ratio) => shown(ratio.geometricMean)) : [])];
  });
  const head = [FAILURE_GROUPS, ...strategies, ...(paced ? ["all Ready ÷ none", "honest mean ÷ none"] : [])];
  const total = ["total", ...failed(outcomes), ...(paced ? ["", ""] : [])];
  return [aligned([head, ...rows, total]), ...failuresOfPaceline(outcomes)].join("\n\n");
}

const FAILURE_GROUPS = "failed starts: on the node + startup probes + pull QPS";

function groupedFailures(failures: Judgement["failures"]): string {
  const { ProbeFailure: probes = 0, PullQpsExceeded: pulls = 0, ...others } = failures;
  const onTheNode = Object.values(others).reduce((sum, count) => sum + count, 0);
  return `${onTheNode} + ${probes} + ${pulls}`;
}

/** The herds in which Paceline has failed starts, with those of `fixed:3`, one line a change. */
function failuresOfPaceline(outcomes: readonly Outcome[]): readonly string[] {
  const failing = outcomes.filter(({ figures }) => (figures.paceline?.failedStarts ?? 0) > 0);
  if (failing.length === 0) return [];
  const text = ({ herd, figures }: Outcome) =>
    `${herd} ${figures.paceline?.failedStarts ?? 0} (${figures["fixed:3"]?.failedStarts ?? "–"})`;
  const lines = [...Map.groupBy(failing, ({ change }) => change)].map(
    ([change, own]) => `  ${change}: ${own.map(text).join(", ")}`,
  );
  return [["Herds with failed starts of paceline (of fixed:3):", ...lines].join("\n")];
}

/** One line a target. */
export function verdictText(figures: readonly Figure[]): string {
  const digits = (value: number) => (Number.isInteger(value) ? String(value) : value.toFixed(3));
  return figures
    .map((figure) => {
      const { what, measured, budget } = figure;
      return `${isMet(figure) ? "met   " : "MISSED"}  ${what}: ${digits(measured)} (at most ${budget?.value ?? "–"})`;
    })
    .join("\n");
}
