/** Room on paced nodes, and the waiting pods that lay claim to it. */
import type { NodeFacts, PodFacts, PodShape } from "../facts.ts";
import type { NodeName } from "../ids.ts";
import { placementUnfitReason, unfitReason } from "../placement/fit.ts";
import { fitsNode, type KnownNode } from "../placement/known-node.ts";
import { roomOf, type ShrinkingRoom, takeRoom } from "../placement/room.ts";
import { joinsUntilMs } from "../state/pace.ts";
import { reservedFor } from "../state/reservations.ts";
import type { PlanBuilder } from "./plan-builder.ts";

export class Claims {
  readonly #plan: PlanBuilder;
  readonly #nodes: readonly KnownNode[];
  readonly #rooms = new Map<NodeName, ShrinkingRoom>();
  readonly #keepsFree = new Set<NodeName>();
  /** Per shape: nodes before this index have no room for it any more, because claims only grow. */
  readonly #cursors = new Map<PodShape, number>();

  constructor(plan: PlanBuilder, nodes: readonly KnownNode[]) {
    this.#plan = plan;
    this.#nodes = nodes;
  }

  /** Claims room on this node; false where it has none for the pod. */
  claim(pod: PodFacts, node: KnownNode): boolean {
    const { state, nowMs } = this.#plan;
    const room = this.#room(node);
    if (pod.pinnedTo === undefined) this.#keepFree(node, room);
    const joining = nowMs < joinsUntilMs(state, node.facts);
    if (unfitReason(pod, node.facts, room, joining) !== undefined) return false;
    takeRoom(room, pod);
    return true;
  }

  /** Claims room on the first node that has it. */
  claimFirst(pod: PodFacts): KnownNode | undefined {
    // DaemonSet pods share a shape, but each has a node of its own.
    if (pod.pinnedTo !== undefined) return this.#nodes.find((node) => this.claim(pod, node));
    for (let index = this.#cursors.get(pod.shape) ?? 0; index < this.#nodes.length; index += 1) {
      const node = this.#nodes[index];
      this.#cursors.set(pod.shape, index);
      if (node && this.claim(pod, node)) return node;
    }
    this.#cursors.set(pod.shape, this.#nodes.length);
    return undefined;
  }

  #room({ entry, facts }: KnownNode): ShrinkingRoom {
    const known = this.#rooms.get(facts.name);
    if (known) return known;
    const { state, nowMs } = this.#plan;
    const room = roomOf(entry, facts, reservedFor(state, entry, nowMs));
    this.#rooms.set(facts.name, room);
    return room;
  }

  /** Once the pods that can go nowhere else have made their claims. */
  #keepFree(node: KnownNode, room: ShrinkingRoom): void {
    const { name } = node.facts;
    if (this.#keepsFree.has(name)) return;
    this.#keepsFree.add(name);
    for (const claimant of this.#plan.stillToCome(node)) takeRoom(room, claimant);
  }
}

/**
 * Whether a waiting pod fits a paced node beside what this plan already releases to it, and beside pods that wait for
 * this node alone or are still to come: a DaemonSet's pod can go nowhere else.
 */
export function fitsNow(plan: PlanBuilder, pod: PodFacts, node: KnownNode): boolean {
  const { name } = node.facts;
  const planned = plan.plannedFor(name);
  const claimants =
    pod.pinnedTo === undefined ? [...planned, ...plan.waitingOnlyFor(name), ...plan.stillToCome(node)] : planned;
  return fitsNode(plan.state, pod, node, claimants, plan.nowMs);
}

/** Whether a pod fits a node by labels and taints, once the node has joined. */
export const fitsOnceJoined = (plan: PlanBuilder, pod: PodFacts, facts: NodeFacts) =>
  placementUnfitReason(pod, facts, plan.nowMs < joinsUntilMs(plan.state, facts)) === undefined;
