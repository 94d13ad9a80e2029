/**
 * Virtual time: a clock that jumps to the next timer when nothing else is left to do, and the clocks of one replica on
 * it, which drift, jump, stand still while the process is suspended, and end with it.
 */
import type { Clock } from "../../src/kube/clock.ts";

interface Timer {
  readonly atMs: number;
  readonly order: number;
  fn: (() => void) | undefined;
}

const earlier = (a: Timer, b: Timer) => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);

/**
 * True time, as the API server and the modelled world have it. Timers of one moment run in the order of their setting.
 */
export class VirtualTime implements Clock {
  #nowMs: number;
  #order = 0;
  readonly #heap: Timer[] = [];

  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  setTimer(fn: () => void, ms: number): () => void {
    const timer: Timer = { atMs: this.#nowMs + Math.max(ms, 0), order: this.#order++, fn };
    this.#push(timer);
    return () => (timer.fn = undefined);
  }

  /** Runs the next timer; false if there is none until `untilMs`. */
  step(untilMs: number): boolean {
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || next.atMs > untilMs) return false;
      this.#pop();
      if (next.fn === undefined) continue;
      this.#nowMs = next.atMs;
      next.fn();
      return true;
    }
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(timer);
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = heap[up] as Timer;
      if (!earlier(timer, parent)) break;
      heap[at] = parent;
      at = up;
    }
    heap[at] = timer;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (let down = 1; down < heap.length; down = 2 * at + 1) {
      if (down + 1 < heap.length && earlier(heap[down + 1] as Timer, heap[down] as Timer)) down += 1;
      const child = heap[down] as Timer;
      if (!earlier(child, last)) break;
      heap[at] = child;
      at = down;
    }
    heap[at] = last;
  }
}

/** The clocks of one process. All that reaches the process (timers, answers) goes through {@link ProcessClocks.run}. */
export class ProcessClocks {
  readonly #time: VirtualTime;
  /** Speed of both clocks; 1 is right. */
  #rate = 1;
  #wallOffMs = 0;
  /** Steady time, in ms, at the true time {@link #sinceMs}. */
  #steadyMs: number;
  #sinceMs: number;
  #state: "running" | "suspended" | "dead" = "running";
  #waiting: (() => void)[] = [];

  constructor(time: VirtualTime) {
    this.#time = time;
    this.#steadyMs = time.now();
    this.#sinceMs = time.now();
  }

  readonly steady: Clock = {
    now: () => this.#steadyNow(),
    setTimer: (fn, ms) => this.#setTimer(fn, ms),
  };

  readonly wall: Clock = {
    now: () => this.#time.now() + this.#wallOffMs,
    setTimer: (fn, ms) => this.#setTimer(fn, ms),
  };

  get wallOffMs(): number {
    return this.#wallOffMs;
  }

  get isAlive(): boolean {
    return this.#state !== "dead";
  }

  get isSuspended(): boolean {
    return this.#state === "suspended";
  }

  get isRunning(): boolean {
    return this.#state === "running";
  }

  /** The wall clock is set: forward if positive, in ms. */
  jump(byMs: number): void {
    this.#wallOffMs += byMs;
  }

  /** Both clocks run at this speed from now on. */
  drift(rate: number): void {
    this.#note();
    this.#rate = rate;
  }

  /** The process stands still, and its steady clock with it (a virtual machine that is paused). */
  suspend(): void {
    if (this.#state !== "running") return;
    this.#note();
    this.#state = "suspended";
  }

  resume(): void {
    if (this.#state !== "suspended") return;
    this.#note();
    this.#state = "running";
    const waiting = this.#waiting;
    this.#waiting = [];
    // One after another, with promises settling in between, as an event loop does.
    for (const fn of waiting) this.#time.setTimer(() => this.run(fn), 0);
  }

  /** Nothing of the process runs any more. */
  kill(): void {
    this.#state = "dead";
    this.#waiting = [];
  }

  /** Runs something in the process: now, when it goes on, or never. */
  run(fn: () => void): void {
    if (this.#state === "running") fn();
    else if (this.#state === "suspended") this.#waiting.push(fn);
  }

  #setTimer(fn: () => void, ms: number): () => void {
    let live = true;
    this.#time.setTimer(
      () =>
        this.run(() => {
          if (live) fn();
        }),
      Math.max(ms, 0) / this.#rate,
    );
    return () => (live = false);
  }

  #steadyNow(): number {
    if (this.#state === "suspended") return this.#steadyMs;
    return this.#steadyMs + (this.#time.now() - this.#sinceMs) * this.#rate;
  }

  #note(): void {
    this.#steadyMs = this.#steadyNow();
    this.#sinceMs = this.#time.now();
  }
}
