/** One input, whatever it holds: every line or document is recognised by itself, so formats may be mixed. */
import type { Sink } from "../findings/sink.ts";
import { isRecord, timeOf } from "../json.ts";
import type { Calendar } from "../records/log-head.ts";
import { parsed, readValue, type RecordContext } from "../records/unwrap.ts";
import { csvHeader, CsvRows } from "./csv.ts";
import { DocumentCutter, RECORD_BYTES } from "./document.ts";
import { LineCutter } from "./lines.ts";
import { Sieve } from "./sieve.ts";
import { TextReader } from "./text.ts";

const CR = 0x0d;
const BRACE = 0x7b;
const SPACE = 0x20;
const TAB = 0x09;
const NUL = 0x00;
const DIGIT_TWO = 0x32;
/** A time stamp and a space stand before the brace of a line that CloudWatch exported to S3. */
const LONGEST_STAMP = 40;
const BOM = "\ufeff";
/** Lines that only open or close a document whose elements stand on lines of their own. */
const PUNCTUATION = /^(?:\[|\],?|\]\s*\},?|\},?|,|\{\s*"\w+"\s*:\s*\[)$/;
/** How a list of names or colours begins that only looks like JSON: `[pod/x/y] …`, `[  500.0] …`. */
const JSON_LIST = /^\[\s*(?:[[{"\]]|$|\d+\s*[,\]]\s*$|true|false|null)/;

/** Files in /var/log/pods: time, stream, whether the line is a part or full, and its text. */
const CRI_LINE = /^(\d{4}-\d\d-\d\dT\S+) (?:stdout|stderr) ([PF]) (.*)$/s;

/** Without a mail's or Markdown's mark of a quote, and with plain spaces. klog ends a text with ` > pod="…"`. */
const pasted = (text: string) => text.replace(/^(?:> (?!\w+="))+/, "").replaceAll("\u00a0", " ");

export class InputReader {
  readonly #sink: Sink;
  readonly #context: RecordContext;
  readonly #sieve: Sieve;
  readonly #document: DocumentCutter;
  readonly #lines: LineCutter;
  readonly #text: TextReader;
  #csv: CsvRows | undefined;
  /** Whether a long line began like JSON. */
  #longJson: boolean | undefined;
  #lineCount = 0;
  #isFirst = true;
  /** Parts of a line of a container's log file, which go on in the next line. */
  #partial = "";
  #isLast = false;

  /** `calendar`: by what lines without a year are dated; several readers may share one. */
  constructor(sink: Sink, calendar: Calendar) {
    this.#sink = sink;
    this.#context = { loggedMs: undefined, host: "", program: "", calendar, isLog: false, listKind: "" };
    this.#sieve = new Sieve(sink);
    this.#text = new TextReader(sink, this.#context);
    this.#document = new DocumentCutter({
      value: (text) => this.#value(text),
      tooLong: (text) => sink.unread("lineTooLong", text, "record"),
      outside: (text) => this.#plain(text.trim()),
    });
    this.#lines = new LineCutter({
      chunk: (chunk) => this.#sieve.begin(chunk),
      line: (chunk, from, to) => this.#line(chunk, from, to),
      piece: (piece) => this.#piece(piece),
      pieceEnd: () => this.#pieceEnd(),
    });
  }

  /** Takes the next bytes; they may be reused afterwards. */
  push(chunk: Buffer): void {
    this.#lines.push(chunk);
  }

  /** Call once, at the end of the input. */
  end(): void {
    this.#isLast = true;
    this.#text.beginsLastLine();
    this.#lines.end();
    this.#abandon();
    this.#endText();
    if (this.#partial !== "") this.#sink.unread("torn", this.#partial, "line");
    if (this.#csv?.isOpen) this.#sink.unread("brokenJson", this.#csv.openRow, "line");
    this.#sink.lines(this.#lineCount);
  }

  #line(chunk: Buffer, start: number, end: number): void {
    let to = end;
    while (to > start && (chunk[to - 1] === CR || chunk[to - 1] === SPACE)) to--;
    if (to === start) {
      this.#blank();
      return;
    }
    this.#lineCount++;
    if (this.#document.open && this.#continues(chunk, start, to)) {
      this.#document.push(chunk.subarray(start, to));
      return;
    }
    this.#abandon();
    // The last line, without a newline, may be cut behind a brace: only parsing shows that.
    switch (this.#isLast ? "foreign" : this.#sieve.sift(start, to)) {
      case "done":
        return;
      case "parse":
        this.#json(chunk.subarray(start, to));
        return;
      case "broken":
        this.#broken(chunk.subarray(start, to));
        return;
      case "foreign":
        this.#foreign(chunk, start, to);
        return;
    }
  }

  #blank(): void {
    if (!this.#document.open) this.#text.blank();
  }

  /** Indented JSON goes on with white space or a closing bracket; anything else shows that the document was cut off. */
  #continues(chunk: Buffer, from: number, to: number): boolean {
    const first = chunk[from];
    if (first === BRACE) return false;
    return first === SPACE || first === TAB || /^["}\],]/.test(chunk.toString("latin1", from, Math.min(to, from + 1)));
  }

  #abandon(): void {
    const left = this.#document.abandon();
    if (left !== undefined) this.#sink.unread("brokenJson", left, "record");
  }

  #endText(): void {
    if (!this.#csv?.isOpen) this.#text.end();
  }

  /** Cut off, or several records in one line. */
  #broken(line: Buffer): void {
    this.#document.push(line);
  }

  #foreign(chunk: Buffer, start: number, to: number): void {
    const brace =
      chunk[start] === DIGIT_TWO && !this.#isLast
        ? chunk.subarray(start, Math.min(to, start + LONGEST_STAMP)).indexOf(BRACE)
        : -1;
    if (brace > 0) {
      const sifted = this.#sieve.sift(start + brace, to);
      if (sifted === "done") return;
      if (sifted === "parse") {
        this.#stamped(chunk.toString("latin1", start, start + brace), chunk.subarray(start + brace, to));
        return;
      }
    }
    const line = chunk.subarray(start, to);
    const whole = line.includes(NUL) ? Buffer.from(line.filter((byte) => byte !== NUL)) : line;
    if (whole.length === 0) this.#sink.skip("nulBytes");
    else this.#jsonOrText(whole);
  }

  #jsonOrText(line: Buffer): void {
    const text = this.#whole(pasted(this.#withoutBom(line.toString("utf8"))));
    if (text === undefined) return;
    const inner = text.trimStart();
    const isJson = inner.startsWith("{") || JSON_LIST.test(inner);
    if (isJson && !this.#csv?.isOpen && !this.#text.takesIndented(text)) {
      this.#endText();
      this.#json(Buffer.from(inner));
      return;
    }
    this.#plain(text);
  }

  /** The line of a container's log file; undefined for a part of one that goes on in the next line. */
  #whole(text: string): string | undefined {
    const [, stamp = "", tag, rest = ""] = CRI_LINE.exec(text) ?? [];
    if (tag === undefined) return text;
    const whole = this.#partial + rest;
    const isPart = tag === "P" && whole.length < RECORD_BYTES;
    this.#partial = isPart ? whole : "";
    return isPart ? undefined : `${stamp} ${whole}`;
  }

  #withoutBom(text: string): string {
    const plain = this.#isFirst && text.startsWith(BOM) ? text.slice(1) : text;
    this.#isFirst = false;
    return plain;
  }

  /** A line of an S3 export: when it was logged, and the event. */
  #stamped(stamp: string, line: Buffer): void {
    const text = line.toString("utf8");
    const value = parsed(text);
    if (value === undefined) {
      this.#sink.unread("brokenJson", text, "line");
      return;
    }
    readValue(value, { ...this.#context, loggedMs: timeOf(stamp.trim()) }, this.#sink);
  }

  #json(line: Buffer): void {
    const text = line.toString("utf8");
    const whole = text.replace(/,$/, "");
    // Where no bracket closes it, parsing is in vain, and its error costs more than all else.
    const value = /[}\]]\s*$/.test(whole) ? parsed(whole) : undefined;
    if (value !== undefined) {
      readValue(value, this.#context, this.#sink);
      return;
    }
    if (!PUNCTUATION.test(text)) this.#document.push(line);
  }

  /** A value that the document cutter found. */
  #value(text: string): void {
    const value = parsed(text);
    if (value === undefined) this.#sink.unread("brokenJson", text, "record");
    else readValue(value, this.#context, this.#sink);
  }

  #plain(text: string): void {
    if (this.#csv?.isOpen !== true && this.#text.pushToBlock(text)) return;
    if (PUNCTUATION.test(text.trimStart()) && !this.#csv?.isOpen) return;
    const header = this.#csv?.isOpen === true ? undefined : csvHeader(text);
    if (header) {
      this.#csv = new CsvRows(header);
      // Counts are no events: without a row such a file says nothing, and with rows nothing that can be used.
      if (!header.columns.some(isCount)) this.#sink.usable("context");
      return;
    }
    if (this.#csv && this.#row(text, this.#csv)) return;
    this.#text.push(text);
  }

  /** A line under a CSV header; false when it is no row, so that other formats may follow. */
  #row(text: string, csv: CsvRows): boolean {
    const row = csv.push(text);
    if (row === "broken") return false;
    if (row !== "open") readValue(isRecord(row) ? filled(row) : row, this.#context, this.#sink);
    return true;
  }

  #piece(piece: Buffer): void {
    this.#longJson ??= /^\s*[[{]/.test(piece.toString("latin1", 0, 100)) || this.#document.open;
    if (this.#longJson) this.#document.push(piece);
  }

  #pieceEnd(): void {
    this.#lineCount++;
    const left = this.#document.abandon();
    if (this.#longJson !== true || left !== undefined) this.#sink.unread("lineTooLong", left ?? "", "record");
    this.#longJson = undefined;
  }
}

const isCount = (column: string) => /^(?:count|bin)\s*\(/.test(column);

/** Insights leaves cells of fields that an event does not have empty. */
const filled = (row: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(row).filter(([, value]) => value !== ""));
