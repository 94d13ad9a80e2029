/**
 * Settled nodes with room for a pod. A pod that brings no bytes is free there; for one that brings some the same checks
 * hold as on a young node, because cold images are what hurts, not a node's age.
 */
import type { NodeFacts, PodFacts, PodShape } from "../facts.ts";
import type { NodeName } from "../ids.ts";
import { checkStart } from "../rules/start-checks.ts";
import type { ClusterState } from "../state/cluster-state.ts";
import { imageNeeds } from "../state/image-needs.ts";
import { costOf, type NodeLoad } from "../state/load.ts";
import type { Hold } from "../verdict.ts";
import { fitsNode, isPaced, type KnownNode, knownNode } from "./known-node.ts";

/** A settled node that a pod fits. */
export interface SettledRoom {
  readonly node: KnownNode;
  /** The pod uses images that the node does not have yet. */
  readonly bringsImages: boolean;
  /** No settled node that the pod fits can feed it now; this is the first of them, and what it lacks. */
  readonly saturated?: Hold | undefined;
}

/** What a plan in the making adds to what nodes carry. */
export interface Given {
  /** Pods that count on a node though they are not bound there. */
  claimants(node: NodeName): readonly PodFacts[];
  load(facts: NodeFacts): NodeLoad;
}

/**
 * An answer that a look at every node gave holds for this long for each node of the cluster, ms: nodes settle, and
 * starts end, without a change in anybody's room. So a cluster of 5,000 is looked through four times a second at most.
 */
const LOOK_MS_PER_NODE = 0.05;

interface Memo {
  readonly generation: number;
  readonly untilMs: number;
  readonly answer: SettledRoom | undefined;
}

/** Remembers, per shape, where there was room last, or that there was none. */
export class SettledNodes {
  readonly #without = new WeakMap<PodShape, Memo>();
  readonly #last = new WeakMap<PodShape, NodeName>();

  /** A settled node with room for the pod; without startup room where none has any; undefined where it fits none. */
  find(state: ClusterState, pod: PodFacts, nowMs: number, given?: Given): SettledRoom | undefined {
    const room = this.#now(state, pod, nowMs);
    if (!given || !room || room.saturated) return room; // what is given only makes it less
    const left = roomOn(state, pod, room.node, given, nowMs);
    return left && !left.saturated ? left : firstRoom(state, pod, given, nowMs);
  }

  #now(state: ClusterState, pod: PodFacts, nowMs: number): SettledRoom | undefined {
    const { shape } = pod;
    const last = this.#last.get(shape);
    const node = last && knownNode(state, last);
    const again = node && roomOn(state, pod, node, undefined, nowMs);
    if (again && !again.saturated) return again;
    const memo = this.#without.get(shape);
    if (memo?.generation === state.ledger.roomGeneration && nowMs < memo.untilMs) return memo.answer;
    const found = firstRoom(state, pod, undefined, nowMs);
    if (found && !found.saturated) this.#last.set(shape, found.node.facts.name);
    else this.#remember(state, shape, found, nowMs);
    return found;
  }

  #remember({ ledger }: ClusterState, shape: PodShape, answer: SettledRoom | undefined, nowMs: number): void {
    const untilMs = nowMs + LOOK_MS_PER_NODE * ledger.nodes.size;
    this.#without.set(shape, { generation: ledger.roomGeneration, untilMs, answer });
  }
}

function firstRoom(
  state: ClusterState,
  pod: PodFacts,
  given: Given | undefined,
  nowMs: number,
): SettledRoom | undefined {
  let saturated: SettledRoom | undefined;
  for (const entry of state.ledger.nodes.values()) {
    const room = entry.facts && roomOn(state, pod, { entry, facts: entry.facts }, given, nowMs);
    if (room && !room.saturated) return room;
    saturated ??= room;
  }
  return saturated;
}

function roomOn(
  state: ClusterState,
  pod: PodFacts,
  node: KnownNode,
  given: Given | undefined,
  nowMs: number,
): SettledRoom | undefined {
  const { facts } = node;
  if (isPaced(state, facts, nowMs)) return undefined;
  if (!fitsNode(state, pod, node, given?.claimants(facts.name) ?? [], nowMs)) return undefined;
  const brings = bringsImages(state, pod, node);
  if (!brings || state.policy.settledNodes === "observe") return { node, bringsImages: brings };
  const load = given?.load(facts) ?? state.loadOf(facts, nowMs);
  const verdict = checkStart(load, costOf(pod, load, state.catalogue), nowMs);
  return { node, bringsImages: brings, saturated: verdict.kind === "hold" ? verdict : undefined };
}

/** Has the settled node been given all the startup room that it has? */
export function isSaturated(state: ClusterState, { entry, facts }: KnownNode, nowMs: number): boolean {
  if (entry.starting.size + entry.reserved.size === 0) return false; // most nodes, most of the time
  const load = state.loadOf(facts, nowMs);
  return load.slotsInUse >= load.limit.slots;
}

/** Does the pod use an image that the node does not have yet? One that is on its way is not there. */
export const bringsImages = ({ catalogue }: ClusterState, pod: PodFacts, node: KnownNode): boolean =>
  imageNeeds(pod, node, catalogue).missing.length > 0;
