/** One input, whatever it holds: every line or document is recognised by itself, so formats may be mixed. */
import type { Sink } from "../findings/sink.ts";
import { isRecord } from "../json.ts";
import type { Calendar } from "../records/log-line.ts";
import { parsed, readText, readValue, type RecordContext } from "../records/unwrap.ts";
import { timeOf } from "../json.ts";
import { csvHeader, CsvRows } from "./csv.ts";
import { DocumentCutter } from "./document.ts";
import { LineCutter } from "./lines.ts";
import { Sieve } from "./sieve.ts";

const CR = 0x0d;
const BRACE = 0x7b;
const BRACKET = 0x5b;
const SPACE = 0x20;
const TAB = 0x09;
const NUL = 0x00;
const DIGIT_TWO = 0x32;
/** A time stamp and a space stand before the brace of a line that CloudWatch exported to S3. */
const LONGEST_STAMP = 40;
const BOM = "\ufeff";
/** Lines that only open or close a document whose elements stand on lines of their own. */
const PUNCTUATION = /^(?:\[|\],?|\]\s*\},?|\},?|,|\{\s*"\w+"\s*:\s*\[)$/;

export class InputReader {
  readonly #sink: Sink;
  readonly #context: RecordContext;
  readonly #sieve: Sieve;
  readonly #document: DocumentCutter;
  readonly #lines: LineCutter;
  #csv: CsvRows | undefined;
  /** Whether a long line began like JSON. */
  #longJson: boolean | undefined;

  /** `calendar`: by what lines without a year are dated; several readers may share one. */
  constructor(sink: Sink, calendar: Calendar) {
    this.#sink = sink;
    this.#context = { loggedMs: undefined, host: "", calendar, isLog: false, listKind: "" };
    this.#sieve = new Sieve(sink);
    this.#document = new DocumentCutter({
      value: (text) => this.#value(text),
      tooLong: () => sink.skip("lineTooLong"),
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
    this.#lines.end();
    this.#abandon();
    if (this.#csv?.isOpen) this.#sink.skip("brokenJson");
  }

  #line(chunk: Buffer, start: number, end: number): void {
    let to = end;
    while (to > start && (chunk[to - 1] === CR || chunk[to - 1] === SPACE)) to--;
    if (to === start) return;
    if (this.#document.open && this.#continues(chunk, start, to)) {
      this.#document.push(chunk.subarray(start, to));
      return;
    }
    this.#abandon();
    switch (this.#sieve.sift(start, to)) {
      case "done":
        return;
      case "parse": {
        this.#json(chunk.subarray(start, to));
        return;
      }
      case "broken": {
        this.#broken(chunk.subarray(start, to));
        return;
      }
      case "foreign": {
        this.#foreign(chunk, start, to);
        return;
      }
    }
  }

  /** Indented JSON goes on with white space or a closing bracket; anything else shows that the document was cut off. */
  #continues(chunk: Buffer, from: number, to: number): boolean {
    const first = chunk[from];
    if (first === BRACE) return false;
    return first === SPACE || first === TAB || /^["}\],]/.test(chunk.toString("latin1", from, Math.min(to, from + 1)));
  }

  #abandon(): void {
    if (this.#document.abandon()) this.#sink.skip("brokenJson");
  }

  /** Cut off, or several records in one line. */
  #broken(line: Buffer): void {
    this.#document.push(line);
  }

  #foreign(chunk: Buffer, start: number, to: number): void {
    const brace =
      chunk[start] === DIGIT_TWO ? chunk.subarray(start, Math.min(to, start + LONGEST_STAMP)).indexOf(BRACE) : -1;
    if (brace > 0) {
      const sifted = this.#sieve.sift(start + brace, to);
      if (sifted === "done") return;
      if (sifted === "parse") {
        this.#stamped(chunk.toString("latin1", start, start + brace), chunk.subarray(start + brace, to));
        return;
      }
    }
    let from = start;
    while (from < to && (chunk[from] === SPACE || chunk[from] === TAB)) from++;
    const line = chunk.subarray(from, to);
    if (line.includes(NUL)) {
      this.#withoutNul(line);
      return;
    }
    const first = line[0];
    if ((first === BRACE || first === BRACKET) && !this.#csv?.isOpen) {
      this.#json(line);
      return;
    }
    this.#text(line.toString("utf8"));
  }

  /** A line of an S3 export: when it was logged, and the event. */
  #stamped(stamp: string, line: Buffer): void {
    const value = parsed(line.toString("utf8"));
    if (value === undefined) {
      this.#sink.skip("brokenJson");
      return;
    }
    readValue(value, { ...this.#context, loggedMs: timeOf(stamp.trim()) }, this.#sink);
  }

  #withoutNul(line: Buffer): void {
    const rest = Buffer.from(line.filter((byte) => byte !== NUL));
    if (rest.length === 0) {
      this.#sink.skip("nulBytes");
      return;
    }
    this.#foreignCopy(rest);
  }

  #foreignCopy(line: Buffer): void {
    if (line[0] === BRACE || line[0] === BRACKET) this.#json(line);
    else this.#text(line.toString("utf8"));
  }

  #json(line: Buffer): void {
    const text = line.toString("utf8");
    const value = parsed(text) ?? parsed(text.replace(/,$/, ""));
    if (value !== undefined) {
      readValue(value, this.#context, this.#sink);
      return;
    }
    if (!PUNCTUATION.test(text)) this.#document.push(line);
  }

  /** A value that the document cutter found. */
  #value(text: string): void {
    const value = parsed(text);
    if (value === undefined) this.#sink.skip("brokenJson");
    else readValue(value, this.#context, this.#sink);
  }

  #text(raw: string): void {
    const text = raw.startsWith(BOM) ? raw.slice(1) : raw;
    if (raw !== text && /^[[{]/.test(text)) {
      this.#json(Buffer.from(text));
      return;
    }
    if (PUNCTUATION.test(text) && !this.#csv?.isOpen) return;
    const header = csvHeader(text);
    if (header && !this.#csv?.isOpen) {
      this.#csv = new CsvRows(header);
      // Counts are no events: without a row such a file says nothing, and with rows nothing that can be used.
      if (!header.some(isCount)) this.#sink.usable();
      return;
    }
    if (this.#csv && this.#row(text, this.#csv)) return;
    if (!readText(text, this.#context, this.#sink)) this.#sink.skip("notRecognised");
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
    const unfinished = this.#document.abandon();
    if (this.#longJson !== true || unfinished) this.#sink.skip("lineTooLong");
    this.#longJson = undefined;
  }
}

const isCount = (column: string) => /^(?:count|bin)\s*\(/.test(column);

/** Insights leaves cells of fields that an event does not have empty. */
const filled = (row: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(row).filter(([, value]) => value !== ""));
