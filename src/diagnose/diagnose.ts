/** `diagnose`: reads inputs of any accepted shape, answers what was found. Works on files alone. */
import { findingsOf, type Findings } from "./findings/findings.ts";
import { Tally, type Window } from "./findings/tally.ts";
import { looksLike } from "./findings/looks-like.ts";
import { verdictOf, type Verdict } from "./findings/verdict.ts";
import { InputReader } from "./input/reader.ts";
import { readFileInto, readStreamInto } from "./input/source.ts";

export interface DiagnoseOptions extends Window {
  /** Width of the query's bins, ms; bins start at multiples of it since 1970, as CloudWatch's do. */
  readonly binMs: number;
  /** Journal lines have no year, and none is after this. Epoch ms. */
  readonly nowMs: number;
}

/** Something went wrong that is no fault of the input: nothing was found out. */
export class ReadingError extends Error {
  /** `name`: of the input that was being read. */
  constructor(name: string, cause: unknown) {
    super(`internal error while reading ${name}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.name = "ReadingError";
  }
}

/** A path, or a stream such as standard input. */
export type DiagnoseInput = string | { readonly name: string; readonly stream: AsyncIterable<unknown> };

export interface Unusable {
  readonly name: string;
  /** What the input is by its look, and what to run instead; undefined when it looks like nothing that is known. */
  readonly looksLike: string | undefined;
}

export interface Diagnosis {
  readonly findings: Findings;
  readonly verdict: Verdict;
  /** Inputs in which nothing could be used, and nothing has words of the problem. */
  readonly unusable: readonly Unusable[];
}

/**
 * Reads all inputs, one after the other, in bounded memory.
 * @throws the file system's error when a path cannot be read; ReadingError for anything else, which names the input.
 */
export async function diagnose(inputs: readonly DiagnoseInput[], options: DiagnoseOptions): Promise<Diagnosis> {
  const tally = new Tally(options.binMs, options);
  const unusable = await readInputs(inputs, tally, options.nowMs);
  const findings = findingsOf(tally);
  return { findings, verdict: verdictOf(findings), unusable };
}

/**
 * Reads all inputs into the tally, and answers which of them held nothing usable.
 * @param onInput told of each input before it is read
 * @throws as {@link diagnose}
 */
export async function readInputs(
  inputs: readonly DiagnoseInput[],
  tally: Tally,
  nowMs: number,
  onInput?: (name: string) => void,
): Promise<readonly Unusable[]> {
  const unusable: Unusable[] = [];
  const calendar = { nowMs, seenMs: undefined };
  for (const input of inputs) {
    const before = tally.account.usable + tally.account.marked;
    tally.account.firstUnread = "";
    const reader = new InputReader(tally, calendar);
    const damaged = () => tally.skip("truncatedGzip");
    const name = typeof input === "string" ? input : input.name;
    onInput?.(name);
    try {
      if (typeof input === "string") await readFileInto(input, reader, damaged);
      else await readStreamInto(input.stream, reader, damaged);
    } catch (cause) {
      // The file system's errors have a code and a message for people; any other is a mistake in here.
      throw (cause as NodeJS.ErrnoException).code === undefined ? new ReadingError(name, cause) : cause;
    }
    if (tally.account.usable + tally.account.marked === before)
      unusable.push({ name, looksLike: looksLike(tally.account.firstUnread) });
  }
  return unusable;
}
