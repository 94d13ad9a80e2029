/**
 * The flow of one node: everything that shares a device, the page cache, the cores or the network, as fluids that run
 * at constant speeds between events. Nothing ticks: it jumps from event to event, and state changes at events only, so
 * that one step or many give the very same result.
 */
import type { LaneTask } from "./lane.ts";
import { Lane } from "./lane.ts";
import type { Capacity, Rates } from "./rates.ts";
import { computeRates, idleRates } from "./rates.ts";
import { accrue, newTotals } from "./totals.ts";
import type { Totals } from "./totals.ts";

/** What a task in a lane needs: bytes, core-ms, operations or ms. */
export type LaneName = "download" | "unpack" | "smallWrite" | "fault" | "read" | "work" | "sync" | "flush";

const shared: readonly LaneName[] = ["download", "unpack", "smallWrite", "fault", "read", "work", "sync", "flush"];

const TIMERS = -1;
const CACHE = -2;

export class Flow {
  readonly capacity: Capacity;
  readonly totals: Totals = newTotals();
  readonly lanes: Readonly<Record<LaneName, Lane>>;
  /** Time of the last event, in ms. */
  nowMs: number;
  dirtyBytes = 0;
  readonly #shared: readonly Lane[];
  readonly #timers = new Lane();
  readonly #rates: Rates = idleRates();
  #stale = true;
  /** Who waits for the pass that writes now, and for the one after it. */
  #pass: (() => void)[] = [];
  #nextPass: (() => void)[] = [];
  /** What comes next, and in how many ms: an index of the shared lanes, {@link TIMERS} or {@link CACHE}. */
  #next = -1;
  #nextMs = Infinity;

  constructor(capacity: Capacity, startMs: number) {
    this.capacity = capacity;
    this.nowMs = startMs;
    this.#timers.clock = startMs;
    this.lanes = Object.fromEntries(shared.map((name) => [name, new Lane()])) as Record<LaneName, Lane>;
    this.#shared = shared.map((name) => this.lanes[name]);
  }

  /** Calls `done` once a task that needs `amount` of the lane's kind has got it. */
  add(lane: LaneName, amount: number, done: () => void): LaneTask {
    this.#stale = true;
    return this.lanes[lane].add(amount, done);
  }

  /** Takes a task out of its lane. */
  cancel(lane: LaneName, task: LaneTask): void {
    this.#stale = true;
    this.lanes[lane].cancel(task);
  }

  /** Calls `done` after `delayMs`. */
  after(delayMs: number, done: () => void): LaneTask {
    return this.#timers.add(this.nowMs + delayMs - this.#timers.clock, done);
  }

  /** Takes back a timer. */
  cancelTimer(timer: LaneTask): void {
    this.#timers.cancel(timer);
  }

  /**
   * Calls `done` once all bytes that are dirty now have reached the disk (`syncfs`, unmounting a file system). Flushes go
   * in passes, as a journal's group commit: a pass writes what is dirty when it begins, and who asks during a pass waits
   * for the next one.
   */
  flush(done: () => void): void {
    this.#stale = true;
    this.#nextPass.push(done);
    if (this.#pass.length === 0) this.#beginPass();
  }

  /** How fast everything goes at present. */
  rates(): Readonly<Rates> {
    if (this.#stale) this.#refresh();
    return this.#rates;
  }

  /** When the next event is due, or Infinity. */
  nextMs(): number {
    this.#findNext();
    return this.nowMs + this.#nextMs;
  }

  /** Works off all events up to `untilMs` (inclusive). State stays as of the last one; {@link settle} moves it on. */
  advanceTo(untilMs: number): void {
    for (;;) {
      this.#findNext();
      if (this.nowMs + this.#nextMs > untilMs) return;
      const at = this.#next;
      this.#move(this.#nextMs);
      if (at === CACHE) this.#cacheTurned();
      else (at === TIMERS ? this.#timers : this.#shared[at])?.snap();
      this.#fire();
    }
  }

  /** Brings the state itself to `nowMs`, because something from outside happens at this moment. */
  settle(nowMs: number): void {
    this.advanceTo(nowMs);
    if (nowMs > this.nowMs) this.#move(nowMs - this.nowMs);
  }

  #beginPass(): void {
    if (this.#nextPass.length === 0) return;
    this.#pass = this.#nextPass;
    this.#nextPass = [];
    this.add("flush", this.dirtyBytes, () => this.#endPass());
  }

  #endPass(): void {
    const done = this.#pass;
    this.#pass = [];
    this.#beginPass();
    for (const waiter of done) waiter();
  }

  #refresh(): void {
    const { lanes } = this;
    const active = {
      downloads: lanes.download.size,
      unpacks: lanes.unpack.size,
      smallWrites: lanes.smallWrite.size,
      faults: lanes.fault.size,
      reads: lanes.read.size,
      work: lanes.work.size,
      flushes: this.#pass.length + this.#nextPass.length,
      syncs: lanes.sync.size,
      dirtyBytes: this.dirtyBytes,
    };
    computeRates(this.capacity, active, this.#rates);
    for (const name of shared) lanes[name].ratePerMs = this.#rates[name];
    this.#stale = false;
  }

  /** The nearest of: a timer, a task that is done, the page cache becoming full or empty. */
  #findNext(): void {
    if (this.#stale) this.#refresh();
    this.#nextMs = this.#timers.untilNext();
    this.#next = TIMERS;
    for (let at = 0; at < this.#shared.length; at += 1) {
      const lane = this.#shared[at] as Lane;
      if (lane.size > 0) this.#consider(lane.untilNext() / lane.ratePerMs, at);
    }
    this.#consider(this.#untilCacheTurns(), CACHE);
  }

  #consider(ms: number, at: number): void {
    if (ms >= this.#nextMs) return;
    this.#nextMs = ms;
    this.#next = at;
  }

  #untilCacheTurns(): number {
    const net = this.#rates.inflow - this.#rates.written;
    if (net < 0) return this.dirtyBytes / -net;
    if (net > 0 && this.dirtyBytes < this.capacity.dirtyLimitBytes) {
      return (this.capacity.dirtyLimitBytes - this.dirtyBytes) / net;
    }
    return Infinity;
  }

  /** The page cache is full or empty now: exactly, whatever rounding left. An empty one ends the pass. */
  #cacheTurned(): void {
    this.#stale = true;
    if (this.#rates.inflow > this.#rates.written) {
      this.dirtyBytes = this.capacity.dirtyLimitBytes;
      return;
    }
    this.dirtyBytes = 0;
    this.lanes.flush.take()?.done();
  }

  #move(ms: number): void {
    if (this.#stale) this.#refresh();
    const rates = this.#rates;
    accrue(this.totals, rates, this.capacity, ms);
    for (const lane of this.#shared) lane.advance(ms * lane.ratePerMs);
    this.dirtyBytes = Math.max(0, this.dirtyBytes + (rates.inflow - rates.written) * ms);
    this.nowMs += ms;
    this.#timers.clock = this.nowMs;
  }

  #fire(): void {
    for (const lane of this.#shared) {
      for (let task = lane.takeDue(); task !== undefined; task = lane.takeDue()) {
        this.#stale = true;
        task.done();
      }
    }
    for (let timer = this.#timers.takeDue(); timer !== undefined; timer = this.#timers.takeDue()) timer.done();
  }
}
