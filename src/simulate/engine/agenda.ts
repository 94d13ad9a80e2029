/** What is still to happen: actions by time, and by the order in which they were noted where times are equal. */

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

  /** Notes an action; a time that has passed means now. */
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

/** Delivered items that are kept at most while they are fewer than those that wait. */
const FORGET_AFTER = 1_024;

/** Hands things on after a constant delay, in order: one entry on the agenda however many are under way. */
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

  /** Now and then, so that it costs little and what was delivered is not kept. */
  #forgetDelivered(): void {
    const delivered = this.#next;
    if (delivered < this.#waiting.length && (delivered < FORGET_AFTER || 2 * delivered < this.#waiting.length)) return;
    this.#waiting = this.#waiting.slice(delivered);
    this.#next = 0;
  }
}
