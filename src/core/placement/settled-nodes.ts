/**
 * Settled nodes with room for a pod. A pod that brings no images is free there; for one that brings some the same
 * checks hold as on a young node, because cold images are what hurts, not a node's age.
 */
import type { NodeFacts, PodFacts, PodShape } from "../facts.ts";
import type { NodeName } from "../ids.ts";
import { checkStart } from "../rules/start-checks.ts";
import type { ClusterState } from "../state/cluster-state.ts";
import { imageNeeds } from "../state/image-needs.ts";
import { costOf, type NodeLoad } from "../state/load.ts";
import type { Hold } from "../verdict.ts";
import { fitsNode, isPaced, type KnownNode } from "./known-node.ts";

/** A settled node that a pod fits. */
export interface SettledRoom {
  readonly node: KnownNode;
  /** The pod uses images that the node does not have yet. */
  readonly bringsImages: boolean;
  /** The node cannot feed it now, and what it lacks; undefined: it can. */
  readonly saturated?: Hold | undefined;
}

/** What counts on nodes beside what the ledger says. */
export interface Given {
  /** Pods that count on a node though they are not bound there. */
  claimants(node: NodeName): readonly PodFacts[];
  load(facts: NodeFacts): NodeLoad;
}

/**
 * So many nodes with room are looked at for one pod, as kube-scheduler does: it scores a part of those that fit
 * (numFeasibleNodesToFind, 100 at least).
 */
const MOST_LOOKED = 100;

/**
 * "Nowhere" holds for this long for each node of the cluster, ms: nodes settle, and starts end, without a change in
 * anybody's room. So a cluster of 5,000 is looked through four times a second for each shape at most.
 */
const LOOK_MS_PER_NODE = 0.05;
/** How often the looks of plans move on, ms. Assumed. */
const LOOK_ON_MS = 250;
/** In a larger cluster there is always some room that appears somewhere; the time alone counts. */
const LARGE_CLUSTER = 500;

interface Memo {
  readonly generation: number;
  readonly untilMs: number;
}

/**
 * Answers for pods under admission. kube-scheduler may take any node that fits, so a cold one counts before one that
 * has the images.
 */
export class SettledNodes {
  readonly #nowhere = new WeakMap<PodShape, Memo>();
  /** Where the next look begins, so that what is given away is spread. */
  #next = 0;
  #nodes: { readonly generation: number; readonly names: readonly NodeName[] } = { generation: -1, names: [] };

  /** A settled node with room for the pod; a saturated one where no cold one can feed it; undefined where none fits. */
  find(state: ClusterState, pod: PodFacts, nowMs: number, given: Given = noneGiven(state, nowMs)) {
    const { ledger } = state;
    const memo = this.#nowhere.get(pod.shape);
    const isSame = memo?.generation === ledger.roomGeneration || ledger.nodes.size > LARGE_CLUSTER;
    if (memo && isSame && nowMs < memo.untilMs) return undefined;
    const found = this.#look(state, pod, nowMs, given);
    const untilMs = nowMs + LOOK_MS_PER_NODE * ledger.nodes.size;
    if (!found) this.#nowhere.set(pod.shape, { generation: ledger.roomGeneration, untilMs });
    return found;
  }

  #look(state: ClusterState, pod: PodFacts, nowMs: number, given: Given): SettledRoom | undefined {
    const names = this.#namesOf(state);
    let warm: SettledRoom | undefined;
    let saturated: SettledRoom | undefined;
    for (let step = 0, looked = 0; step < names.length && looked < MOST_LOOKED; step += 1) {
      const at = (this.#next + step) % names.length;
      const entry = state.ledger.nodes.get(names[at] as NodeName);
      const room = entry?.facts && roomOn(state, pod, { entry, facts: entry.facts }, given, nowMs);
      if (!room) continue;
      looked += 1;
      if (!room.bringsImages) warm ??= room;
      else if (room.saturated) saturated ??= room;
      else {
        this.#next = at + 1;
        return room;
      }
    }
    return saturated ?? warm;
  }

  #namesOf({ ledger: { nodes, roomGeneration } }: ClusterState): readonly NodeName[] {
    if (this.#nodes.generation !== roomGeneration || this.#nodes.names.length > nodes.size) {
      this.#nodes = { generation: roomGeneration, names: [...nodes.keys()] };
    }
    return this.#nodes.names;
  }
}

const NO_PODS: readonly PodFacts[] = [];

const noneGiven = (state: ClusterState, nowMs: number): Given => ({
  claimants: () => NO_PODS,
  load: (facts) => state.loadOf(facts, nowMs),
});

function roomOn(
  state: ClusterState,
  pod: PodFacts,
  node: KnownNode,
  given: Given,
  nowMs: number,
): SettledRoom | undefined {
  const { facts } = node;
  if (isPaced(state, facts, nowMs) || !fitsNode(state, pod, node, given.claimants(facts.name), nowMs)) return undefined;
  const brings = bringsImages(state, pod, node);
  return { node, bringsImages: brings, saturated: brings ? settledHold(state, pod, facts, given, nowMs) : undefined };
}

/** Why a settled node cannot feed the pod now, which brings images there. */
function settledHold(state: ClusterState, pod: PodFacts, facts: NodeFacts, given: Given, nowMs: number) {
  if (state.policy.settledNodes === "observe") return undefined;
  const load = given.load(facts);
  const verdict = checkStart(load, costOf(pod, load, state.catalogue), nowMs);
  return verdict.kind === "hold" ? verdict : undefined;
}

/** Has the settled node been given all the startup room that it has? */
export function isSaturated(state: ClusterState, { entry, facts }: KnownNode, nowMs: number): boolean {
  if (entry.starting.size + entry.reserved.size === 0) return false; // most nodes, most of the time
  if (state.isLeftOut(facts)) return false;
  const load = state.loadOf(facts, nowMs);
  return load.slotsInUse >= load.limit.slots;
}

/**
 * Does the pod use an image that the node does not have yet? One that is on its way is not there. What a node that is
 * left out has is none of our affair.
 */
export const bringsImages = (state: ClusterState, pod: PodFacts, node: KnownNode): boolean =>
  !state.isLeftOut(node.facts) && imageNeeds(pod, node, state.catalogue).missing.length > 0;

/** Settled nodes that waiting pods of one shape fit, sorted as far as they were looked at. */
interface Pool {
  /** Of all nodes, the first one that was not looked at. */
  next: number;
  readonly warm: KnownNode[];
  readonly cold: KnownNode[];
  readonly saturated: KnownNode[];
  hold: Hold | undefined;
  turn: number;
}

/**
 * Answers for the waiting pods of one plan, which claims what it finds: nodes that have the images first, then such as
 * can feed the pod, then such as have room for it alone. Claims only grow within a plan, so that no node is asked twice
 * after it has refused a shape.
 */
export class SettledSearch {
  readonly #state: ClusterState;
  readonly #given: Given;
  readonly #nowMs: number;
  readonly #pools = new Map<PodShape, Pool>();
  #nodes: readonly KnownNode[] | undefined;
  /** Where looks begin: elsewhere in each plan, because not every node of a large cluster is looked at. */
  readonly #start: number;

  constructor(state: ClusterState, given: Given, nowMs: number) {
    this.#state = state;
    this.#given = given;
    this.#nowMs = nowMs;
    // A simulation may begin before 0.
    this.#start = Math.abs(Math.floor(nowMs / LOOK_ON_MS)) * MOST_LOOKED;
  }

  /** @see SettledNodes.find */
  find(pod: PodFacts): SettledRoom | undefined {
    const pool = this.#pool(pod.shape);
    do {
      const isEnough = pool.saturated.length >= MOST_LOOKED;
      const found = this.#feeding(pod, pool) ?? (isEnough ? this.#saturated(pod, pool) : undefined);
      if (found) return found;
    } while (this.#fill(pod, pool));
    return this.#saturated(pod, pool);
  }

  /** A node that has the images, or that can feed the pod. */
  #feeding(pod: PodFacts, pool: Pool): SettledRoom | undefined {
    const warm = this.#take(pod, pool, pool.warm);
    if (warm) return { node: warm, bringsImages: false };
    for (let cold = this.#take(pod, pool, pool.cold); cold; cold = this.#take(pod, pool, pool.cold)) {
      const hold = settledHold(this.#state, pod, cold.facts, this.#given, this.#nowMs);
      if (!hold) return { node: cold, bringsImages: true };
      pool.cold.splice(pool.cold.indexOf(cold), 1);
      pool.saturated.push(cold);
      pool.hold ??= hold;
    }
    return undefined;
  }

  #saturated(pod: PodFacts, pool: Pool): SettledRoom | undefined {
    const node = this.#take(pod, pool, pool.saturated);
    return node && { node, bringsImages: true, saturated: pool.hold };
  }

  /** The next of these nodes that still has room; those that have none any more are dropped. */
  #take(pod: PodFacts, pool: Pool, from: KnownNode[]): KnownNode | undefined {
    while (from.length > 0) {
      const at = pool.turn % from.length;
      const node = from[at] as KnownNode;
      if (this.#fits(pod, node)) {
        pool.turn += 1;
        return node;
      }
      from.splice(at, 1);
    }
    return undefined;
  }

  #fill(pod: PodFacts, pool: Pool): boolean {
    this.#nodes ??= settledNodes(this.#state, this.#nowMs);
    const before = pool.next;
    for (let looked = 0; pool.next < this.#nodes.length && looked < MOST_LOOKED; pool.next += 1) {
      const node = this.#nodes[(this.#start + pool.next) % this.#nodes.length] as KnownNode;
      if (!this.#fits(pod, node)) continue;
      looked += 1;
      (bringsImages(this.#state, pod, node) ? pool.cold : pool.warm).push(node);
    }
    return pool.next > before;
  }

  #fits(pod: PodFacts, node: KnownNode): boolean {
    return fitsNode(this.#state, pod, node, this.#given.claimants(node.facts.name), this.#nowMs);
  }

  #pool(shape: PodShape): Pool {
    const known = this.#pools.get(shape);
    if (known) return known;
    const pool: Pool = { next: 0, warm: [], cold: [], saturated: [], hold: undefined, turn: 0 };
    this.#pools.set(shape, pool);
    return pool;
  }
}

function settledNodes(state: ClusterState, nowMs: number): KnownNode[] {
  const settled: KnownNode[] = [];
  for (const entry of state.ledger.nodes.values()) {
    const { facts } = entry;
    if (facts && !isPaced(state, facts, nowMs)) settled.push({ entry, facts });
  }
  return settled;
}
