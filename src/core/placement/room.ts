/** The room that is left on a node. */
import type { HostPort, NodeFacts, PodFacts, Resources } from "../facts.ts";
import type { NodeEntry } from "../state/ledger.ts";

export interface Room {
  /** allocatable minus what is requested, by resource name. */
  readonly free: Resources;
  readonly hostPorts: readonly HostPort[];
}

/** Room from which pods that claim a part of it are subtracted one by one. */
export interface ShrinkingRoom extends Room {
  readonly free: Record<string, number>;
  readonly hostPorts: HostPort[];
}

/**
 * What bound pods and claimants leave of a node.
 * @param claimants unbound pods that have a claim on it.
 */
export function roomOf(entry: NodeEntry, facts: NodeFacts, claimants: Iterable<PodFacts>): ShrinkingRoom {
  const hostPorts = [...entry.portHolders.values()].flatMap((pod) => pod.shape.hostPorts);
  const room = { free: { ...facts.allocatable }, hostPorts };
  subtract(room.free, entry.requested);
  for (const pod of claimants) takeRoom(room, pod);
  return room;
}

/** Subtracts what the pod would take. */
export function takeRoom(room: ShrinkingRoom, { shape }: PodFacts): void {
  subtract(room.free, shape.requests);
  room.hostPorts.push(...shape.hostPorts);
}

function subtract(free: Record<string, number>, amounts: Resources): void {
  for (const resource in amounts) free[resource] = (free[resource] ?? 0) - (amounts[resource] ?? 0);
}
