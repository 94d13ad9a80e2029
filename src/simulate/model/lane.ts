/**
 * A lane holds tasks that all progress at the same speed (processor sharing). Its unit is bytes for downloads, core-ms
 * for work, and ms for timers. Its clock counts the progress of one task. A task is done when the clock reaches its
 * target, so a change of speed touches no task.
 */

/** One task in a lane. */
export interface LaneTask {
  readonly target: number;
  readonly order: number;
  done: () => void;
  live: boolean;
}

const nothing = () => undefined;

const earlier = (a: LaneTask, b: LaneTask): boolean =>
  a.target < b.target || (a.target === b.target && a.order < b.order);

/** Tasks at one speed, soonest first, in a binary heap. A cancelled task is dropped when it reaches the top. */
export class Lane {
  /** Progress of each task since the lane was last empty. */
  clock = 0;
  /** Progress of each task per ms. */
  ratePerMs = 0;
  /** Live tasks. */
  size = 0;
  readonly #heap: LaneTask[] = [];
  #order = 0;

  /** Adds a task that is done after `amount` of progress. Tasks with equal targets finish in the order of adding. */
  add(amount: number, done: () => void): LaneTask {
    const task = { target: this.clock + amount, order: this.#order++, done, live: true };
    this.size += 1;
    this.#siftUp(task);
    return task;
  }

  /** Cancels a task. Does nothing if it is done or cancelled already. */
  cancel(task: LaneTask): void {
    if (!task.live) return;
    task.live = false;
    task.done = nothing; // the task may stay in the heap for minutes, but its callback must not
    this.size -= 1;
  }

  /** Progress until the next task is done, or Infinity. */
  untilNext(): number {
    const head = this.#head();
    return head === undefined ? Infinity : Math.max(0, head.target - this.clock);
  }

  /** Moves the clock on by `amount`, never past the next target. */
  advance(amount: number): void {
    if (this.size === 0) return;
    const head = this.#head();
    this.clock = head === undefined ? this.clock + amount : Math.min(this.clock + amount, head.target);
  }

  /** Moves the clock exactly to the next target, so that rounding leaves no task unfinished. */
  snap(): void {
    const head = this.#head();
    if (head !== undefined && head.target > this.clock) this.clock = head.target;
  }

  /** Takes the next task that is done at the current clock, or undefined. */
  takeDue(): LaneTask | undefined {
    const head = this.#head();
    if (head === undefined || head.target > this.clock) return undefined;
    return this.take();
  }

  /** Takes the next task, due or not. */
  take(): LaneTask | undefined {
    const head = this.#head();
    if (head === undefined) return undefined;
    this.#pop();
    head.live = false;
    this.size -= 1;
    return head;
  }

  #head(): LaneTask | undefined {
    let head = this.#heap[0];
    while (head !== undefined && !head.live) {
      this.#pop();
      head = this.#heap[0];
    }
    return head;
  }

  #siftUp(task: LaneTask): void {
    let at = this.#heap.length;
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = this.#heap[up] as LaneTask;
      if (!earlier(task, parent)) break;
      this.#heap[at] = parent;
      at = up;
    }
    this.#heap[at] = task;
  }

  #pop(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    const count = this.#heap.length;
    let at = 0;
    for (;;) {
      let down = 2 * at + 1;
      if (down >= count) break;
      if (down + 1 < count && earlier(this.#heap[down + 1] as LaneTask, this.#heap[down] as LaneTask)) down += 1;
      const child = this.#heap[down] as LaneTask;
      if (!earlier(child, last)) break;
      this.#heap[at] = child;
      at = down;
    }
    this.#heap[at] = last;
  }
}
