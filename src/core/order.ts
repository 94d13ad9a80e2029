/**
 * The order of release: DaemonSet pods of the node, then higher priority, then the fewest bytes per pod that they let
 * start (small and shared images first: a lower mean time to Ready at no cost in makespan), then oldest. Who has waited
 * for most of the hold cap comes before all, so that nobody is overtaken for ever. Between nodes, a pod whose siblings are
 * elsewhere comes before one that would crowd a node with replicas of one owner, as kube-scheduler spreads them.
 */
import type { PodFacts } from "./facts.ts";

/** Share of maxHoldSeconds after which a pod is urgent. Assumed: late enough to leave the order alone in a common herd. */
const URGENT_SHARE = 0.8;

/** Compares as a tuple: the lower one goes first. */
export type Rank = readonly [
  urgency: number,
  daemonSet: number,
  priority: number,
  crowding: number,
  bytesPerPod: number,
  sinceMs: number,
];

/** How a pod stands among its like. */
export interface Standing {
  /** Bytes that it would bring, each image divided among the pods that wait for it: they follow once it is there. */
  readonly bytesPerPod: number;
  /** Replicas of its owner on the node beyond those on the node that has fewest. */
  readonly crowding: number;
}

/** Since when a pod waits, epoch ms. */
export const waitingSinceMs = (pod: PodFacts) => pod.hold?.sinceMs ?? pod.createdAtMs;

/** @param maxHoldMs the hold cap. */
export function rank(pod: PodFacts, standing: Standing, maxHoldMs: number, nowMs: number): Rank {
  const sinceMs = waitingSinceMs(pod);
  return [
    nowMs >= sinceMs + URGENT_SHARE * maxHoldMs ? 0 : 1,
    pod.shape.ownerKind === "DaemonSet" ? 0 : 1,
    -pod.shape.priority,
    standing.crowding,
    standing.bytesPerPod,
    sinceMs,
  ];
}

/** Oldest first; equal ages by uid, so that every leader comes to the same order. */
export const byAge = (a: PodFacts, b: PodFacts): number =>
  waitingSinceMs(a) - waitingSinceMs(b) || (a.uid < b.uid ? -1 : 1);

/** Negative when `a` goes before `b`, 0 when nothing but their names tells them apart. */
export function compareRanks(a: Rank, b: Rank): number {
  for (const [index, figure] of a.entries()) {
    const difference = figure - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
