/**
 * The kubelet's token bucket of image pulls, replayed so that it is never overdrawn because of Paceline. A pull may
 * begin at any moment between a pod's binding and its start, unseen, and several may begin at once. So each pull counts
 * at the latest moment at which it may have begun: now while its pod is starting, else when its pod had started.
 */
import { SECOND_MS } from "../measures.ts";

/** Pulls of a pod that has started. */
export interface DonePulls {
  readonly atMs: number;
  readonly count: number;
}

/** The kubelet's registryPullQPS and registryBurst. */
export interface PullBudget {
  readonly qps: number;
  readonly burst: number;
}

/** Adds `latest` to the pulls that the bucket has not made up for yet; older ones are forgotten. */
export function notePulls(
  done: readonly DonePulls[],
  latest: DonePulls,
  { qps, burst }: PullBudget,
): readonly DonePulls[] {
  if (latest.count === 0 || qps === 0) return done;
  const sinceMs = latest.atMs - (burst / qps) * SECOND_MS;
  return [...done.filter(({ atMs }) => atMs > sinceMs), latest];
}

/**
 * Pulls that may begin now.
 * @param outstanding pulls of pods that are starting: each may begin now, too. The result is below 0 where they are too
 * many.
 */
export function pullsLeft(
  { qps, burst }: PullBudget,
  done: readonly DonePulls[],
  outstanding: number,
  nowMs: number,
): number {
  let tokens = burst;
  let lastMs = -Infinity;
  for (const { atMs, count } of done) {
    tokens = Math.max(0, refilled(tokens, atMs - lastMs, qps, burst) - count);
    lastMs = atMs;
  }
  return refilled(tokens, nowMs - lastMs, qps, burst) - outstanding;
}

const refilled = (tokens: number, elapsedMs: number, qps: number, burst: number) =>
  Math.min(burst, tokens + (elapsedMs / SECOND_MS) * qps);
