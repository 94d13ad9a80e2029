/** CSV as CloudWatch Logs Insights and others export it: a header of names, then rows; quotes doubled inside quotes. */

import { timeOf } from "../json.ts";

/** A quoted cell may span lines; more than this is a quote that was never closed. */
const LONGEST_ROW_CHARS = 4_000_000;

/** What stands between the cells of a row. */
export type Delimiter = "," | ";" | "\t";

export interface CsvHeader {
  readonly columns: readonly string[];
  readonly delimiter: Delimiter;
}

/** Columns of which one at least is in every export that holds records, counts or Events. */
const KNOWN =
  /^(?:@timestamp|@message|message|msg|_raw|log|log_s|log_message|logmessage|syslogmessage|content|line|body|textpayload|reason|requestobject\b.*|objectref\b.*|kubernetes\.audit\..*|bin\s*\(.*|count\s*\(.*|properties\.log|jsonpayload\..*)$/i;
const FIELD = /^@?[\w.@()*,:/[\] -]{1,300}$/;

/** The columns, if this line is a header of fields as Insights, Splunk, Datadog, Kibana or Log Analytics name them. */
export function csvHeader(line: string): CsvHeader | undefined {
  // A header has neither values nor times; most lines are told from one by that.
  if (line.length > 10_000 || /[{}=]|\d\d:\d\d/.test(line)) return undefined;
  for (const delimiter of [",", "\t", ";"] as const) {
    const cells = line.includes(delimiter) || delimiter === "," ? csvCells(line, delimiter) : undefined;
    const columns = cells?.map((cell) => cell.trim());
    const isAlone = columns?.length === 1 && !/^@|\(/.test(columns[0] ?? "");
    if (columns && !isAlone && columns.some((one) => KNOWN.test(one)) && columns.every((one) => FIELD.test(one)))
      return { columns, delimiter };
  }
  return undefined;
}

/** The cells of a row, or undefined when a quote is still open. */
export function csvCells(row: string, delimiter: Delimiter = ","): string[] | undefined {
  const cells: string[] = [];
  let at = 0;
  for (;;) {
    const cell = row[at] === '"' ? quotedCell(row, at) : plainCell(row, at, delimiter);
    if (!cell) return undefined;
    cells.push(cell.text);
    if (row[cell.end] !== delimiter) return cells;
    at = cell.end + 1;
  }
}

function plainCell(row: string, from: number, delimiter: Delimiter) {
  const comma = row.indexOf(delimiter, from);
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
  readonly #delimiter: Delimiter;
  #open = "";

  constructor({ columns, delimiter }: CsvHeader) {
    this.#columns = columns;
    this.#delimiter = delimiter;
  }

  /** The row that was begun and has not ended: its quote is still open. */
  get openRow(): string {
    return this.#open;
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
    const cells = csvCells(row, this.#delimiter);
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
