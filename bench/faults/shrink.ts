/** Makes a failing schedule smaller: takes steps out as long as the same invariant breaks. */
import { runSchedule, type Bug, type RunResult } from "./run.ts";
import type { Schedule, Step } from "./steps.ts";

/** Runs that shrinking may cost. A run takes a quarter of a second of CPU. */
const MOST_RUNS = 120;

export interface ShrinkOptions {
  readonly tell?: (detail: string) => void;
  /** Ends it with what was found so far. */
  readonly signal?: AbortSignal;
}

/** @returns the smallest failing run that was found, perhaps the given one */
export async function shrink(
  failing: RunResult,
  bug: Bug | undefined,
  { tell, signal }: ShrinkOptions = {},
): Promise<RunResult> {
  let best = failing;
  let runs = 0;
  for (let size = Math.ceil(best.schedule.steps.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let from = 0; from < best.schedule.steps.length && runs < MOST_RUNS;) {
      if (signal?.aborted === true) return best;
      const fewer = await runSchedule(without(best.schedule, from, size), bug);
      runs += 1;
      if (fewer.violation?.invariant === failing.violation?.invariant) best = fewer;
      else from += size;
      tell?.(`${best.schedule.steps.length} of ${failing.schedule.steps.length} steps are left after ${runs} runs`);
    }
  }
  return best;
}

function without(schedule: Schedule, from: number, count: number): Schedule {
  const isLeft = (_: Step, index: number) => index < from || index >= from + count;
  return { ...schedule, steps: schedule.steps.filter(isLeft) };
}
