/** What is still to come to a node and can go nowhere else. Its room is kept free. */
import type { DaemonSetFacts, PodFacts } from "../facts.ts";
import type { ClusterState } from "../state/cluster-state.ts";
import { reservedFor } from "../state/reservations.ts";
import { type Placeable, unfitReason } from "./fit.ts";
import type { KnownNode } from "./known-node.ts";
import { type Claimant, roomOf, takeRoom } from "./room.ts";

/**
 * Ungated pods that wait for this node alone, and DaemonSets whose pod it lacks: those that fit beside what is there.
 * Otherwise one DaemonSet that is too large for a kind of node would keep everything away from it.
 * @param gated pods that may run on no other node: they have their claim before these.
 */
export function stillToCome(
  state: ClusterState,
  { entry, facts }: KnownNode,
  gated: readonly PodFacts[],
  missing: readonly DaemonSetFacts[],
  nowMs: number,
): readonly Claimant[] {
  const pending = [...state.ledger.pending.pinnedTo(facts.name)];
  if (pending.length + missing.length === 0) return [];
  const reserved = reservedFor(state, entry, nowMs);
  const onTheirWay = new Set(reserved.map(({ uid }) => uid));
  const room = roomOf(entry, facts, [...reserved, ...gated]);
  const kept: Claimant[] = [];
  const candidates: (Placeable & Claimant)[] = [...pending.filter(({ uid }) => !onTheirWay.has(uid)), ...missing];
  for (const candidate of candidates) {
    if (unfitReason(candidate, facts, room, true) !== undefined) continue;
    takeRoom(room, candidate);
    kept.push(candidate);
  }
  return kept;
}
