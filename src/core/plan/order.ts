/**
 * The order of release. First a pod that Paceline has held until near its cap, so that none is overtaken for ever; then
 * DaemonSet pods of the node; then higher priority; then, while kube-scheduler is behind, the oldest; then the fewest
 * bytes per pod that they let start, which brings small and shared images forward; then the one held longest.
 */
import type { NodeFacts, PodFacts } from "../facts.ts";
import { easeMs } from "../rules/hold-cap.ts";
import { heldBySinceMs } from "../state/held-since.ts";

/** Compares as a tuple: the lower one goes first. */
export type Rank = readonly [
  urgency: number,
  givesWay: number,
  daemonSet: number,
  priority: number,
  schedulerTurn: number,
  bytesPerPod: number,
  sinceMs: number,
];

/** What the order takes into account besides the pod itself. */
export interface Standing {
  /** A DaemonSet has made the pod for the node. */
  readonly isDaemon: boolean;
  /** kube-scheduler has a long queue, and comes to the oldest pod first. */
  readonly schedulerIsBehind: boolean;
  /**
   * Bytes that the pod would bring, each image divided among the pods that wait for it, which follow once it is there.
   */
  readonly bytesPerPod: number;
  /** The pod may be tried in vain, and the node has no other slot meanwhile. */
  readonly givesWay?: boolean | undefined;
}

/**
 * @param node where the pod would go.
 * @param maxHoldMs the policy's hold cap: a lower one of the pod's own must not put it before others.
 */
export function rank(pod: PodFacts, node: NodeFacts, standing: Standing, maxHoldMs: number, nowMs: number): Rank {
  const sinceMs = heldBySinceMs(pod, node, nowMs);
  return [
    nowMs >= sinceMs + maxHoldMs - easeMs(maxHoldMs) ? 0 : 1,
    standing.givesWay ? 1 : 0,
    standing.isDaemon ? 0 : 1,
    -pod.shape.priority,
    standing.schedulerIsBehind ? pod.createdAtMs : 0,
    standing.bytesPerPod,
    sinceMs,
  ];
}

/** Negative when `a` goes before `b`, 0 when only their names tell them apart. */
export function compareRanks(a: Rank, b: Rank): number {
  for (const [index, figure] of a.entries()) {
    const difference = figure - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
