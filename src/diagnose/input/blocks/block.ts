/** Records that take several lines of text: what a block is, and what it needs. */
import type { Sink } from "../../findings/sink.ts";
import type { RecordContext } from "../../records/unwrap.ts";

/** Where a block hands on what it read. */
export interface BlockHost {
  readonly context: RecordContext;
  readonly sink: Sink;
  /** Reads a line as if no block had taken it. */
  line(text: string): void;
  /** True once the input has ended without a newline: the last line may be cut off. */
  isCut(): boolean;
}

export interface Block {
  /** Takes a line as it stands, without its newline; "" for a blank one. False when it does not belong to the block. */
  push(line: string): boolean;
  /** Reads what was gathered. Call once, when a line did not belong or the input ends. */
  end(): void;
}

/** The block that a line begins, or undefined; the line is then pushed to it. */
export type BlockStart = (line: string, host: BlockHost) => Block | undefined;

/** A block holds so many lines at most; what is longer is no record of these kinds. */
export const MOST_LINES = 20_000;
