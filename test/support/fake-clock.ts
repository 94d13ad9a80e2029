/** A clock that stands still until a test moves it. */
import type { Clock } from "../../src/kube/clock.ts";

export interface FakeClock extends Clock {
  /** Runs every timer that falls due within `ms`, in order, and lets promises settle after each. */
  advance(ms: number): Promise<void>;
  /** Lets promises settle without moving time. */
  settle(): Promise<void>;
  /** Pending timers. */
  pending(): number;
}

/** Rounds of the event loop that a chain of promises may need to settle. */
const SETTLE_ROUNDS = 8;

export function fakeClock(startMs = Date.parse("2026-01-01T00:00:00Z")): FakeClock {
  let nowMs = startMs;
  const timers = new Set<{ atMs: number; fn: () => void }>();
  const settle = async () => {
    for (let round = 0; round < SETTLE_ROUNDS; round++) await new Promise((resolve) => setImmediate(resolve));
  };
  const nextDue = (untilMs: number) =>
    [...timers].filter((timer) => timer.atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0];
  return {
    now: () => nowMs,
    setTimer(fn, ms) {
      const timer = { atMs: nowMs + Math.max(ms, 0), fn };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    async advance(ms) {
      const untilMs = nowMs + ms;
      await settle();
      for (let timer = nextDue(untilMs); timer !== undefined; timer = nextDue(untilMs)) {
        timers.delete(timer);
        nowMs = Math.max(nowMs, timer.atMs);
        timer.fn();
        await settle();
      }
      nowMs = untilMs;
    },
    settle,
    pending: () => timers.size,
  };
}
