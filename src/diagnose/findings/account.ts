/** What was read and what was not: the evidence on which a verdict rests. */
import { markIn } from "../classify/marks.ts";
import type { Worth } from "./sink.ts";

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

  read(worth: Worth): void {
    this.usable++;
    if (worth === "evidence") this.evidence++;
  }

  unread(text: string, unit: "line" | "record"): void {
    if (unit === "line") this.unreadLines++;
    else this.unreadRecords++;
    const mark = markIn(text);
    if (mark === undefined) {
      if (this.firstUnread === "") this.firstUnread = text.slice(0, SAMPLE_CHARS);
      return;
    }
    this.marked++;
    if (this.samples.length < MOST_SAMPLES) this.samples.push({ mark, text: around(text, mark) });
  }

  /** True when more was left unread than was read: lines are compared with lines, records with records. */
  get isMostlyUnread(): boolean {
    return this.unreadLines > this.lines - this.unreadLines || this.unreadRecords > this.usable;
  }
}

function around(text: string, mark: string): string {
  const at = text.indexOf(mark);
  const from = Math.max(0, Math.min(at - SAMPLE_CHARS / 4, text.length - SAMPLE_CHARS));
  return text.slice(from, from + SAMPLE_CHARS).trim();
}
