/** Shows measured figures and their budgets in one table, and whether every budget is met. */

/** The bound of a figure, in the figure's own unit. */
export type Budget =
  { readonly kind: "at most"; readonly value: number } | { readonly kind: "at least"; readonly value: number };

/** One measured figure. Without a budget it is only shown. */
export interface Figure {
  readonly what: string;
  readonly measured: number;
  /** Such as "ms"; "" for a ratio. */
  readonly unit: string;
  readonly budget?: Budget;
  /** A short note. */
  readonly note?: string;
}

/** True if the figure meets its budget. NaN meets no budget. */
export function isMet({ measured, budget }: Figure): boolean {
  if (budget === undefined) return true;
  return budget.kind === "at most" ? measured <= budget.value : measured >= budget.value;
}

/** The value below which `share` (0 to 1) of the samples lie, by nearest rank; NaN of none. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = Float64Array.from(samples).sort();
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

const inUnit = (text: string, unit: string) => (unit === "" ? text : `${text} ${unit}`);
const DIGITS: Readonly<Record<string, number>> = { MiB: 0, KiB: 0, s: 1 };
const shown = (value: number, unit: string) => inUnit(value.toFixed(value >= 100 ? 0 : (DIGITS[unit] ?? 2)), unit);
const bound = ({ budget, unit }: Figure) =>
  budget === undefined ? "–" : inUnit(`${budget.kind === "at most" ? "≤" : "≥"} ${budget.value}`, unit);

/** What, budget, measured, met or not (MISSED), note. */
export const figureCells = (figure: Figure) =>
  [
    figure.what,
    bound(figure),
    shown(figure.measured, figure.unit),
    figure.budget === undefined ? "–" : isMet(figure) ? "met" : "MISSED",
    figure.note ?? "",
  ] as const;

/** Columns: what, budget, measured, met or not, note. */
export function figureTable(figures: readonly Figure[]): string {
  const rows = figures.map(figureCells);
  const lines = [["what", "budget", "measured", "", ""], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...lines.map((line) => (line[column] ?? "").length)));
  const padded = (line: readonly string[]) =>
    line.map((cell, column) => (column === 1 || column === 2 ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0))); // prettier-ignore
  return lines.map((line) => padded(line).join("  ").trimEnd()).join("\n");
}

/** Prints the table and a verdict. @returns the exit code: 1 when a budget is missed */
export function printVerdict(figures: readonly Figure[]): 0 | 1 {
  const missed = figures.filter((figure) => !isMet(figure));
  console.log(figureTable(figures));
  console.log(
    missed.length === 0 ? "\nEvery budget is met." : `\nMissed: ${missed.map(({ what }) => what).join("; ")}.`,
  );
  return missed.length === 0 ? 0 : 1;
}
