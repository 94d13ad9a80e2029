/** The outcome for people and machines: medians, a table, and the acceptance criteria. */
import { markdownTable } from "../../dev/docs/figures.ts";
import { median, type Outcome } from "./outcome.ts";
import type { Strategy } from "./settings.ts";

type Figure = Exclude<{ [K in keyof Outcome]: Outcome[K] extends number ? K : never }[keyof Outcome], "round">;

const rows: readonly (readonly [string, Figure, number])[] = [
  ["pods Ready", "readyPods", 0],
  ["first Ready, s", "firstReady", 1],
  ["half Ready, s", "halfReady", 1],
  ["90 % Ready, s", "ninetyReady", 1],
  ["all Ready, s", "allReady", 1],
  ["mean time to Ready, s", "meanReady", 1],
  ["failed starts", "failedStarts", 0],
  ["pull QPS exceeded", "pullQpsExceeded", 0],
  ["restarts", "restarts", 0],
  ["await p50, ms", "awaitP50Ms", 0],
  ["await p95, ms", "awaitP95Ms", 0],
  ["disk utilisation", "utilisation", 2],
  ["written, MB", "writtenMb", 0],
  ["dirty page cache, peak, MB", "peakDirtyMb", 0],
  ["peak in startup", "peakInStartup", 0],
];

/** The rounds of each setting and strategy, in the order of their first round. */
function grouped(outcomes: readonly Outcome[]): Map<string, readonly Outcome[]> {
  return Map.groupBy(outcomes, ({ setting, strategy }) => `${setting} ${strategy}`);
}

const medianOf = (outcomes: readonly Outcome[], figure: Figure) => median(outcomes.map((outcome) => outcome[figure]));

function added(counts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const [name, count] of counts.flatMap((of) => Object.entries(of))) sums[name] = (sums[name] ?? 0) + count;
  return sums;
}

/** The rounds of a strategy on a setting. */
export interface Result {
  readonly setting: string;
  readonly strategy: Strategy;
  /** Failed starts of each round. */
  readonly failed: readonly number[];
  readonly medians: Readonly<Record<Figure, number>>;
  /** Sums over the rounds. */
  readonly byFingerprint: Readonly<Record<string, number>>;
  readonly containerdErrors: Readonly<Record<string, number>>;
}

/** Medians and sums of each setting and strategy, in the order of their first round. */
export function resultsOf(outcomes: readonly Outcome[]): Result[] {
  return [...grouped(outcomes).values()].flatMap((group) => {
    const [first] = group;
    if (!first) return [];
    const medians = Object.fromEntries(rows.map(([, figure]) => [figure, medianOf(group, figure)]));
    return {
      ...{ setting: first.setting, strategy: first.strategy },
      failed: group.map(({ failedStarts }) => failedStarts),
      medians: medians as Record<Figure, number>,
      byFingerprint: added(group.map(({ byFingerprint }) => byFingerprint)),
      containerdErrors: added(group.map((outcome) => outcome.containerdErrors)),
    };
  });
}

/** Markdown: one table per setting. */
export function table(results: readonly Result[]): string {
  const bySetting = Map.groupBy(results, ({ setting }) => setting);
  return [...bySetting].map(([setting, ofSetting]) => settingTable(setting, ofSetting)).join("\n\n");
}

const listed = (counts: Readonly<Record<string, number>>) =>
  Object.entries(counts).map(([name, count]) => `${name} ${count}`).join(", ") || "-"; // prettier-ignore

function settingTable(setting: string, results: readonly Result[]): string {
  const rounds = Math.max(...results.map(({ failed }) => failed.length));
  const head = [`${setting}, ${rounds} round${rounds === 1 ? "" : "s"}`, ...results.map(({ strategy }) => strategy)];
  const body = rows.map(([title, figure, digits]) => [
    title,
    ...results.map(({ medians }) => medians[figure].toFixed(digits)),
  ]);
  const events = ["by fingerprint", ...results.map(({ byFingerprint }) => listed(byFingerprint))];
  const log = ["containerd's log", ...results.map(({ containerdErrors }) => listed(containerdErrors))];
  return markdownTable(head, [...body, events, log]);
}

/** Mean time to Ready and time until all are Ready, with Paceline ÷ all at once. */
const MEAN_RATIO = 0.7;
const ALL_RATIO = 1.05;

/** True for rounds in which starts must fail; otherwise the run proves nothing. */
export const isProof = (setting: string, strategy: string) => setting === "harsh" && strategy === "all-at-once";

/** What the harsh setting did not achieve, one line each. Empty: accepted. */
export function shortcomings(outcomes: readonly Outcome[]): string[] {
  const herd = outcomes.filter(({ strategy, setting }) => isProof(setting, strategy));
  const paced = outcomes.filter(({ strategy, setting }) => setting === "harsh" && strategy === "paceline");
  if (herd.length === 0 || paced.length === 0) return [];
  const failures = (of: readonly Outcome[]) => of.reduce((sum, { failedStarts }) => sum + failedStarts, 0);
  const ratio = (figure: Figure) => medianOf(paced, figure) / medianOf(herd, figure);
  const checks: [boolean, string][] = [
    [failures(herd) > 0, "no start failed all at once, so this run proves nothing"],
    [failures(paced) === 0, `${failures(paced)} starts failed with Paceline`],
    [
      ratio("meanReady") <= MEAN_RATIO,
      `mean time to Ready is ${ratio("meanReady").toFixed(2)} × all at once, above ${MEAN_RATIO}`,
    ],
    [
      ratio("allReady") <= ALL_RATIO,
      `time until all are Ready is ${ratio("allReady").toFixed(2)} × all at once, above ${ALL_RATIO}`,
    ],
  ];
  return checks.filter(([met]) => !met).map(([, message]) => message);
}
