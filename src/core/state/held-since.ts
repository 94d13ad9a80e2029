/** Since when a pod is held back: the one answer for the gate's cap, the order of release, Events and metrics. */
import type { PodFacts } from "../facts.ts";

/**
 * Epoch ms. A gate comes with the pod, so a gated pod is held since its creation. Otherwise the annotation tells, but
 * no time before the creation is believed: anyone may write annotations.
 */
export function heldSinceMs({ gated, hold, createdAtMs }: Pick<PodFacts, "gated" | "hold" | "createdAtMs">): number {
  return gated ? createdAtMs : Math.max(createdAtMs, hold?.sinceMs ?? createdAtMs);
}

/** Compares pods: the one held longer first, equal ones by uid, so that every leader comes to the same order. */
export const byAge = (a: PodFacts, b: PodFacts): number =>
  heldSinceMs(a) - heldSinceMs(b) || (a.uid < b.uid ? -1 : Number(a.uid > b.uid));
