/** CSV as CloudWatch Logs Insights exports it: a header of field names, then rows; quotes doubled inside quotes. */

import { timeOf } from "../json.ts";

/** A quoted cell may span lines; more than this is a quote that was never closed. */
const LONGEST_ROW_CHARS = 4_000_000;

/** The columns, if this line is a header of fields as Insights names them. */
export function csvHeader(line: string): readonly string[] | undefined {
  if (line.length > 10_000 || !/@timestamp|@message|requestObject\.|objectRef\.|bin\s*\(|count\s*\(/.test(line))
    return undefined;
  const cells = csvCells(line);
  if (!cells || cells.length === 0 || cells.some((cell) => /[{}]/.test(cell))) return undefined;
  const isField = (cell: string) => /^@?[\w.@()*, -]{1,300}$/.test(cell.trim());
  return cells.every(isField) ? cells.map((cell) => cell.trim()) : undefined;
}

/** The cells of a row, or undefined when a quote is still open. */
export function csvCells(row: string): string[] | undefined {
  const cells: string[] = [];
  let at = 0;
  for (;;) {
    const cell = row[at] === '"' ? quotedCell(row, at) : plainCell(row, at);
    if (!cell) return undefined;
    cells.push(cell.text);
    if (row[cell.end] !== ",") return cells;
    at = cell.end + 1;
  }
}

function plainCell(row: string, from: number) {
  const comma = row.indexOf(",", from);
  const end = comma < 0 ? row.length : comma;
  return { text: row.slice(from, end), end };
}

function quotedCell(row: string, from: number) {
  for (let at = row.indexOf('"', from + 1); at >= 0; at = row.indexOf('"', at + 2)) {
    if (row[at + 1] !== '"') return { text: row.slice(from + 1, at).replaceAll('""', '"'), end: at + 1 };
  }
  return undefined;
}

/** Puts lines together to rows under a header. */
export class CsvRows {
  readonly #columns: readonly string[];
  #open = "";

  constructor(columns: readonly string[]) {
    this.#columns = columns;
  }

  /** True inside a quoted cell. */
  get isOpen(): boolean {
    return this.#open !== "";
  }

  /** A line of another format may have as many commas as a row. */
  #isDated(cells: readonly string[]): boolean {
    const cell = cells[this.#columns.indexOf("@timestamp")];
    return cell === undefined || cell === "" || timeOf(cell) !== undefined;
  }

  /** The row that this line ends, by column; "open" inside one; "broken" when it does not fit the header. */
  push(line: string): Readonly<Record<string, string>> | "open" | "broken" {
    const row = this.#open === "" ? line : `${this.#open}\n${line}`;
    const cells = csvCells(row);
    this.#open = "";
    if (!cells) {
      if (row.length > LONGEST_ROW_CHARS) return "broken";
      this.#open = row;
      return "open";
    }
    if (cells.length !== this.#columns.length || !this.#isDated(cells)) return "broken";
    return Object.fromEntries(this.#columns.map((column, index) => [column, cells[index] ?? ""]));
  }
}
