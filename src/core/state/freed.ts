/**
 * Pods that others gate as well, such as Kueue: their hold begins when the gates of others are gone. Nothing in the API
 * tells that time, so the leader notes it on the pod with the next reason why it waits. Until it has, the reason
 * `OtherGates` on a pod without such gates says that a note is lacking, and a new leader counts from its first look.
 */
import type { PodFacts } from "../facts.ts";

/** The pod as it comes from the API server, with the time from which it counts as held; `before`: as it was known. */
export function asFreed(pod: PodFacts, before: PodFacts | undefined, nowMs: number): PodFacts {
  const freedMs = freedMsOf(pod, before, nowMs);
  return freedMs === undefined ? pod : { ...pod, freedMs };
}

/**
 * As noted, epoch ms; undefined where there is no note. Anyone may write annotations: a time that is still to come, or
 * from before the creation, makes the hold count from the creation.
 */
export function notedFreedMs({ hold, createdAtMs }: Pick<PodFacts, "hold" | "createdAtMs">, nowMs: number) {
  if (hold?.freed !== true) return undefined;
  return hold.sinceMs >= createdAtMs && hold.sinceMs <= nowMs ? hold.sinceMs : createdAtMs;
}

/** Others do not gate the pod any more, and no leader has noted since when. */
export const lacksFreedNote = ({ gated, gatedByOthers, hold }: PodFacts): boolean =>
  gated && !gatedByOthers && hold?.reason === "OtherGates" && hold.freed !== true;

function freedMsOf(pod: PodFacts, before: PodFacts | undefined, nowMs: number): number | undefined {
  if (!pod.gated || pod.gatedByOthers) return undefined;
  if (before?.freedMs !== undefined) return Math.min(before.freedMs, nowMs);
  return notedFreedMs(pod, nowMs) ?? (before?.gatedByOthers === true || lacksFreedNote(pod) ? nowMs : undefined);
}
