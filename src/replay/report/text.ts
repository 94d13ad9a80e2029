/** The replay as text for a terminal. */
import { stringify } from "yaml";
import { printable } from "../../api/printable.ts";
import { aligned } from "../../simulate/report/table.ts";
import type { Figures } from "../figures.ts";
import type { HerdReplay } from "../replay.ts";
import { diskTable } from "./disks.ts";
import { caveats, columns, seconds, signed, titleOf, verdictOf } from "./words.ts";

/** Workloads that are shown, the ones with most pods first; --json has all. */
const MOST_WORKLOADS = 10;

export interface ReplayReport {
  readonly replays: readonly HerdReplay[];
  /** Herds that were found and not replayed, because they are smaller than those that were. */
  readonly moreHerds: number;
  /** Told before everything else, one sentence each. */
  readonly notes: readonly string[];
}

export function textReport({ replays, moreHerds, notes }: ReplayReport): string {
  const more = moreHerds === 0 ? [] : [`${moreHerds} smaller herds are left out; --window chooses by time.`];
  return printable([...notes, ...replays.map(herdText), ...more].join("\n\n").concat("\n"));
}

function herdText(replay: HerdReplay): string {
  const { recorded, model, forecast, sensitivity } = replay;
  const rows: (readonly [string, Figures])[] = [["recorded", recorded]];
  if (model) rows.push(["model, nothing held", model]);
  if (forecast) rows.push(["Paceline", forecast.given], ["Paceline, recommended", forecast.recommended]);
  const parts = [
    titleOf(replay),
    verdictOf(replay),
    tableOf("", rows),
    aligned(diskTable(replay) ?? []),
    failuresText(replay),
    ...(sensitivity.length > 0 ? [sensitivityText(replay)] : []),
    ...(forecast
      ? [
          tableOf(
            "what would have helped, the best first",
            forecast.ranking.map(({ name, figures }) => [name, figures] as const),
          ),
          `Recommended (${forecast.recommendedPolicy.words}):\n${stringify({ nodeClasses: forecast.recommendedPolicy.nodeClasses }).trimEnd()}`,
          workloadsText(replay),
        ]
      : []),
    caveats(replay).join("\n"),
  ];
  return parts.filter((part) => part !== "").join("\n\n");
}

function tableOf(title: string, rows: readonly (readonly [string, Figures])[]): string {
  const head = [title, ...columns.map(([name]) => name)];
  return aligned([head, ...rows.map(([name, figures]) => [name, ...columns.map(([, cell]) => cell(figures))])]);
}

function failuresText({ recorded, model }: HerdReplay): string {
  const words = ({ failures }: Figures) =>
    Object.entries(failures)
      .map(([kind, count]) => `${kind} ${count}`)
      .join(", ") || "none";
  return `Failed starts recorded: ${words(recorded)}.${model ? ` In the model: ${words(model)}.` : ""} How many fail is chance: read them as some or none.`;
}

function sensitivityText({ sensitivity, check }: HerdReplay): string {
  const head = ["which unknowns matter most", "all Ready, s", "mean, s", "moves by", "would fit"];
  const rows = sensitivity.map(({ name, figures, moves, wouldFit }) => [
    ...[name, seconds(figures.allReadySeconds), seconds(figures.meanReadySeconds)],
    ...[`${Math.round(moves * 100)} %`, wouldFit ? "yes" : "no"],
  ]);
  const off = check ? `all Ready ${signed(check.allReadyOff)}, mean ${signed(check.meanReadyOff)}` : "";
  return `The model against the recording: ${off}.\n${aligned([head, ...rows])}`;
}

function workloadsText({ recorded, forecast, built }: HerdReplay): string {
  if (forecast === undefined) return "";
  const head = ["largest workloads", "pods", "p50 recorded", "p50 Paceline", "p95 recorded", "p95 Paceline"];
  const rows = recorded.workloads
    .map((was) => [was, forecast.given.workloads[was.workload]] as const)
    .sort(([a], [b]) => b.pods - a.pods)
    .slice(0, MOST_WORKLOADS)
    .map(([was, paced]) => [
      ...[built.workloads[was.workload]?.owner ?? "", String(was.pods)],
      ...[seconds(was.p50ReadySeconds), seconds(paced?.p50ReadySeconds ?? 0)],
      ...[seconds(was.p95ReadySeconds), seconds(paced?.p95ReadySeconds ?? 0)],
    ]);
  return aligned([head, ...rows]);
}
