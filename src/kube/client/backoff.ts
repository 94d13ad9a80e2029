/** How long to wait before trying again: doubling, jittered, capped. */

export interface BackoffLimits {
  readonly firstMs: number;
  readonly longestMs: number;
}

/**
 * Wait after the `failures`-th failure in a row (1 and up), in ms: `firstMs` doubled each time up to `longestMs`,
 * spread by ± 50 % so that replicas that failed together do not come back together. `random` gives 0 to 1.
 */
export function backoffMs(failures: number, limits: BackoffLimits, random: () => number): number {
  const doubled = limits.firstMs * 2 ** Math.min(Math.max(failures - 1, 0), 30);
  return Math.min(doubled, limits.longestMs) * (0.5 + random());
}
