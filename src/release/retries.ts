/** Remembers which writes wait after a failure, and why they failed. */
import { backoffMs } from "../kube/client/backoff.ts";

/** A refused write is tried again after 100 ms, doubled up to 10 s: a hold cap of 300 s still sees many attempts. */
const LIMITS = { firstMs: 100, longestMs: 10_000 };

/** A write that is refused so often will be refused again. Once may come from a policy that has just changed. */
const REFUSED_TIMES = 3;

/** A write that was not wanted for so long is forgotten, ms: one that is refused may be tried in turns with others. */
const FORGOTTEN_MS = 60_000;

interface Wait {
  readonly failures: number;
  readonly refusals: number;
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

  /**
   * @param refused sent again, it would be refused again
   * @param byMs if it is still to come, the next try is not later than that, unless the API server asked to wait.
   */
  failed(key: string, nowMs: number, why: string, { atLeastMs = 0, byMs = Infinity, refused = false } = {}): void {
    const before = this.#waits.get(key);
    const failures = (before?.failures ?? 0) + 1;
    const refusals = (before?.refusals ?? 0) + Number(refused);
    const mostMs = byMs > nowMs ? byMs - nowMs : Infinity;
    const waitMs = Math.max(Math.min(backoffMs(failures, LIMITS, this.#random), mostMs), atLeastMs);
    this.#waits.set(key, { failures, refusals, untilMs: nowMs + waitMs, why });
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

  /** The writes that were refused time and again, whether they wait now or not. */
  *refused(): Generator<string> {
    for (const [key, { refusals }] of this.#waits) if (refusals >= REFUSED_TIMES) yield key;
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
