/** Room on paced nodes, and the waiting pods that lay claim to it. */
import type { NodeFacts, PodFacts, PodShape } from "../facts.ts";
import type { NodeName } from "../ids.ts";
import { placementUnfitReason, unfitReason } from "../placement/fit.ts";
import { fitsNode, type KnownNode } from "../placement/known-node.ts";
import { type Claimant, roomOf, type ShrinkingRoom, takeRoom } from "../placement/room.ts";
import { joinsUntilMs } from "../state/pace.ts";
import { claimedFor } from "../state/reservations.ts";
import type { PlanBuilder } from "./plan-builder.ts";

/** What is left of one node. */
interface Rooms {
  /** Beside all pods that exist. */
  readonly whole: ShrinkingRoom;
  /** Also beside DaemonSets' pods that are still to come; undefined until the first pod asks that can go elsewhere. */
  free?: ShrinkingRoom;
}

export class Claims {
  readonly #plan: PlanBuilder;
  readonly #nodes: readonly KnownNode[];
  readonly #rooms = new Map<NodeName, Rooms>();
  /** Per shape: nodes before this index have no room for it any more, because claims only grow. */
  readonly #cursors = new Map<PodShape, number>();
  readonly #keptCursors = new Map<PodShape, number>();

  constructor(plan: PlanBuilder, nodes: readonly KnownNode[]) {
    this.#plan = plan;
    this.#nodes = nodes;
  }

  /** Claims room on this node; false where it has none for the pod. */
  claim(pod: PodFacts, node: KnownNode): boolean {
    const rooms = this.#roomsOf(node);
    const room = pod.pinnedTo === undefined ? this.#free(node, rooms) : rooms.whole;
    if (!this.#fits(pod, node, room)) return false;
    takeRoom(rooms.whole, pod);
    if (rooms.free) takeRoom(rooms.free, pod);
    return true;
  }

  /** Claims room on the first node that has it. */
  claimFirst(pod: PodFacts): KnownNode | undefined {
    // DaemonSet pods share a shape, but each has a node of its own.
    if (pod.pinnedTo !== undefined) return this.#nodes.find((node) => this.claim(pod, node));
    return this.#first(pod, this.#cursors, (node) => this.claim(pod, node));
  }

  /**
   * For a pod that {@link claimFirst} has refused: claims room that is kept for DaemonSets' pods, which may never come.
   * False where not even that is enough.
   */
  claimKept(pod: PodFacts): boolean {
    const found = this.#first(pod, this.#keptCursors, (node) => {
      const { whole } = this.#roomsOf(node);
      if (!this.#fits(pod, node, whole)) return false;
      takeRoom(whole, pod);
      return true;
    });
    return found !== undefined;
  }

  #first({ shape }: PodFacts, cursors: Map<PodShape, number>, has: (node: KnownNode) => boolean) {
    for (let index = cursors.get(shape) ?? 0; index < this.#nodes.length; index += 1) {
      const node = this.#nodes[index];
      cursors.set(shape, index);
      if (node && has(node)) return node;
    }
    cursors.set(shape, this.#nodes.length);
    return undefined;
  }

  #fits(pod: PodFacts, { facts }: KnownNode, room: ShrinkingRoom): boolean {
    const { state, nowMs } = this.#plan;
    return unfitReason(pod, facts, room, nowMs < joinsUntilMs(state, facts)) === undefined;
  }

  #roomsOf({ entry, facts }: KnownNode): Rooms {
    const known = this.#rooms.get(facts.name);
    if (known) return known;
    const { state, nowMs } = this.#plan;
    const rooms = { whole: roomOf(entry, facts, claimedFor(state, entry, nowMs)) };
    this.#rooms.set(facts.name, rooms);
    return rooms;
  }

  /** Once the pods that can go nowhere else have made their claims. */
  #free(node: KnownNode, rooms: Rooms): ShrinkingRoom {
    if (rooms.free) return rooms.free;
    const { whole } = rooms;
    const free = { free: { ...whole.free }, hostPorts: [...whole.hostPorts] };
    for (const claimant of this.#plan.stillToCome(node)) {
      takeRoom(free, claimant);
      if (claimant.uid !== undefined) takeRoom(whole, claimant);
    }
    return (rooms.free = free);
  }
}

/**
 * Whether a waiting pod fits a paced node beside what this plan already releases to it, and beside pods that wait for
 * this node alone or are still to come: a DaemonSet's pod can go nowhere else.
 */
export const fitsNow = (plan: PlanBuilder, pod: PodFacts, node: KnownNode): boolean =>
  fitsBeside(plan, pod, node, plan.stillToCome(node));

/** The same, where `stillToCome` is all that is still to come. */
export function fitsBeside(
  plan: PlanBuilder,
  pod: PodFacts,
  node: KnownNode,
  stillToCome: readonly Claimant[],
): boolean {
  const { name } = node.facts;
  const planned = plan.plannedFor(name);
  const claimants = pod.pinnedTo === undefined ? [...planned, ...plan.waitingOnlyFor(name), ...stillToCome] : planned;
  return fitsNode(plan.state, pod, node, claimants, plan.nowMs);
}

/** Whether a pod fits a node by labels and taints, once the node has joined. */
export const fitsOnceJoined = (plan: PlanBuilder, pod: PodFacts, facts: NodeFacts) =>
  placementUnfitReason(pod, facts, plan.nowMs < joinsUntilMs(plan.state, facts)) === undefined;
