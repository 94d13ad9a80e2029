/** The comparison as a table for a terminal. */
import type { Comparison } from "../engine/compare.ts";
import type { StrategyResult } from "../engine/strategy.ts";
import { neverReadySentence } from "./verdict.ts";

const seconds = (value: number) => value.toFixed(1);

/** The columns of a strategy, in this order. */
export const columns: readonly (readonly [title: string, cell: (result: StrategyResult) => string])[] = [
  ["makespan s", (result) => seconds(result.makespanSeconds)],
  ["÷ bound", (result) => result.ratioToBound.toFixed(3)],
  ["failed starts", (result) => String(result.startErrors)],
  ["restarts", (result) => String(result.restarts)],
  ["mean Ready s", (result) => seconds(result.meanReadySeconds)],
  ["p50 s", (result) => seconds(result.p50ReadySeconds)],
  ["p95 s", (result) => seconds(result.p95ReadySeconds)],
  ["p99 s", (result) => seconds(result.p99ReadySeconds)],
  ["slowest DaemonSet s", (result) => seconds(result.slowestDaemonSetSeconds)],
  ["most in startup", (result) => String(result.peakInStartup)],
  ["await ms, peak", (result) => result.peakAwaitMs.toFixed(0)],
  ["longest hold s", (result) => seconds(result.longestHoldSeconds)],
  ["not Ready", (result) => String(result.unreadyPods)],
];

/** Lines of equal width, names on the left. */
export function comparisonTable({ scenario, boundSeconds, strategies, seed }: Comparison): string {
  const rows = Object.entries(strategies).map(([name, result]) => [
    strategyLabel(name, result),
    ...columns.map(([, cell]) => cell(result)),
  ]);
  const { pods, boundBy } = strategies.paceline;
  const title = `${scenario}: ${pods} pods, seed ${seed}; lower bound ${seconds(boundSeconds)} s, set by ${boundBy}`;
  const never = neverReadySentence(strategies.paceline);
  const note = never === "" ? "" : `${never} No time counts such pods.\n`;
  return `${title}\n${aligned([["strategy", ...columns.map(([name]) => name)], ...rows])}\n${note}`;
}

/** The strategy's name, with the best constant. */
export function strategyLabel(name: string, result: StrategyResult & { readonly n?: number }): string {
  return result.n === undefined ? name : `${name} (${result.n})`;
}

/** Aligns the first column left and the others right. */
export function aligned(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => (row[at] ?? "").length)));
  const line = (row: readonly string[]) =>
    row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join("  ");
  return rows.map(line).join("\n");
}
