/** Since when a pod is held back: the one answer for caps, order, Events and metrics. */
import type { PodFacts } from "../facts.ts";

/**
 * Epoch ms. A gate comes with the pod, so a gated pod is held since its creation at the latest: an annotation that says later
 * (a clock that is ahead, a forgery) does not lengthen its hold.
 */
export function heldSinceMs({ gated, hold, createdAtMs }: Pick<PodFacts, "gated" | "hold" | "createdAtMs">): number {
  const sinceMs = hold?.sinceMs ?? createdAtMs;
  return gated ? Math.min(sinceMs, createdAtMs) : sinceMs;
}

/** Compares pods: the one held longer first, equal ones by uid, so that every leader comes to the same order. */
export const byAge = (a: PodFacts, b: PodFacts): number =>
  heldSinceMs(a) - heldSinceMs(b) || (a.uid < b.uid ? -1 : Number(a.uid > b.uid));
