/**
 * The order of release. First a pod that Paceline has held for most of the hold cap, so that none is overtaken for
 * ever; then DaemonSet pods of the node; then higher priority; then, while kube-scheduler is behind, the oldest; then a
 * critical pull (compare-nodes.ts); then the fewest bytes per pod that they let start, which brings small and shared
 * images forward at no cost in makespan; then the shorter start; then the oldest. Replicas of one owner are spread over
 * nodes as kube-scheduler spreads them: evenly where bytes do not matter, and never with more than the tolerated skew.
 */
import type { PodFacts } from "../facts.ts";
import { heldSinceMs } from "../state/held-since.ts";

/**
 * Share of maxHoldSeconds after which a pod is urgent. Assumed: late enough to leave the order alone in a common herd.
 */
const URGENT_SHARE = 0.8;

/**
 * How many replicas a node may have more than the one with the fewest before they count as crowded: two together, where
 * that saves pulling the image to one more node. kube-scheduler's own default tolerates three (a soft constraint as
 * well).
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

/** What the order takes into account besides the pod itself. */
export interface Standing {
  /** kube-scheduler has a long queue, and comes to the oldest pod first. */
  readonly schedulerIsBehind: boolean;
  /** The pod's pull takes as long as all that is left for every node (compare-nodes.ts). */
  readonly criticalPull: boolean;
  /**
   * Bytes that the pod would bring, each image divided among the pods that wait for it, which follow once it is there.
   */
  readonly bytesPerPod: number;
  /** How long the pod takes to start besides, on a scale (start-times.ts). */
  readonly startStep: number;
  /** Replicas of its owner that the node has more than the node with the fewest. */
  readonly replicasMore: number;
}

/** @param maxHoldMs the hold cap. */
export function rank(pod: PodFacts, standing: Standing, maxHoldMs: number, nowMs: number): Rank {
  const sinceMs = heldSinceMs(pod);
  return [
    nowMs >= sinceMs + URGENT_SHARE * maxHoldMs ? 0 : 1,
    pod.shape.ownerKind === "DaemonSet" ? 0 : 1,
    -pod.shape.priority,
    standing.schedulerIsBehind ? pod.createdAtMs : 0,
    standing.criticalPull ? 0 : 1,
    Math.max(0, standing.replicasMore + 1 - TOLERATED_SKEW),
    standing.bytesPerPod,
    standing.startStep,
    standing.replicasMore,
    sinceMs,
  ];
}

/** Negative when `a` goes before `b`, 0 when only their names tell them apart. */
export function compareRanks(a: Rank, b: Rank): number {
  for (const [index, figure] of a.entries()) {
    const other = b[index] ?? 0;
    if (figure !== other) return figure < other ? -1 : 1; // the difference of two infinities would be no number
  }
  return 0;
}
