/** Tables of `kubectl get events|pods|nodes`, with any columns. */
import { areOfEvents, readFlat } from "../../records/flat.ts";
import { type Block, type BlockHost } from "./block.ts";
import { cellsOf, type Column, columnsOf } from "./columns.ts";

/** A header has names in capitals, and one of these pairs among them. */
const CAPITALS = /^[A-Z][A-Z0-9 ()._/\t-]+$/;
const LONGEST_HEADER = 2_000;
const PAIRS: readonly (readonly string[])[] = [
  ["REASON", "MESSAGE"],
  ["NAME", "STATUS"],
  ["POD", "REASON"],
  ["NAME", "REASON"],
  ["POD", "MESSAGE"],
];
export function startTable(line: string, host: BlockHost): Block | undefined {
  if (line.length > LONGEST_HEADER) return undefined;
  if (/^[A-Za-z][A-Za-z.]+(?:\s+[A-Za-z.]+){2,}$/.test(line)) {
    const words = columnsOf(line.replaceAll(/ +/g, "  ")).map(({ name }) => name);
    if (areOfEvents(words)) return new Table(host, columnsOf(line));
  }
  if (!CAPITALS.test(line)) return undefined;
  const columns = columnsOf(line);
  const names = new Set(columns.map(({ name }) => name));
  return PAIRS.some((pair) => pair.every((name) => names.has(name))) ? new Table(host, columns) : undefined;
}

class Table implements Block {
  readonly #host: BlockHost;
  readonly #columns: readonly Column[];
  #isHeader = true;

  constructor(host: BlockHost, columns: readonly Column[]) {
    this.#host = host;
    this.#columns = columns;
  }

  push(line: string): boolean {
    if (this.#isHeader) {
      this.#isHeader = false;
      this.#host.sink.usable("context");
      return true;
    }
    if (line === "") return false;
    const cells = cellsOf(line, this.#columns);
    const { context, sink } = this.#host;
    const row = { nowMs: context.calendar.nowMs, loggedMs: context.loggedMs, host: context.host };
    return cells !== undefined && isPlausible(cells) && readFlat(cells, row, sink);
  }

  end(): void {
    // Every row was read when it came.
  }
}

/** A line of prose may have as many words as a row has cells, but not these in their places. */
function isPlausible(cells: Readonly<Record<string, string>>): boolean {
  const { TYPE: type, "LAST SEEN": seen } = cells;
  const isType = type === undefined || type === "Normal" || type === "Warning";
  return isType && (seen === undefined || /^[<\d]/.test(seen));
}
