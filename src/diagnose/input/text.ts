/** Lines of text: blocks of several lines first, then logs, whose lines a terminal may have broken in two. */
import { markIn } from "../classify/marks.ts";
import type { Sink } from "../findings/sink.ts";
import { headOf } from "../records/log-head.ts";
import { classifyLine, isBareHead, isFragment, isOpen, lacksError } from "../records/log-line.ts";
import { withoutColours } from "../records/colours.ts";
import { readText, type RecordContext } from "../records/unwrap.ts";
import { startAwsText } from "./blocks/aws-text.ts";
import type { Block, BlockHost, BlockStart } from "./blocks/block.ts";
import { startDescribe } from "./blocks/describe.ts";
import { startJournalEntry } from "./blocks/journal-entry.ts";
import { startTable } from "./blocks/table.ts";
import { startYaml } from "./blocks/yaml.ts";

const starts: readonly BlockStart[] = [startJournalEntry, startDescribe, startTable, startAwsText, startYaml];

/** A line of a log is broken into so many at most. */
const MOST_PARTS = 40;
/** The longest lines of kubelets are containers' specs of some tens of KiB. */
const MOST_CHARS = 200_000;
/** How a line of a log begins, behind any prefix: what does not begin like this may be the rest of the line before. */
const BEGINNING = /(?<![A-Za-z0-9])[IWEF]\d{4} \d\d:\d\d:\d\d|(?<!\w)time=["\\]|^[{[]/;
/** A container's spec in a kubelet's line, which a terminal breaks most often. */
const SPEC = /&Container\{/;

export class TextReader {
  readonly #sink: Sink;
  readonly #context: RecordContext;
  #block: Block | undefined;
  /** A line of a log that is not complete, and what came after it. */
  #parts: string[] = [];
  #isLast = false;
  /** Whether the last line had no newline behind it. */
  #hasCutLine = false;

  constructor(sink: Sink, context: RecordContext) {
    this.#sink = sink;
    this.#context = context;
  }

  /** From now on lines have no newline behind them: they may be cut off. */
  beginsLastLine(): void {
    this.#isLast = true;
  }

  /** True when the open block takes the line although it looks like JSON. */
  takesIndented(line: string): boolean {
    return this.#block !== undefined && /^\s/.test(line);
  }

  /** Gives a line to the block that is open, or to the one that it begins; false when there is none. */
  pushToBlock(line: string): boolean {
    this.#hasCutLine = this.#isLast;
    if (this.#block?.push(line) === true) return true;
    this.#endBlock();
    const host: BlockHost = {
      context: this.#context,
      sink: this.#sink,
      line: (text) => this.#single(text.trim()),
      isCut: () => this.#hasCutLine,
    };
    for (const start of starts) {
      const block = start(line, host);
      if (!block) continue;
      this.#flush();
      this.#block = block;
      return block.push(line);
    }
    return false;
  }

  /** A line that no block took. */
  push(line: string): void {
    const text = withoutColours(line).trim();
    if (this.#parts.length > 0) {
      const joined = this.#parts.join("") + text;
      if (this.#parts.length < MOST_PARTS && joined.length < MOST_CHARS && !this.#begins(text)) {
        this.#parts.push(text);
        if (!isBroken(joined) && classifyLine(joined) !== undefined) this.#flush();
        return;
      }
      this.#flush();
    }
    if (goesOn(text) && this.#begins(text)) this.#parts = [text];
    else this.#single(text, this.#isLast);
  }

  /** A blank line ends blocks that have an end there; a line of a log may go on behind it. */
  blank(): void {
    if (this.#block?.push("") === false) this.#endBlock();
  }

  end(): void {
    this.#endBlock();
    this.#flush();
  }

  #endBlock(): void {
    const block = this.#block;
    this.#block = undefined;
    block?.end();
  }

  #begins(text: string): boolean {
    return BEGINNING.test(text) || headOf(text, { ...this.#context.calendar }) !== undefined;
  }

  /** Reads what was gathered as one line, if that tells of a failure, else each part by itself. */
  #flush(): void {
    const [first, ...rest] = this.#parts;
    this.#parts = [];
    if (first === undefined) return;
    const joined = ["", " "].map((between) => [first, ...rest].join(between));
    // What was added must not be taken for read only because it stood behind an open quote.
    const isTrusted = first.endsWith("=<") || !rest.some((part) => markIn(part) !== undefined);
    const closed = isTrusted ? joined.find((line) => !isBroken(line)) : undefined;
    const whole = joined.find((line) => classifyLine(line) !== undefined) ?? closed;
    if (rest.length > 0 && whole !== undefined) this.#single(whole);
    else for (const line of [first, ...rest]) this.#single(line);
  }

  #single(text: string, isLast = false): void {
    if (text === "") return;
    if (readText(text, this.#context, this.#sink)) {
      if (isLast && isFragment(text, this.#context.calendar)) this.#sink.skip("torn");
    } else this.#sink.unread("notRecognised", text, "line");
  }
}

/** True when the rest of a line of a log may stand in the next one. */
const goesOn = (text: string) => isBroken(text) || isBareHead(text) || lacksError(text);

function isBroken(text: string): boolean {
  if (isOpen(text)) return true;
  return SPEC.test(text) && count(text, "{") > count(text, "}");
}

const count = (text: string, letter: string) => text.split(letter).length - 1;
