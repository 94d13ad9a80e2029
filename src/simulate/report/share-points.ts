/** The curve of how many pods are Ready over time, with no more points than a chart needs. */

/** Enough for a smooth line with any number of pods. */
const MOST_POINTS = 200;

/** The step at each of so many ranks: when, and the share that is Ready by then, 0 to 1. */
export function sharePoints(ascending: readonly number[]): readonly (readonly [seconds: number, share: number])[] {
  const count = Math.min(MOST_POINTS, ascending.length);
  const ranks = Array.from({ length: count }, (_, at) => Math.ceil(((at + 1) * ascending.length) / count) - 1);
  return ranks.map((rank) => [ascending[rank] ?? 0, (rank + 1) / ascending.length] as const);
}
