/** The rows of the report's tables, for the terminal as for HTML. */
import type { Figures, WorkloadFigures } from "../figures.ts";
import type { HerdReplay } from "../replay.ts";
import { columns, seconds } from "./words.ts";

export type NamedFigures = readonly [name: string, figures: Figures];

/** What was recorded, and what the model made of it. */
export function runsOf({ recorded, model, forecast }: HerdReplay): readonly NamedFigures[] {
  return [
    ["recorded", recorded],
    ...(model ? [["model, nothing held", model] as const] : []),
    ...(forecast ? [["Paceline", forecast.given] as const] : []),
    ...(forecast ? [["Paceline, recommended", forecast.recommended] as const] : []),
  ];
}

/** Paceline and what else could be done, the best first. */
export const rankingOf = ({ ranking }: NonNullable<HerdReplay["forecast"]>): readonly NamedFigures[] =>
  ranking.map(({ name, figures }) => [name, figures] as const);

/** A table with all columns, its head first. @param title of the first column */
export function figureRows(title: string, rows: readonly NamedFigures[]): string[][] {
  const head = [title, ...columns.map(([name]) => name)];
  return [head, ...rows.map(([name, figures]) => [name, ...columns.map(([, cell]) => cell(figures))])];
}

/** Which unknowns matter most, the head first; undefined where the model holds. @param title of the first column */
export function unknownRows(title: string, { sensitivity }: HerdReplay): string[][] | undefined {
  if (sensitivity.length === 0) return undefined;
  const rows = sensitivity.map(({ name, figures, moves, wouldFit }) => [
    ...[name, seconds(figures.allReadySeconds), seconds(figures.meanReadySeconds)],
    ...[`${Math.round(moves * 100)} %`, wouldFit ? "yes" : "no"],
  ]);
  return [[title, "all Ready, s", "mean, s", "moves by", "would fit"], ...rows];
}

/** Workloads as recorded and with Paceline, the head first. @param title of the first column */
export function workloadRows(
  title: string,
  workloads: readonly WorkloadFigures[],
  { built }: HerdReplay,
  { given }: NonNullable<HerdReplay["forecast"]>,
): string[][] {
  const rows = workloads.map((was) => {
    const paced = given.workloads[was.workload];
    return [
      ...[built.workloads[was.workload]?.owner ?? "", String(was.pods)],
      ...[seconds(was.p50ReadySeconds), seconds(paced?.p50ReadySeconds ?? 0)],
      ...[seconds(was.p95ReadySeconds), seconds(paced?.p95ReadySeconds ?? 0)],
    ];
  });
  return [[title, "pods", "p50 recorded", "p50 Paceline", "p95 recorded", "p95 Paceline"], ...rows];
}
