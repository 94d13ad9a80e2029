/** What the limits of nodes did in the last ten minutes, for the question what has slowed a node. In memory only. */
import type { NodeName } from "../ids.ts";
import type { Limit } from "../rules/limit.ts";

/** How far back it goes, ms. */
export const HISTORY_MS = 600_000;

/** Steps kept of all nodes together, about 200 bytes each: 4 MB at most, however many nodes there are. */
const MOST_STEPS = 20_000;

/** A limit moved, or did not though all of its slots were used: then `from` is `to`. */
export interface LimitStep {
  /** Epoch ms. */
  readonly atMs: number;
  readonly from: number;
  readonly to: number;
  /** In words. */
  readonly why: string;
}

const NO_STEPS: readonly LimitStep[] = [];

export class LimitHistory {
  /** The node whose last step is the oldest comes first. */
  readonly #steps = new Map<NodeName, LimitStep[]>();
  #count = 0;

  /** Of equal figures only the first is noted: a limit that is held is held sample after sample. */
  note(node: NodeName, before: Limit, after: Limit, atMs: number): void {
    if (before.move === after.move) return;
    const steps = this.#steps.get(node) ?? [];
    const last = steps.at(-1);
    if (after.slots === before.slots && last?.from === last?.to && last?.to === after.slots) return;
    this.#steps.delete(node);
    this.#steps.set(node, steps);
    steps.push({ atMs, from: before.slots, to: after.slots, why: after.move });
    this.#count += 1;
    this.#forget(steps, (step) => step.atMs <= atMs - HISTORY_MS);
    this.#forgetNodes(atMs - HISTORY_MS);
  }

  /** Oldest first. */
  of(node: NodeName, nowMs: number): readonly LimitStep[] {
    return this.#steps.get(node)?.filter(({ atMs }) => atMs > nowMs - HISTORY_MS) ?? NO_STEPS;
  }

  forget(node: NodeName): void {
    this.#count -= this.#steps.get(node)?.length ?? 0;
    this.#steps.delete(node);
  }

  #forget(steps: LimitStep[], isOver: (step: LimitStep) => boolean): void {
    const kept = steps.findIndex((step) => !isOver(step));
    this.#count -= steps.splice(0, kept === -1 ? steps.length : kept).length;
  }

  #forgetNodes(beforeMs: number): void {
    for (const [node, steps] of this.#steps) {
      const isOver = (steps.at(-1)?.atMs ?? 0) <= beforeMs;
      if (!isOver && this.#count <= MOST_STEPS) return;
      // The node that has just moved is never the first, unless it is the only one: then it loses its oldest half.
      if (!isOver && this.#steps.size === 1) this.#count -= steps.splice(0, steps.length >> 1).length;
      else this.forget(node);
    }
  }
}
