import { BACK_OFF_FORGET_FACTOR, BACK_OFF_INITIAL_MS, BACK_OFF_MAX_MS } from "./constants.ts";

/** A back-off entry as in client-go's flowcontrol: 10 s, doubling to 300 s, forgotten after 10 min. */
export class BackOff {
  /** Current back-off in ms; 0 before the first failure. */
  delayMs = 0;
  #lastMs = -Infinity;

  /** Counts a failure that happened at `atMs`. */
  next(atMs: number): void {
    const forget = this.delayMs === 0 || atMs - this.#lastMs > BACK_OFF_FORGET_FACTOR * BACK_OFF_MAX_MS;
    this.delayMs = forget ? BACK_OFF_INITIAL_MS : Math.min(2 * this.delayMs, BACK_OFF_MAX_MS);
    this.#lastMs = atMs;
  }

  /** True if less than the back-off has passed since `eventMs`. */
  holdsSince(eventMs: number, nowMs: number): boolean {
    if (nowMs - this.#lastMs > BACK_OFF_FORGET_FACTOR * BACK_OFF_MAX_MS) return false;
    return nowMs - eventMs < this.delayMs;
  }

  /** True if less than the back-off has passed since the last failure. */
  holdsSinceUpdate(nowMs: number): boolean {
    return this.holdsSince(this.#lastMs, nowMs);
  }
}
