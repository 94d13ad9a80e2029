/**
 * The order of release: DaemonSet pods of the node, then higher priority, then a pull that takes as long as all the rest
 * (elsewhere.ts), then the fewest bytes per pod that they let start (small and shared images first: a lower mean time to
 * Ready at no cost in makespan), then oldest. Who has waited for most of the hold cap comes before all, so that nobody is
 * overtaken for ever; while kube-scheduler is behind, the oldest go first whatever they fetch. Between nodes, replicas of one
 * owner are spread as kube-scheduler spreads them: where bytes do not matter evenly, and never with more than the tolerated
 * skew.
 */
import type { PodFacts } from "../facts.ts";

/** Share of maxHoldSeconds after which a pod is urgent. Assumed: late enough to leave the order alone in a common herd. */
const URGENT_SHARE = 0.8;

/**
 * How many replicas a node may have more than the one with the fewest before they count as crowded: two together, where
 * that saves pulling the image to one more node. kube-scheduler's own default tolerates three (a soft constraint as well).
 */
export const TOLERATED_SKEW = 2;

/** Compares as a tuple: the lower one goes first. */
export type Rank = readonly [
  urgency: number,
  daemonSet: number,
  priority: number,
  schedulerTurn: number,
  postponable: number,
  crowding: number,
  bytesPerPod: number,
  startStep: number,
  replicasMore: number,
  sinceMs: number,
];

/** How a pod stands among its like. */
export interface Standing {
  /** kube-scheduler has a long queue: it comes to the oldest first, whomever we let go. */
  readonly schedulerIsBehind: boolean;
  /** Its pull takes as long as all that is left for everybody (elsewhere.ts). */
  readonly longPole: boolean;
  /** Bytes that it would bring, each image divided among the pods that wait for it: they follow once it is there. */
  readonly bytesPerPod: number;
  /** How long it takes to start besides, on a scale (start-times.ts). */
  readonly startStep: number;
  /** Replicas of its owner that the node has more than the node that has fewest. */
  readonly replicasMore: number;
}

/**
 * Since when a pod waits, epoch ms. A gate comes with the pod, so that a gated one has waited since it was created: an
 * annotation that says later (a clock that is ahead, a forgery) does not lengthen its hold.
 */
export function waitingSinceMs({ gated, hold, createdAtMs }: PodFacts): number {
  const sinceMs = hold?.sinceMs ?? createdAtMs;
  return gated ? Math.min(sinceMs, createdAtMs) : sinceMs;
}

/** @param maxHoldMs the hold cap. */
export function rank(pod: PodFacts, standing: Standing, maxHoldMs: number, nowMs: number): Rank {
  const sinceMs = waitingSinceMs(pod);
  return [
    nowMs >= sinceMs + URGENT_SHARE * maxHoldMs ? 0 : 1,
    pod.shape.ownerKind === "DaemonSet" ? 0 : 1,
    -pod.shape.priority,
    standing.schedulerIsBehind ? pod.createdAtMs : 0,
    standing.longPole ? 0 : 1,
    Math.max(0, standing.replicasMore + 1 - TOLERATED_SKEW),
    standing.bytesPerPod,
    standing.startStep,
    standing.replicasMore,
    sinceMs,
  ];
}

/** Oldest first; equal ages by uid, so that every leader comes to the same order. */
export const byAge = (a: PodFacts, b: PodFacts): number =>
  waitingSinceMs(a) - waitingSinceMs(b) || (a.uid < b.uid ? -1 : Number(a.uid > b.uid));

/** Negative when `a` goes before `b`, 0 when nothing but their names tells them apart. */
export function compareRanks(a: Rank, b: Rank): number {
  for (const [index, figure] of a.entries()) {
    const other = b[index] ?? 0;
    if (figure !== other) return figure < other ? -1 : 1; // the difference of two infinities would be no number
  }
  return 0;
}
