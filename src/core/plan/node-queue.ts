/**
 * Nodes by what their disks have left to write, the least first, then by free slots, the most first (a binary heap): a plan
 * for thousands of nodes asks thousands of times.
 */
import type { Draft } from "./plan-builder.ts";
import { leftSeconds } from "../state/load.ts";
import type { Place } from "../placement/nodes-with-room.ts";

interface Entry {
  readonly place: Place;
  readonly leftSeconds: number;
  readonly free: number;
}

/** Equal ones by name, so that every leader comes to the same order. */
function before(a: Entry, b: Entry): boolean {
  if (a.leftSeconds !== b.leftSeconds) return a.leftSeconds < b.leftSeconds;
  if (a.free !== b.free) return a.free > b.free;
  return a.place.facts.name < b.place.facts.name;
}

export class RoomiestFirst {
  readonly #draft: Draft;
  readonly #heap: Entry[] = [];

  constructor(draft: Draft) {
    this.#draft = draft;
  }

  /** Adds a node with the free slots that it has now; its place must not be in there already. */
  add(place: Place): void {
    const load = this.#draft.load(place.facts);
    const entry = { place, leftSeconds: leftSeconds(load), free: load.limit.slots - load.held };
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = heap[up] as Entry;
      if (!before(entry, parent)) break;
      heap[at] = parent;
      at = up;
    }
    heap[at] = entry;
  }

  /** Takes the roomiest out. */
  take(): Place | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last !== undefined && heap.length > 0) this.#sink(last);
    return first?.place;
  }

  #sink(entry: Entry): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      let down = 2 * at + 1;
      if (down >= heap.length) break;
      if (down + 1 < heap.length && before(heap[down + 1] as Entry, heap[down] as Entry)) down += 1;
      if (!before(heap[down] as Entry, entry)) break;
      heap[at] = heap[down] as Entry;
      at = down;
    }
    heap[at] = entry;
  }
}
