/**
 * Writes of one node to the API server: few at a time, one at a time for each key, and only the newest of a key. So a
 * burst of changes costs only what the API server can take, and no write waits behind an outdated one.
 */
import { ApiError } from "../../src/kube/client/api-error.ts";
import { backoffMs } from "../../src/kube/client/backoff.ts";
import type { Clock } from "../../src/kube/clock.ts";
import { pause } from "../../src/kube/clock.ts";

/** Writes in flight per node. Assumed: a kubelet's client has QPS 50; a local API server answers in milliseconds. */
const IN_FLIGHT = 4;
/** Time between attempts of a write that the server could not take, in ms. */
const RETRY = { firstMs: 200, longestMs: 5_000 } as const;

export interface Writer {
  /** Writes `task` after those before it; a task of the same key that has not begun is dropped. */
  put(key: string, task: () => Promise<unknown>): void;
  /** Resolves when nothing is left to write. */
  idle(): Promise<void>;
  /** Ends: what has not begun is dropped; resolves when nothing runs. */
  stop(): Promise<void>;
}

/** @param random 0 to 1, for jitter */
export function createWriter(clock: Clock, random: () => number): Writer {
  const waiting = new Map<string, () => Promise<unknown>>();
  const running = new Map<string, Promise<void>>();
  const stopping = new AbortController();

  const next = () => {
    for (const [key, task] of waiting) {
      if (running.size >= IN_FLIGHT || stopping.signal.aborted) return;
      if (running.has(key)) continue;
      waiting.delete(key);
      running.set(key, run(key, task));
    }
  };
  const run = async (key: string, task: () => Promise<unknown>) => {
    await untilTaken(task, () => stopping.signal.aborted || waiting.has(key));
    running.delete(key);
    next();
  };
  const untilTaken = async (task: () => Promise<unknown>, isMoot: () => boolean) => {
    for (let failures = 0; !isMoot();) {
      try {
        await task();
        return;
      } catch (error) {
        if (!isWorthRetrying(error)) return;
        failures += 1;
        await pause(clock, backoffMs(failures, RETRY, random), stopping.signal);
      }
    }
  };
  return {
    put(key, task) {
      waiting.set(key, task);
      next();
    },
    async idle() {
      while (running.size > 0) await Promise.all(running.values());
    },
    async stop() {
      stopping.abort();
      waiting.clear();
      await Promise.all(running.values());
    },
  };
}

/** True if the server could not be reached or was busy. Other refusals (gone, another uid, forbidden) are final. */
function isWorthRetrying(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 0 || error.status === 429 || error.status >= 500);
}
