/** Nodes that exist, and whether a pod fits one of them. */
import type { NodeFacts, PodFacts, PodShape } from "../facts.ts";
import type { NodeName } from "../ids.ts";
import type { ClusterState } from "../state/cluster-state.ts";
import type { NodeEntry } from "../state/ledger.ts";
import { joinsUntilMs, paceOf } from "../state/pace.ts";
import { reservedFor } from "../state/reservations.ts";
import { placementUnfitReason, unfitReason } from "./fit.ts";
import { type Claimant, roomOf } from "./room.ts";

/** A node of which the Node object is known, with its entry in the ledger. */
export interface KnownNode {
  readonly entry: NodeEntry;
  readonly facts: NodeFacts;
}

/** The node of that name, if its Node object is known. */
export function knownNode(state: ClusterState, name: NodeName): KnownNode | undefined {
  const entry = state.ledger.nodes.get(name);
  return entry?.facts && { entry, facts: entry.facts };
}

/** The first known node that is wanted. The search ends there. */
export function firstNode({ ledger }: ClusterState, wanted: (node: KnownNode) => boolean): KnownNode | undefined {
  for (const entry of ledger.nodes.values()) {
    const node = entry.facts && { entry, facts: entry.facts };
    if (node && wanted(node)) return node;
  }
  return undefined;
}

/** Does the pod fit the node beside what is bound there, has a reservation there, or is a claimant? */
export function fitsNode(
  state: ClusterState,
  pod: PodFacts,
  node: KnownNode,
  claimants: readonly Claimant[],
  nowMs: number,
): boolean {
  const { entry, facts } = node;
  const joining = nowMs < joinsUntilMs(state, facts);
  // Thousands of nodes are asked one after another. This rules out most of them without summing anything up.
  if (isFull(pod.shape, node) || placementUnfitReason(pod, facts, joining)) return false;
  const all: Claimant[] = [...reservedFor(state, entry, nowMs), ...claimants];
  const others = all.filter(({ uid }) => uid !== pod.uid);
  return unfitReason(pod, facts, roomOf(entry, facts, others), joining) === undefined;
}

/** Do bound pods alone leave too little for a pod of this shape? */
function isFull({ requests }: PodShape, { entry, facts }: KnownNode): boolean {
  for (const resource in requests) {
    const wanted = requests[resource] ?? 0;
    if (wanted > 0 && wanted > (facts.allocatable[resource] ?? 0) - (entry.requested[resource] ?? 0)) return true;
  }
  return false;
}

/** True for young, hot and fenced nodes, and for those that still have the soft taint of young ones. */
export const isPaced = (state: ClusterState, facts: NodeFacts, nowMs: number) =>
  facts.fence !== undefined || facts.steered === true || paceOf(state, facts, nowMs) !== "settled";

/** Young, hot and fenced nodes. */
export function pacedNodes(state: ClusterState, nowMs: number): KnownNode[] {
  const paced: KnownNode[] = [];
  for (const entry of state.ledger.nodes.values()) {
    const { facts } = entry;
    if (facts && isPaced(state, facts, nowMs)) paced.push({ entry, facts });
  }
  return paced;
}

/** Names of the nodes whose disk is worth watching closely: paced ones, and settled ones that fetch images. */
export function watchedNodes(state: ClusterState, nowMs: number): NodeName[] {
  const watched: NodeName[] = [];
  for (const { name, facts, starting, reserved } of state.ledger.nodes.values()) {
    if (!facts) continue;
    const isStarting = starting.size + reserved.size > 0; // most nodes, most of the time, do not
    const mayFetch = isStarting && !state.isLeftOut(facts);
    const isWatched = isPaced(state, facts, nowMs) || (mayFetch && state.loadOf(facts, nowMs).fetching.size > 0);
    if (isWatched) watched.push(name);
  }
  return watched;
}

/** Does the pod fit a young, hot or fenced node? */
export const fitsPacedNode = (state: ClusterState, pod: PodFacts, nowMs: number): boolean =>
  firstNode(state, (node) => isPaced(state, node.facts, nowMs) && fitsNode(state, pod, node, [], nowMs)) !== undefined;
