/** Remembers which writes wait after a failure. */
import { backoffMs } from "../kube/client/backoff.ts";

/** A refused write is tried again after 100 ms, doubled up to 10 s: a hold cap of 300 s still sees many attempts. */
const LIMITS = { firstMs: 100, longestMs: 10_000 };

export class Retries {
  readonly #random: () => number;
  #waits = new Map<string, { readonly failures: number; readonly untilMs: number }>();

  /** @param random gives 0 to 1, for jitter. */
  constructor(random: () => number) {
    this.#random = random;
  }

  failed(key: string, nowMs: number, atLeastMs = 0): void {
    const failures = (this.#waits.get(key)?.failures ?? 0) + 1;
    const waitMs = Math.max(backoffMs(failures, LIMITS, this.#random), atLeastMs);
    this.#waits.set(key, { failures, untilMs: nowMs + waitMs });
  }

  succeeded(key: string): void {
    this.#waits.delete(key);
  }

  waits(key: string, nowMs: number): boolean {
    return nowMs < (this.#waits.get(key)?.untilMs ?? -Infinity);
  }

  /** Forgets writes that are no longer wanted. */
  keepOnly(keys: ReadonlySet<string>): void {
    for (const key of this.#waits.keys()) if (!keys.has(key)) this.#waits.delete(key);
  }

  /** When the next wait is over; undefined: none. */
  nextMs(nowMs: number): number | undefined {
    let next = Infinity;
    for (const { untilMs } of this.#waits.values()) if (untilMs > nowMs) next = Math.min(next, untilMs);
    return next === Infinity ? undefined : next;
  }
}
