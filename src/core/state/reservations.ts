/** Slots that are reserved for pods whose binding is not seen yet. */
import type { PodFacts } from "../facts.ts";
import type { ClusterState } from "./cluster-state.ts";
import type { NodeEntry } from "./ledger.ts";
import { reservationCounts } from "./load.ts";

/** Unbound pods with a reservation on the node that still counts. */
export function reservedFor({ deadlines }: ClusterState, { reserved }: NodeEntry, nowMs: number): PodFacts[] {
  return [...reserved.values()].filter((pod) => reservationCounts(pod, deadlines, nowMs));
}

/** Is the pod on its way to a node? A reservation on a node that is gone does not count. */
export function hasReservation({ ledger, deadlines }: ClusterState, pod: PodFacts, nowMs: number): boolean {
  const node = pod.reservation && ledger.nodes.get(pod.reservation.node);
  return node?.facts !== undefined && reservationCounts(pod, deadlines, nowMs);
}
