/**
 * Nodes in the order in which they are given pods: the one whose disk has least left to write first, then the one with
 * the most free slots. A binary heap, because a plan for thousands of nodes asks thousands of times.
 */
import type { KnownNode } from "../placement/known-node.ts";
import { drainSeconds } from "../state/load.ts";
import type { PlanBuilder } from "./plan-builder.ts";

interface Entry {
  readonly node: KnownNode;
  readonly owedSeconds: number;
  readonly free: number;
}

/** Equal ones by name, so that every leader comes to the same order. */
function before(a: Entry, b: Entry): boolean {
  if (a.owedSeconds !== b.owedSeconds) return a.owedSeconds < b.owedSeconds;
  if (a.free !== b.free) return a.free > b.free;
  return a.node.facts.name < b.node.facts.name;
}

export class NodeQueue {
  readonly #plan: PlanBuilder;
  readonly #heap: Entry[] = [];

  constructor(plan: PlanBuilder) {
    this.#plan = plan;
  }

  /** Adds a node with the free slots that it has now. It must not be in the queue already. */
  add(node: KnownNode): void {
    const load = this.#plan.load(node.facts);
    const entry = { node, owedSeconds: drainSeconds(load), free: load.limit.slots - load.slotsInUse };
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

  /** Takes the first one out. */
  take(): KnownNode | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last !== undefined && heap.length > 0) this.#sink(last);
    return first?.node;
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
