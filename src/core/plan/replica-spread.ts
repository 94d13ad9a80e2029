/** Replicas of a shape on a node, or on their way to it, against the node that has fewest of those that could take it. */
import type { Draft } from "./plan-builder.ts";
import type { PodFacts, PodShape } from "../facts.ts";
import { opensTo } from "../placement/fit.ts";
import type { Place } from "../placement/nodes-with-room.ts";

export class Replicas {
  readonly #draft: Draft;
  readonly #fewest = new Map<PodShape, number>();

  constructor(draft: Draft) {
    this.#draft = draft;
  }

  /** How many more replicas of the pod's shape the node has; 0 for pods that only this node could take. */
  moreThanFewest(place: Place, pod: PodFacts): number {
    if (pod.pinnedTo !== undefined) return 0;
    const { shape } = pod;
    const planned = this.#draft.plannedFor(place.facts.name).filter((one) => one.shape === shape).length;
    return Math.max(0, promisedAndBound(place, shape) + planned - this.#fewestOf(pod));
  }

  /** On any node that is open to the pod, before this plan. */
  #fewestOf(pod: PodFacts): number {
    const known = this.#fewest.get(pod.shape);
    if (known !== undefined) return known;
    let fewest = Infinity;
    for (const place of this.#draft.paced) {
      if (fewest === 0) break;
      if (opensTo(pod, place.facts)) fewest = Math.min(fewest, promisedAndBound(place, pod.shape));
    }
    this.#fewest.set(pod.shape, fewest);
    return fewest;
  }
}

function promisedAndBound({ entry }: Place, shape: PodShape): number {
  let count = entry.shapes.get(shape) ?? 0;
  for (const pod of entry.reserved.values()) if (pod.shape === shape) count += 1;
  return count;
}
