/**
 * Clocks, which callers pass on. Beside this file, only the CLI reads the machine's time. Where src/telemetry is given
 * no monotonic clock, it measures spans with `performance.now()`: it may not import this folder.
 */

export interface Clock {
  /** Epoch, in ms. */
  now(): number;
  /** Calls `fn` once after `ms`. @returns a function that cancels the call, without effect once it has run */
  setTimer(fn: () => void, ms: number): () => void;
}

/** Longest delay that Node's timers take; longer ones would fire at once. */
const LONGEST_TIMER_MS = 2_147_483_647;

function setTimer(fn: () => void, ms: number): () => void {
  const timer = setTimeout(fn, Math.min(Math.max(ms, 0), LONGEST_TIMER_MS));
  return () => clearTimeout(timer);
}

/** The machine's wall clock. It may be wrong, and it may jump: see server-clock.ts. */
export const systemClock: Clock = { now: () => Date.now(), setTimer };

/**
 * A clock that never jumps, near the epoch. It is for leases and other spans that must not change when the wall clock
 * is set.
 */
export const steadyClock: Clock = { now: () => performance.timeOrigin + performance.now(), setTimer };

/** Resolves after `ms` on this clock, or at once when `signal` aborts. Never rejects. */
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
