/** `kubectl describe pod|node`: the object's fields in words, and its Events in a table. */
import { markIn } from "../../classify/marks.ts";
import { ageMs } from "../../records/age.ts";
import { eventCells } from "../../records/event-line.ts";
import { readFlat } from "../../records/flat.ts";
import { readObject } from "../../records/objects.ts";
import { type Block, type BlockHost, MOST_LINES } from "./block.ts";
import { cellsOf, columnsOf } from "./columns.ts";
import { type Described, describedOf } from "./described.ts";

const START = /^\s*Name: {2,}\S|^\s*Name:\t+\S/;
/** Lines that belong to something else, wherever they stand. */
const FOREIGN =
  /^(?:[{[$]|```|---$|apiVersion:|time="|[IWEF]\d{4} \d\d:|\d{4}-\d\d-\d\dT|[A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:\d\d |[A-Z][A-Z ]+  +[A-Z])/;
const EVENTS = /^\s*Events:\s*(.*)$/;
const RULE = /^[\s-]+$/;
const EVENT_ROW = /^\s*(?:Normal|Warning)\s|\s(?:Normal|Warning)\s/;

export function startDescribe(line: string, host: BlockHost): Block | undefined {
  return START.test(line) ? new Describe(host) : undefined;
}

class Describe implements Block {
  readonly #host: BlockHost;
  #fields: string[] = [];
  #events: string[] = [];
  #inEvents = false;

  constructor(host: BlockHost) {
    this.#host = host;
  }

  push(line: string): boolean {
    const isFirst = this.#fields.length === 0;
    if (!isFirst && ((START.test(line) && !/^\s{4,}/.test(line)) || FOREIGN.test(line))) return false;
    if (this.#fields.length + this.#events.length > MOST_LINES) return false;
    if (EVENTS.test(line)) {
      this.#inEvents = true;
      return true;
    }
    if (!this.#inEvents) this.#fields.push(line);
    else if (line === "") return this.#events.length === 0;
    else if (!this.#isEventLine(line)) return false;
    else this.#events.push(line);
    return true;
  }

  /** Header, rule, row, or the next line of a row's message. */
  #isEventLine(line: string): boolean {
    if (this.#events.length === 0) return /Reason/.test(line);
    return RULE.test(line) || EVENT_ROW.test(line) || /^\s/.test(line);
  }

  end(): void {
    const { context, sink } = this.#host;
    const described = describedOf(this.#whole());
    if (described === undefined) {
      for (const line of [...this.#fields, ...this.#events]) if (line !== "") this.#host.line(line);
      return;
    }
    const { calendar } = context;
    const nowMs = this.#nowMs(described);
    if (described.isObject)
      readObject(described.object, "", undefined, sink, nowMs ?? calendar.seenMs ?? calendar.nowMs);
    this.#readEvents(described, nowMs ?? calendar.nowMs);
    // Words of the problem in a part that is not read must not be taken for read.
    for (const line of this.#fields) {
      if (!described.used.has(line) && markIn(line) !== undefined) sink.unread("notRecognised", line, "line");
    }
  }

  /** Without a message that the end of the input cut off: a StartError whose end is missing may have any cause. */
  #whole(): readonly string[] {
    const last = this.#fields.at(-1);
    if (last === undefined || this.#inEvents || !this.#host.isCut() || !/Message:|^\s{20,}/.test(last))
      return this.#fields;
    this.#host.sink.unread("torn", last, "line");
    return this.#fields.filter((line) => line !== last && !/^\s*Reason:\s+StartError/.test(line));
  }

  /** The moment of the describe: the pod's start, and how long ago it was scheduled. */
  #nowMs({ startMs, latestMs }: Described): number | undefined {
    const scheduled = this.#events.find((line) => /\sScheduled\s/.test(line));
    const age = /\s((?:\d+[ydhms])+)(?:\s|$)/.exec(scheduled ?? "")?.[1];
    const ago = ageMs(age ?? "")?.lastMs;
    return startMs !== undefined && ago !== undefined ? startMs + ago : latestMs;
  }

  #readEvents({ kind, namespace, name, node }: Described, nowMs: number): void {
    const [header, ...rows] = joined(this.#events);
    if (header === undefined) return;
    const columns = columnsOf(header);
    const { sink } = this.#host;
    for (const row of rows) {
      const cells = eventCells(row) ?? cellsOf(row, columns);
      const about = { object: `${kind}/${name}`, namespace, node: kind === "Node" ? name : node };
      const isRead = cells && readFlat({ ...about, ...cells }, { nowMs, loggedMs: undefined, host: node }, sink);
      if (isRead !== true) this.#host.line(row);
    }
  }
}

/** Rows, with the lines that their messages take further; the rule below the header is left out. */
function joined(lines: readonly string[]): string[] {
  const rows: string[] = [];
  for (const line of lines) {
    if (RULE.test(line)) continue;
    if (rows.length < 2 || EVENT_ROW.test(line)) rows.push(line);
    else rows.push(`${rows.pop() ?? ""} ${line.trim()}`);
  }
  return rows;
}
