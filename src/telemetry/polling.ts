/** Repeats an action, never twice at the same time. */

/** Each wait differs by up to this share of the interval, so that replicas do not act in step. */
const JITTER = 0.1;

/**
 * Calls `act` at once and then each interval (or, if it takes longer, right after it has ended).
 * @param act must not reject
 * @returns a function that ends it, and resolves when nothing runs any more
 */
export function startPolling(intervalMs: number, act: () => Promise<void>, random = Math.random): () => Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let running = Promise.resolve();
  let stopped = false;
  const turn = () => {
    const startedMs = performance.now();
    running = act().then(() => {
      const waitMs = intervalMs * (1 + JITTER * (2 * random() - 1)) - (performance.now() - startedMs);
      if (!stopped) timer = setTimeout(turn, Math.max(0, waitMs));
    });
  };
  turn();
  return async () => {
    stopped = true;
    clearTimeout(timer);
    await running;
  };
}
