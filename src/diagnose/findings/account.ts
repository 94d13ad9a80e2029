/** What was read and what was not: the evidence on which a verdict rests. */
import { markIn, markOfTorn } from "../classify/marks.ts";
import type { UnreadCause, Worth } from "./sink.ts";

/** Something that was not read although it carries a mark of the problem. */
export interface MarkedSample {
  readonly mark: string;
  /** Around the mark, for people. */
  readonly text: string;
}

/** Samples told; a few show what kind of input it is. */
const MOST_SAMPLES = 5;
/** Characters shown of a sample, around its mark. */
const SAMPLE_CHARS = 160;

export class Account {
  /** Lines that are not blank. */
  lines = 0;
  /** Records of a known shape. */
  usable = 0;
  /** Those of them in which a failed start would show. */
  evidence = 0;
  unreadLines = 0;
  unreadRecords = 0;
  /** Unread lines and records that carry a mark of the problem. */
  marked = 0;
  /** The first of those. */
  readonly samples: MarkedSample[] = [];
  /** The first unread line without a mark: it shows what the input looks like. */
  firstUnread = "";

  /** Records by where they lie, and failed starts outside; counted only where `--since` or `--until` make a window. */
  readonly window = { inside: 0, outside: 0, undated: 0, failuresOutside: 0 };
  /** Times in the input, epoch ms; undefined while no record had one. */
  firstMs: number | undefined;
  lastMs: number | undefined;

  /** A time that a record told. */
  spans(atMs: number): void {
    this.firstMs = Math.min(this.firstMs ?? atMs, atMs);
    this.lastMs = Math.max(this.lastMs ?? atMs, atMs);
  }

  read(worth: Worth): void {
    this.usable++;
    if (worth === "evidence") this.evidence++;
  }

  unread(cause: UnreadCause, text: string, unit: "line" | "record"): void {
    if (unit === "line") this.unreadLines++;
    else this.unreadRecords++;
    const mark = markIn(text) ?? markBy(cause, text);
    if (mark === undefined) {
      if (this.firstUnread === "") this.firstUnread = text.slice(0, SAMPLE_CHARS);
      return;
    }
    this.marked++;
    if (this.samples.length < MOST_SAMPLES) this.samples.push({ mark, text: around(text, mark) });
  }

  /** The share that was left unread: of the lines, or of the records where that is more. 0 to 1. */
  get unreadShare(): number {
    return Math.max(share(this.unreadLines, this.lines), share(this.unreadRecords, this.usable + this.unreadRecords));
  }

  /** True when more was left unread than was read. */
  get isMostlyUnread(): boolean {
    return this.unreadShare > 0.5;
  }
}

const share = (part: number, all: number) => (part === 0 ? 0 : part / Math.max(part, all));

/** What the way in which something was not read says, where its words do not. */
function markBy(cause: UnreadCause, text: string): string | undefined {
  // A failure that was told without its reason is one, whatever it is.
  if (cause === "noDetails") return text;
  return cause === "brokenJson" || cause === "torn" ? markOfTorn(text) : undefined;
}

function around(text: string, mark: string): string {
  const at = text.indexOf(mark);
  const from = Math.max(0, Math.min(at - SAMPLE_CHARS / 4, text.length - SAMPLE_CHARS));
  return text.slice(from, from + SAMPLE_CHARS).trim();
}
