/** Time, handed in. Only this file of src/ (outside the CLI) reads the machine's clocks. */

export interface Clock {
  /** Epoch, in ms. */
  now(): number;
  /** Calls `fn` once after `ms`; the answer cancels it (and does nothing once it has run). */
  setTimer(fn: () => void, ms: number): () => void;
}

/** Longest delay that Node's timers take; longer ones would fire at once. */
const LONGEST_TIMER_MS = 2_147_483_647;

function setTimer(fn: () => void, ms: number): () => void {
  const timer = setTimeout(fn, Math.min(Math.max(ms, 0), LONGEST_TIMER_MS));
  return () => clearTimeout(timer);
}

/** The wall clock: to be compared with timestamps of the API server. It may jump. */
export const systemClock: Clock = { now: () => Date.now(), setTimer };

/**
 * A clock that never jumps, near the epoch: for leases and other spans that must not be stretched by somebody who sets
 * the wall clock.
 */
export const steadyClock: Clock = { now: () => performance.timeOrigin + performance.now(), setTimer };

/** Resolves after `ms` by this clock, or at once when `signal` aborts. Never rejects. */
export function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      cancel();
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const cancel = clock.setTimer(done, ms);
    signal?.addEventListener("abort", done, { once: true });
  });
}
