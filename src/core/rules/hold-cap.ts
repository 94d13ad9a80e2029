/**
 * The last part of the hold cap. What still waits then is let go evenly, slots or not, so that a crowd does not leave
 * all at once when its cap comes. How many wait, when their caps come, and when the last of them went are all on the
 * pods, so a new leader goes on where the old one was.
 */

import type { PodFacts, PodShape } from "../facts.ts";
import { SECOND_MS } from "../measures.ts";

/** Length of the last part as a share of the cap: a minute of the five that are the default. Assumed. */
const EASE_SHARE = 0.2;

/**
 * What is more overdue than this counts as due this long ago, ms: a new leader, or a clock that was set, must not let a
 * crowd go at once. Assumed: longer than a plan takes.
 */
const CATCH_UP_MS = 1_000;

/** How long before its cap a pod begins to count as one that is near it, ms. */
export const easeMs = (maxHoldMs: number): number => EASE_SHARE * maxHoldMs;

/** The hold cap of pods of this shape, ms: their own where that is lower than the policy's. */
export const holdCapMs = ({ maxHoldSeconds = Infinity }: Pick<PodShape, "maxHoldSeconds">, policyMs: number): number =>
  Math.min(maxHoldSeconds * SECOND_MS, policyMs);

/**
 * Was the pod near its cap when it was let go? Then no limit keeps it back any more. Anyone may write annotations, so a
 * pod is not believed to have been held for longer than it was there.
 * @param policyMs the policy's cap.
 */
export function wentNearCap(
  { release, createdAtMs, shape }: Pick<PodFacts, "release" | "createdAtMs" | "shape">,
  policyMs: number,
): boolean {
  if (!release) return false;
  const maxHoldMs = holdCapMs(shape, policyMs);
  return Math.min(release.heldMs, release.atMs - createdAtMs) >= maxHoldMs - easeMs(maxHoldMs);
}

export interface CapSchedule {
  /** For each of the first pods: when it was due. They go now. */
  readonly dueMs: readonly number[];
  /** When the next one is due, epoch ms; Infinity where none is left. */
  readonly nextMs: number;
}

/**
 * Which pods near their caps go now. Between one release and the next there is as much time as lets all that wait go
 * evenly until their caps: with n pods whose caps come in r seconds, r ÷ n. Of several caps the most pressing counts.
 * @param capsMs when the caps of all waiting pods near their caps come, epoch ms, the first one first.
 * @param easingMs {@link easeMs} of the longest of these caps.
 * @param lastMs when the last pod near its cap went, epoch ms; -Infinity where that is not known.
 */
export function capSchedule(capsMs: readonly number[], easingMs: number, lastMs: number, nowMs: number): CapSchedule {
  const dueMs: number[] = [];
  let last = lastMs;
  for (let first = 0; first < capsMs.length; first += 1) {
    const cap = capsMs[first] ?? Infinity;
    const due = cap <= nowMs ? cap : nextDueMs(capsMs, first, easingMs, last);
    if (due > nowMs) return { dueMs, nextMs: due };
    const countedMs = Math.max(due, nowMs - CATCH_UP_MS);
    dueMs.push(countedMs);
    last = Math.max(last, countedMs);
  }
  return { dueMs, nextMs: Infinity };
}

function nextDueMs(capsMs: readonly number[], first: number, easingMs: number, lastMs: number): number {
  let next = Infinity;
  for (let at = first; at < capsMs.length; at += 1) {
    const cap = capsMs[at] ?? Infinity;
    const fromMs = Math.max(lastMs, cap - easingMs);
    next = Math.min(next, fromMs + (cap - fromMs) / (at - first + 1));
  }
  return next;
}
