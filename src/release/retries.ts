/** Remembers which writes wait after a failure, and why they failed. */
import { backoffMs } from "../kube/client/backoff.ts";

/** A refused write is tried again after 100 ms, doubled up to 10 s: a hold cap of 300 s still sees many attempts. */
const LIMITS = { firstMs: 100, longestMs: 10_000 };

/** A write that was not wanted for so long is forgotten, ms: one that is refused may be tried in turns with others. */
const FORGOTTEN_MS = 60_000;

interface Wait {
  readonly failures: number;
  readonly untilMs: number;
  readonly why: string;
}

export class Retries {
  readonly #random: () => number;
  #waits = new Map<string, Wait>();

  /** @param random gives 0 to 1, for jitter. */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** @param byMs if it is still to come, the next try is not later than that, unless the API server asked to wait. */
  failed(key: string, nowMs: number, why: string, { atLeastMs = 0, byMs = Infinity } = {}): void {
    const failures = (this.#waits.get(key)?.failures ?? 0) + 1;
    const mostMs = byMs > nowMs ? byMs - nowMs : Infinity;
    const waitMs = Math.max(Math.min(backoffMs(failures, LIMITS, this.#random), mostMs), atLeastMs);
    this.#waits.set(key, { failures, untilMs: nowMs + waitMs, why });
  }

  succeeded(key: string): void {
    this.#waits.delete(key);
  }

  waits(key: string, nowMs: number): boolean {
    return nowMs < (this.#waits.get(key)?.untilMs ?? -Infinity);
  }

  /** The writes that wait now, and why the last try failed. */
  *waiting(nowMs: number): Generator<readonly [key: string, why: string]> {
    for (const [key, { untilMs, why }] of this.#waits) if (nowMs < untilMs) yield [key, why];
  }

  /** Forgets writes that have not been wanted for a while. */
  keepOnly(keys: ReadonlySet<string>, nowMs: number): void {
    for (const [key, { untilMs }] of this.#waits)
      if (!keys.has(key) && nowMs >= untilMs + FORGOTTEN_MS) this.#waits.delete(key);
  }

  /** When the next wait is over; undefined: none. */
  nextMs(nowMs: number): number | undefined {
    let next = Infinity;
    for (const { untilMs } of this.#waits.values()) if (untilMs > nowMs) next = Math.min(next, untilMs);
    return next === Infinity ? undefined : next;
  }
}
