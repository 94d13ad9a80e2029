/** `diagnose`: reads inputs of any accepted shape, answers what was found. Works on files alone. */
import { findingsOf, type Findings } from "./findings/findings.ts";
import { Tally, type Window } from "./findings/tally.ts";
import { verdictOf, type Verdict } from "./findings/verdict.ts";
import { InputReader } from "./input/reader.ts";
import { readFileInto, readStreamInto } from "./input/source.ts";

export interface DiagnoseOptions extends Window {
  /** Width of the query's bins, ms; bins start at multiples of it since 1970, as CloudWatch's do. */
  readonly binMs: number;
  /** Journal lines have no year, and none is after this. Epoch ms. */
  readonly nowMs: number;
}

/** A path, or a stream such as standard input. */
export type DiagnoseInput = string | { readonly name: string; readonly stream: AsyncIterable<unknown> };

export interface Diagnosis {
  readonly findings: Findings;
  readonly verdict: Verdict;
  /** Inputs in which nothing could be used. */
  readonly unusable: readonly string[];
}

/**
 * Reads all inputs, one after the other, in bounded memory.
 * @throws the file system's error when a path cannot be read; never for what is in it.
 */
export async function diagnose(inputs: readonly DiagnoseInput[], options: DiagnoseOptions): Promise<Diagnosis> {
  const tally = new Tally(options.binMs, options);
  const unusable: string[] = [];
  const calendar = { nowMs: options.nowMs, seenMs: undefined };
  for (const input of inputs) {
    const before = tally.usableRecords;
    const reader = new InputReader(tally, calendar);
    const damaged = () => tally.skip("truncatedGzip");
    if (typeof input === "string") await readFileInto(input, reader, damaged);
    else await readStreamInto(input.stream, reader, damaged);
    if (tally.usableRecords === before) unusable.push(typeof input === "string" ? input : input.name);
  }
  const findings = findingsOf(tally);
  return { findings, verdict: verdictOf(findings), unusable };
}
