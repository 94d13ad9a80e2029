/**
 * Since when a pod is held back, and since when a node is fenced: the one answer for caps, the order of release, Events
 * and metrics.
 */
import type { NodeFacts, PodFacts } from "../facts.ts";
import { lacksFreedNote, notedFreedMs } from "./freed.ts";
import { openedMs } from "./opening.ts";

/**
 * Epoch ms. A gate comes with the pod, so a gated pod is held since its creation, or since gates of others are gone.
 * Otherwise the annotation tells, but no time before the creation is believed: anyone may write annotations.
 */
export function heldSinceMs(pod: Pick<PodFacts, "gated" | "hold" | "createdAtMs" | "freedMs">): number {
  const { gated, hold, createdAtMs, freedMs } = pod;
  return Math.max(createdAtMs, (gated ? freedMs : hold?.sinceMs) ?? createdAtMs);
}

/** For how long, ms. While others gate a pod, ours holds nothing. */
export const heldForMs = (pod: PodFacts, nowMs: number): number =>
  pod.gated && pod.gatedByOthers ? 0 : nowMs - heldSinceMs(pod);

/**
 * The same as {@link heldSinceMs} for one that sees the pod once, as the janitor does; Infinity while nothing of ours
 * holds the pod, or a leader is still to note since when. Without a leader that counts from the creation.
 */
export function seenHeldSinceMs(pod: PodFacts, leaderless: boolean, nowMs: number): number {
  if (pod.gatedByOthers || (lacksFreedNote(pod) && !leaderless)) return Infinity;
  return heldSinceMs({ ...pod, freedMs: notedFreedMs(pod, nowMs) });
}

/**
 * Since when a pod without our gate is held back by the node's fence, epoch ms; Infinity while the node is closed,
 * because then that keeps the pod out. A DaemonSet's pod counts from the node's Ready, because its controller makes it
 * only where it may go, and a cordon does not keep it out. A pod that was let go before goes on with the same hold: the
 * time between, in which nothing of ours kept it, does not count.
 */
export function keptOutSinceMs(
  { createdAtMs, release, shape }: Pick<PodFacts, "createdAtMs" | "release" | "shape">,
  node: Pick<NodeFacts, "readySinceMs" | "opening">,
  nowMs: number,
): number {
  const readyMs = shape.ownerKind === "DaemonSet" ? node.readySinceMs : undefined;
  const fromMs = Math.max(createdAtMs, Math.min(openedMs(node) ?? Infinity, readyMs ?? Infinity));
  if (!release || release.atMs > nowMs) return fromMs;
  return Math.max(createdAtMs, Math.max(fromMs, release.atMs) - release.heldMs);
}

/** Since when Paceline holds the pod, as far as it could go to this node, epoch ms: by its gate, or by the fence. */
export const heldBySinceMs = (pod: PodFacts, node: NodeFacts, nowMs: number): number =>
  pod.gated ? heldSinceMs(pod) : keptOutSinceMs(pod, node, nowMs);

/**
 * When the fence of a node that is closed went up, epoch ms. Such a fence may be younger than its node; no time in the
 * future is believed.
 */
export const raisedMs = ({ fence, createdAtMs }: Pick<NodeFacts, "fence" | "createdAtMs">, nowMs: number): number =>
  fence?.sinceMs !== undefined && fence.sinceMs <= nowMs ? fence.sinceMs : createdAtMs;

/**
 * Epoch ms. A fence comes with its node, so no time after the node's creation is believed. Such a time comes from a
 * clock that is ahead, or is forged, and would make the fence's cap come late. An earlier one only makes it come early.
 */
export const fencedSinceMs = ({ fence, createdAtMs }: Pick<NodeFacts, "fence" | "createdAtMs">): number =>
  Math.min(createdAtMs, fence?.sinceMs ?? createdAtMs);

/** Compares pods: the one held longer first, equal ones by uid, so that every leader comes to the same order. */
export const byAge = (a: PodFacts, b: PodFacts): number =>
  heldSinceMs(a) - heldSinceMs(b) || (a.uid < b.uid ? -1 : Number(a.uid > b.uid));
