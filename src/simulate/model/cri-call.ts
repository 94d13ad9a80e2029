import type { Flow } from "./flow.ts";

/** What becomes of a CRI call: `done` in time; or `timedOut`, and `late` when the runtime is through after all. */
export interface CallOutcome {
  done(): void;
  timedOut(): void;
  late(): void;
}

/** Makes one CRI call. The runtime cannot be stopped: a call that timed out goes on behind the kubelet's back. */
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
