/** Entries of `journalctl -o export` and `-o verbose`: a line for each field. */
import { headOf } from "../../records/log-head.ts";
import { readValue } from "../../records/unwrap.ts";
import { type Block, type BlockHost, MOST_LINES } from "./block.ts";

const EXPORT = /^__(?:CURSOR|REALTIME_TIMESTAMP)=/;
/** `Tue 2026-11-24 08:08:10.169192 UTC [s=…]`, the day in any language. */
const VERBOSE = /^\S* ?\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? \S+ \[s=/;
const FIELD = /^(\s*)([A-Z_][A-Z0-9_]*)(?:=(.*))?$/s;

export function startJournalEntry(line: string, host: BlockHost): Block | undefined {
  if (EXPORT.test(line)) return new JournalEntry(host, undefined);
  return VERBOSE.test(line) ? new JournalEntry(host, line) : undefined;
}

class JournalEntry implements Block {
  readonly #host: BlockHost;
  readonly #head: string | undefined;
  readonly #fields = new Map<string, string>();
  #last = "";
  #lines = 0;

  /** `head`: the line with the time that stands before an entry of `-o verbose`. */
  constructor(host: BlockHost, head: string | undefined) {
    this.#host = host;
    this.#head = head;
  }

  push(line: string): boolean {
    if (++this.#lines > MOST_LINES) return false;
    if (line === this.#head && this.#lines === 1) return true;
    const isVerbose = this.#head !== undefined;
    const found = FIELD.exec(line);
    if (found && isVerbose === (found[1] !== "") && (found[3] !== undefined || !isVerbose)) {
      if (this.#fields.has("__CURSOR") && found[2] === "__CURSOR") return false;
      this.#last = found[2] ?? "";
      this.#fields.set(this.#last, found[3] ?? "");
      return true;
    }
    return this.#goesOn(line, isVerbose);
  }

  /** Messages of several lines: verbose indents them; export puts their length, in binary, before them. */
  #goesOn(line: string, isVerbose: boolean): boolean {
    const isMore = this.#last !== "" && (isVerbose ? /^\s{5,}\S/.test(line) : this.#fields.get(this.#last) === "");
    if (!isMore || line === "") return false;
    // The length is binary.
    const text = isVerbose ? line.trim() : line.replace(/^[\u0000-\u001f\ufffd]+/, "");
    this.#fields.set(this.#last, `${this.#fields.get(this.#last) ?? ""} ${text}`.trim());
    return true;
  }

  end(): void {
    const { context, sink } = this.#host;
    const head = this.#head === undefined ? undefined : headOf(this.#head, context.calendar);
    const loggedMs = head?.time?.atMs ?? context.loggedMs;
    if (this.#fields.has("MESSAGE"))
      readValue(Object.fromEntries(this.#fields), { ...context, loggedMs, isLog: true }, sink);
    else sink.unread("torn", [...this.#fields].map(([key, value]) => `${key}=${value}`).join("\n"), "record");
  }
}
