/** Tables of `kubectl get events|pods|nodes`, with any columns. */
import { readFlat } from "../../records/flat.ts";
import { type Block, type BlockHost } from "./block.ts";
import { cellsOf, type Column, columnsOf } from "./columns.ts";

/** A header has names in capitals, and one of these pairs among them. */
const CAPITALS = /^[A-Z][A-Z0-9 ()._/\t-]+$/;
const PAIRS: readonly (readonly string[])[] = [
  ["REASON", "MESSAGE"],
  ["NAME", "STATUS"],
  ["POD", "REASON"],
  ["NAME", "REASON"],
  ["POD", "MESSAGE"],
];
/** Other tables that are known to tell nothing: their rows are read by nobody, and named. */
export function startTable(line: string, host: BlockHost): Block | undefined {
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
    return cells !== undefined && readFlat(cells, row, sink);
  }

  end(): void {
    // Every row was read when it came.
  }
}
