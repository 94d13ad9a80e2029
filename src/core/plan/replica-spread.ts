/** How replicas of one shape are spread: those on a node, or on their way to it, against the node with the fewest. */
import type { PodFacts, PodShape } from "../facts.ts";
import { isSchedulableNow } from "../placement/fit.ts";
import type { KnownNode } from "../placement/known-node.ts";
import type { PlanBuilder } from "./plan-builder.ts";

export class ReplicaSpread {
  readonly #plan: PlanBuilder;
  readonly #fewest = new Map<PodShape, number>();

  constructor(plan: PlanBuilder) {
    this.#plan = plan;
  }

  /** How many more replicas of the pod's shape the node has; 0 for a pod that only this node could take. */
  moreThanFewest(node: KnownNode, pod: PodFacts): number {
    if (pod.pinnedTo !== undefined) return 0;
    const { shape } = pod;
    const planned = this.#plan.plannedFor(node.facts.name).filter((one) => one.shape === shape).length;
    return Math.max(0, reservedAndBound(node, shape) + planned - this.#fewestOf(pod));
  }

  /** On any node that the pod can be scheduled to, before this plan. */
  #fewestOf(pod: PodFacts): number {
    const known = this.#fewest.get(pod.shape);
    if (known !== undefined) return known;
    let fewest = Infinity;
    for (const node of this.#plan.paced) {
      if (fewest === 0) break;
      if (isSchedulableNow(pod, node.facts)) fewest = Math.min(fewest, reservedAndBound(node, pod.shape));
    }
    this.#fewest.set(pod.shape, fewest);
    return fewest;
  }
}

function reservedAndBound({ entry }: KnownNode, shape: PodShape): number {
  let count = entry.shapes.get(shape) ?? 0;
  for (const pod of entry.reserved.values()) if (pod.shape === shape) count += 1;
  return count;
}
