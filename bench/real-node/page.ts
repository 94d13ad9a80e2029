/**
 * Writes rounds of the real node into docs/real-node.md and README.md. `node bench/real-node/page.ts` writes both from
 * docs/figures alone.
 */
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import {
  keepFigures,
  markdownTable,
  type Measured,
  measuredWhere,
  pageWith,
  readFigures,
  writePages,
} from "../../dev/docs/figures.ts";
import type { Outcome } from "./outcome.ts";
import { type Prediction, prediction } from "./predicted.ts";
import { type Result, resultsOf, table } from "./report.ts";
import { type SettingName, settings, strategies, type Strategy } from "./settings.ts";

/** A setting's newest run of all strategies, and what the model said of each when it was written. */
interface FullRun extends Measured {
  readonly results: readonly (Result & { readonly model: Prediction })[];
}

/** A figure of all at once and of Paceline; of some older runs only the ratio was written down. */
type Both = { readonly herd: number; readonly paced: number } | { readonly ratio: number };

/** All at once and Paceline in one run. */
export interface Pair {
  readonly setting: string;
  /** Not written down of some older runs. */
  readonly measured?: string;
  /** Failed starts of each round. */
  readonly failed: { readonly herd: readonly number[]; readonly paced: readonly number[] };
  /** Medians, s. */
  readonly meanReady: Both;
  readonly allReady: Both;
  /** What was different in Paceline then. */
  readonly core?: string;
}

export interface RealNodeFigures {
  readonly full: Readonly<Record<string, FullRun>>;
  /** The oldest first. */
  readonly pairs: readonly Pair[];
}

/**
 * The figures with one more run: a pair of each setting that has one, and its full run in place of the one before. A
 * run that is written once more (`--resume`) is no further one.
 */
export function withRun(
  { full, pairs }: RealNodeFigures,
  outcomes: readonly Outcome[],
  where: Measured,
): RealNodeFigures {
  const bySetting = [...Map.groupBy(resultsOf(outcomes), ({ setting }) => setting)];
  const isFull = (results: readonly Result[]) =>
    strategies.every((one) => results.some(({ strategy }) => strategy === one));
  const newest = bySetting.filter(([, results]) => isFull(results));
  const added = bySetting.flatMap(([name, results]) => pairOf(name, results, where));
  const others = pairs.filter((pair) => !added.some((one) => isDeepStrictEqual(one, pair)));
  return {
    full: { ...full, ...Object.fromEntries(newest.map(([name, results]) => [name, fullRun(name, results, where)])) },
    pairs: [...others, ...added],
  };
}

function fullRun(name: string, results: readonly Result[], where: Measured): FullRun {
  const setting = settings[name as SettingName];
  return { ...where, results: results.map((one) => ({ ...one, model: prediction(setting, one.strategy) })) };
}

function pairOf(setting: string, results: readonly Result[], { measured }: Measured): Pair[] {
  const of = (strategy: Strategy) => results.find((one) => one.strategy === strategy);
  const [herd, paced] = [of("all-at-once"), of("paceline")];
  if (!herd || !paced) return [];
  const both = (figure: "meanReady" | "allReady") => ({ herd: herd.medians[figure], paced: paced.medians[figure] });
  const failed = { herd: herd.failed, paced: paced.failed };
  return [{ setting, measured, failed, meanReady: both("meanReady"), allReady: both("allReady") }];
}

const ratioOf = (both: Both) => ("ratio" in both ? both.ratio : both.paced / both.herd);
const bothCell = (both: Both) => {
  const ratio = `${ratioOf(both).toFixed(2)} ×`;
  return "ratio" in both ? ratio : `${both.herd.toFixed(1)} → ${both.paced.toFixed(1)} (${ratio})`;
};

function pairsTable(pairs: readonly Pair[]): string {
  const rows = pairs.map(({ setting, measured = "", failed, meanReady, allReady, core = "" }) => {
    const counts = [failed.herd.join(", "), failed.paced.join(", ")];
    return [setting, measured, ...counts, bothCell(meanReady), bothCell(allReady), core];
  });
  const head = ["setting", "day", "failed all at once", "with Paceline", "mean, s", "all Ready, s", "Paceline's rules"];
  return markdownTable(head, rows);
}

/** All rounds of the harsh setting in a few words. */
export function summary(pairs: readonly Pair[]): string {
  const harsh = pairs.filter(({ setting }) => setting === "harsh");
  const [herd, paced] = [harsh.flatMap(({ failed }) => failed.herd), harsh.flatMap(({ failed }) => failed.paced)];
  const failures = paced.reduce((sum, count) => sum + count, 0);
  const range = (of: (pair: Pair) => Both) => {
    const ratios = harsh.map((pair) => ratioOf(of(pair)));
    return `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)} ×`;
  };
  return (
    `In ${paced.length} rounds on a slow disk ${failures === 0 ? "no start" : `${failures} starts`} failed with ` +
    `Paceline. All at once, starts failed in ${herd.filter((count) => count > 0).length} of ${herd.length} rounds. ` +
    `Paceline's mean time to Ready was ${range(({ meanReady }) => meanReady)} that of all at once, and all pods were ` +
    `Ready after ${range(({ allReady }) => allReady)} its time.`
  );
}

/** A forecast that is further off is bold, and is not called within. */
const WITHIN = 0.2;

function modelText(full: RealNodeFigures["full"]): string {
  const results = Object.values(full).flatMap((run) => run.results);
  const off = (measured: number, model: number) => {
    const share = model / measured - 1;
    const words = `${share < 0 ? "−" : "+"}${Math.abs(100 * share).toFixed(0)} %`;
    return Math.abs(share) > WITHIN ? `**${words}**` : words;
  };
  const counts = (each: readonly number[]) => (each.every((count) => count === 0) ? "0" : each.join(", "));
  const rows = results.map(({ setting, strategy, medians, failed, model }) => [
    `${setting}, ${strategy}`,
    ...(["allReady", "meanReady"] as const).flatMap((figure) => {
      return [medians[figure].toFixed(1), model[figure].toFixed(1), off(medians[figure], model[figure])];
    }),
    ...[counts(failed), counts(model.failed)],
  ]);
  const head = ["all Ready, s", "mean, s"].flatMap((figure) => [`${figure}: measured`, "model", "off"]);
  return markdownTable(["setting, strategy", ...head, "failed starts: measured", "model"], rows);
}

/** The pages with these figures, by path. */
export async function realNodePages(): Promise<Map<string, string>> {
  const { full, pairs } = (await readFigures("real-node")) as RealNodeFigures;
  const tables = Object.values(full).map(({ results, ...where }) => `${table(results)}\n\n${measuredWhere(where)}`);
  const sum = ["real-node-sum", summary(pairs)] as const;
  const texts = new Map([
    sum,
    ["real-node-tables", tables.join("\n\n")],
    ["real-node-pairs", pairsTable(pairs)],
    ["real-node-model", modelText(full)],
  ]);
  return new Map([
    ["docs/real-node.md", await pageWith("docs/real-node.md", texts)],
    ["README.md", await pageWith("README.md", new Map([sum]))],
  ]);
}

/** Keeps a finished run, and writes it into the pages. */
export async function writeRealNode(outcomes: readonly Outcome[], where: Measured): Promise<void> {
  await keepFigures("real-node", withRun((await readFigures("real-node")) as RealNodeFigures, outcomes, where));
  await writePages(await realNodePages());
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await writePages(await realNodePages());
