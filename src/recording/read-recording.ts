/** Reads a recording with diagnose's reader: one reader for both. */
import { type DiagnoseInput, readInputs, type Unusable } from "../diagnose/diagnose.ts";
import type { Account } from "../diagnose/findings/account.ts";
import { failuresOf, type Findings } from "../diagnose/findings/findings.ts";
import { Tally } from "../diagnose/findings/tally.ts";
import { Recorder } from "./recorder.ts";
import type { Recording } from "./recording.ts";

export interface ReadOptions {
  /** Journal lines have no year, and none is after this. Epoch ms. */
  readonly nowMs: number;
  /** Told of each input before it is read. */
  readonly onInput?: ((name: string) => void) | undefined;
}

export interface ReadRecording {
  readonly recording: Recording;
  /** What was read, and what was not. */
  readonly account: Account;
  readonly skipped: Findings["skipped"];
  /** Inputs in which nothing could be used. */
  readonly unusable: readonly Unusable[];
}

/** Reads all inputs in bounded memory. @throws as `diagnose` does */
export async function readRecording(inputs: readonly DiagnoseInput[], options: ReadOptions): Promise<ReadRecording> {
  const recorder = new Recorder();
  const tally = new Tally(3_600_000, { sinceMs: undefined, untilMs: undefined }, recorder);
  const unusable = await readInputs(inputs, tally, options.nowMs, options.onInput);
  return {
    recording: recorder.recording(failuresOf(tally)),
    account: tally.account,
    skipped: Object.fromEntries(tally.skipped),
    unusable,
  };
}
