import type { Clock } from "../../src/kube/clock.ts";

/** The model's time: the wall clock's, or faster by a factor from the node's start on. */
export interface ModelClock {
  /** Present time of the model, epoch ms. */
  nowMs(): number;
  /** Wall time of a time of the model, epoch ms. */
  wallMs(modelMs: number): number;
  /**
   * Calls `fn` when the model's time is `modelMs`, but not before `leastMs` of wall time. @returns a function that
   * cancels it
   */
  setTimer(fn: () => void, modelMs: number, leastMs?: number): () => void;
}

/** @param speed model seconds per wall second, over 0 */
export function modelClock(clock: Clock, speed: number): ModelClock {
  const startMs = clock.now();
  const nowMs = () => startMs + (clock.now() - startMs) * speed;
  return {
    nowMs,
    wallMs: (modelMs) => startMs + (modelMs - startMs) / speed,
    setTimer: (fn, modelMs, leastMs = 0) => clock.setTimer(fn, Math.max(leastMs, (modelMs - nowMs()) / speed)),
  };
}
