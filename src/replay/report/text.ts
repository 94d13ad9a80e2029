/** The replay as text for a terminal. */
import { stringify } from "yaml";
import { printable } from "../../api/printable.ts";
import { aligned } from "../../simulate/report/table.ts";
import type { Figures } from "../figures.ts";
import type { HerdReplay } from "../replay.ts";
import { diskTable } from "./disks.ts";
import { figureRows, rankingOf, runsOf, unknownRows, workloadRows } from "./rows.ts";
import { caveats, signed, titleOf, verdictOf } from "./words.ts";

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
  const { forecast } = replay;
  const parts = [
    titleOf(replay),
    verdictOf(replay),
    aligned(figureRows("", runsOf(replay))),
    aligned(diskTable(replay) ?? []),
    failuresText(replay),
    sensitivityText(replay),
    ...(forecast ? forecastTexts(replay, forecast) : []),
    caveats(replay).join("\n"),
  ];
  return parts.filter((part) => part !== "").join("\n\n");
}

function forecastTexts(replay: HerdReplay, forecast: NonNullable<HerdReplay["forecast"]>): readonly string[] {
  const { words, nodeClasses } = forecast.recommendedPolicy;
  const largest = replay.recorded.workloads.toSorted((a, b) => b.pods - a.pods).slice(0, MOST_WORKLOADS);
  return [
    aligned(figureRows("what would have helped, the best first", rankingOf(forecast))),
    `Recommended (${words}):\n${stringify({ nodeClasses }).trimEnd()}`,
    aligned(workloadRows("largest workloads", largest, replay, forecast)),
  ];
}

function failuresText({ recorded, model }: HerdReplay): string {
  const words = ({ failures }: Figures) =>
    Object.entries(failures)
      .map(([kind, count]) => `${kind} ${count}`)
      .join(", ") || "none";
  return `Failed starts recorded: ${words(recorded)}.${model ? ` In the model: ${words(model)}.` : ""} How many fail is chance: read them as some or none.`;
}

function sensitivityText(replay: HerdReplay): string {
  const { check } = replay;
  const rows = unknownRows("which unknowns matter most", replay);
  if (!rows) return "";
  const off = check ? `all Ready ${signed(check.allReadyOff)}, mean ${signed(check.meanReadyOff)}` : "";
  return `The model against the recording: ${off}.\n${aligned(rows)}`;
}
