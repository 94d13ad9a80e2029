/** Pending actions, ordered by time. Actions with equal times keep the order in which they were added. */

interface Entry {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

const earlier = (a: Entry, b: Entry): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);

/** The clock of a simulation and its agenda (a binary heap). */
export class Agenda {
  /** Simulated time, in ms. */
  nowMs: number;
  readonly #heap: Entry[] = [];
  #order = 0;

  constructor(startMs: number) {
    this.nowMs = startMs;
  }

  /** Adds an action. A time in the past means now. */
  at(atMs: number, run: () => void): void {
    this.#push({ atMs: Math.max(atMs, this.nowMs), order: this.#order++, run });
  }

  after(delayMs: number, run: () => void): void {
    this.at(this.nowMs + delayMs, run);
  }

  /** Runs the next action if it is due until `untilMs`; false when there is none. */
  step(untilMs: number): boolean {
    const next = this.#heap[0];
    if (next === undefined || next.atMs > untilMs) return false;
    this.#pop();
    this.nowMs = next.atMs;
    next.run();
    return true;
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = heap[up] as Entry;
      if (!earlier(entry, parent)) break;
      heap[at] = parent;
      at = up;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    const count = heap.length;
    if (last === undefined || count === 0) return;
    let at = 0;
    for (;;) {
      let down = 2 * at + 1;
      if (down >= count) break;
      if (down + 1 < count && earlier(heap[down + 1] as Entry, heap[down] as Entry)) down += 1;
      const child = heap[down] as Entry;
      if (!earlier(child, last)) break;
      heap[at] = child;
      at = down;
    }
    heap[at] = last;
  }
}

/** The most delivered items to keep while they are fewer than those that wait. */
const FORGET_AFTER = 1_024;

/** Delivers items in order after a constant delay. It uses one entry on the agenda, however many items wait. */
export class DelayLine<Item> {
  readonly #agenda: Agenda;
  readonly #delayMs: number;
  readonly #deliver: (item: Item) => void;
  #waiting: { readonly atMs: number; readonly item: Item }[] = [];
  #next = 0;

  constructor(agenda: Agenda, delayMs: number, deliver: (item: Item) => void) {
    this.#agenda = agenda;
    this.#delayMs = delayMs;
    this.#deliver = deliver;
  }

  push(item: Item): void {
    this.#waiting.push({ atMs: this.#agenda.nowMs + this.#delayMs, item });
    if (this.#waiting.length - this.#next === 1) this.#arm();
  }

  #arm(): void {
    const first = this.#waiting[this.#next];
    if (first) this.#agenda.at(first.atMs, () => this.#run());
  }

  #run(): void {
    const { nowMs } = this.#agenda;
    for (let first = this.#waiting[this.#next]; first && first.atMs <= nowMs; first = this.#waiting[this.#next]) {
      this.#next += 1;
      this.#deliver(first.item);
    }
    this.#forgetDelivered();
    if (this.#waiting.length > 0) this.#arm();
  }

  /** Drops delivered items from time to time, which frees them at little cost. */
  #forgetDelivered(): void {
    const delivered = this.#next;
    if (delivered < this.#waiting.length && (delivered < FORGET_AFTER || 2 * delivered < this.#waiting.length)) return;
    this.#waiting = this.#waiting.slice(delivered);
    this.#next = 0;
  }
}
