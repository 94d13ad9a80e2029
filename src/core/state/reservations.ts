/** Slots that are reserved for pods whose binding is not seen yet. */
import type { PodFacts } from "../facts.ts";
import type { ClusterState } from "./cluster-state.ts";
import { type NodeEntry, nodesOf } from "./ledger.ts";
import { reservationCounts } from "./load.ts";
import { mayBeGiven } from "./may-be-given.ts";

/** Unbound pods with a reservation on the node that still counts. */
export function reservedFor({ deadlines }: ClusterState, { reserved, facts }: NodeEntry, nowMs: number): PodFacts[] {
  if (!facts) return [];
  return [...reserved.values()].filter((pod) => reservationCounts(pod, deadlines, nowMs) && mayBeGiven(pod, facts));
}

/** {@link reservedFor}, each pod at one of its nodes only: it takes room once, wherever it goes. */
export function claimedFor(state: ClusterState, entry: NodeEntry, nowMs: number): PodFacts[] {
  return reservedFor(state, entry, nowMs).filter(({ reservation }) => reservation?.node === entry.name);
}

/** Is the pod on its way to a node? A reservation on nodes that are gone, or that cannot take it, does not count. */
export function hasReservation({ ledger, deadlines }: ClusterState, pod: PodFacts, nowMs: number): boolean {
  if (!pod.reservation || !reservationCounts(pod, deadlines, nowMs)) return false;
  return nodesOf(pod.reservation).some((name) => {
    const node = ledger.nodes.get(name)?.facts;
    return node !== undefined && mayBeGiven(pod, node);
  });
}
