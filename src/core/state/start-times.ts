/** How long pods of each shape take to start once their images are there, learnt from the last few starts. */
import { LRUCache } from "lru-cache";
import type { PodShape } from "../facts.ts";
import { SECOND_MS } from "../measures.ts";

/** How many shapes are remembered: each is one pod template. */
const SHAPES = 20_000;
/** Weight of a new start against what was learnt before. Assumed: about the last four. */
const GAIN = 0.4;
/** Times within this factor count as equal: what differs less is chance. Assumed. */
const STEP = 1.2;
/**
 * Starts that take no longer are all equally short, s: sandbox, create and start, as on a node that does nothing else.
 * Assumed.
 */
const SHORT_SECONDS = 2;

export class StartTimes {
  readonly #seconds = new LRUCache<PodShape, number>({ max: SHAPES });
  #mean = SHORT_SECONDS;

  /** @param tookMs from the binding, of a pod that had to fetch nothing. */
  learn(shape: PodShape, tookMs: number): void {
    const seconds = tookMs / SECOND_MS;
    const before = this.#seconds.get(shape) ?? seconds;
    this.#seconds.set(shape, before + GAIN * (seconds - before));
    this.#mean += GAIN * (seconds - this.#mean);
  }

  /**
   * On a scale whose every step is a fifth longer. A shape that has not started yet is taken for one like the last few.
   */
  step(shape: PodShape): number {
    const seconds = this.#seconds.get(shape) ?? this.#mean;
    return Math.round(Math.log(Math.max(1, seconds / SHORT_SECONDS)) / Math.log(STEP));
  }
}
