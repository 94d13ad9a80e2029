/** The room that is left on a node. */
import type { HostPort, NodeFacts, PodFacts, Resources } from "../facts.ts";
import type { NodeEntry } from "../state/ledger.ts";

export interface Room {
  /** allocatable minus what is requested, by resource name. */
  readonly free: Resources;
  readonly hostPorts: readonly HostPort[];
}

/** What takes room: a pod, or a DaemonSet whose pod is still to come. */
export type Claimant = Pick<PodFacts, "shape" | "fencesTolerated"> & { readonly uid?: PodFacts["uid"] };

/** Room from which pods that claim a part of it are subtracted one by one. */
export interface ShrinkingRoom extends Room {
  readonly free: Record<string, number>;
  readonly hostPorts: HostPort[];
}

/**
 * What bound pods and claimants leave of a node.
 * @param claimants what has a claim on it and is not bound there.
 */
export function roomOf(entry: NodeEntry, facts: NodeFacts, claimants: Iterable<Claimant>): ShrinkingRoom {
  const hostPorts = [...entry.portHolders.values()].flatMap((pod) => pod.shape.hostPorts);
  const room = { free: { ...facts.allocatable }, hostPorts };
  subtract(room.free, entry.requested);
  for (const pod of claimants) takeRoom(room, pod);
  return room;
}

/** Subtracts what the pod would take. */
export function takeRoom(room: ShrinkingRoom, { shape }: Claimant): void {
  subtract(room.free, shape.requests);
  room.hostPorts.push(...shape.hostPorts);
}

function subtract(free: Record<string, number>, amounts: Resources): void {
  for (const resource in amounts) free[resource] = (free[resource] ?? 0) - (amounts[resource] ?? 0);
}
