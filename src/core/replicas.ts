/** Replicas of a shape on a node, or on their way to it, against the node that has fewest of those that could take it. */
import type { Draft } from "./draft.ts";
import type { PodShape } from "./facts.ts";
import type { Place } from "./places.ts";

export class Replicas {
  readonly #draft: Draft;
  readonly #fewest = new Map<PodShape, number>();

  constructor(draft: Draft) {
    this.#draft = draft;
  }

  /** The node could take pods of this shape. */
  note(place: Place, shape: PodShape): void {
    const here = this.#count(place, shape);
    this.#fewest.set(shape, Math.min(here, this.#fewest.get(shape) ?? here));
  }

  /** 0 for shapes that only this node could take. */
  moreThanFewest(place: Place, shape: PodShape): number {
    return Math.max(0, this.#count(place, shape) - (this.#fewest.get(shape) ?? Infinity));
  }

  #count({ entry, facts }: Place, shape: PodShape): number {
    let count = entry.shapes.get(shape) ?? 0;
    for (const pod of entry.reserved.values()) if (pod.shape === shape) count += 1;
    for (const pod of this.#draft.plannedFor(facts.name)) if (pod.shape === shape) count += 1;
    return count;
  }
}
