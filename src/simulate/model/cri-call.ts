import type { Flow } from "./flow.ts";

/**
 * The callbacks of a CRI call: `done` if it ends in time; otherwise `timedOut`, and `late` when the runtime has
 * finished after all.
 */
export interface CallOutcome {
  done(): void;
  timedOut(): void;
  late(): void;
}

/** Makes a CRI call. The kubelet cannot stop the runtime: it goes on working on a call that timed out. */
export function criCall(flow: Flow, timeoutMs: number, run: (done: () => void) => void, outcome: CallOutcome): void {
  let timedOut = false;
  const timer = flow.after(timeoutMs, () => {
    timedOut = true;
    outcome.timedOut();
  });
  run(() => {
    flow.cancelTimer(timer);
    if (timedOut) outcome.late();
    else outcome.done();
  });
}
