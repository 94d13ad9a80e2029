/**
 * The flow of one node. All work that shares the device, the page cache, the cores or the network is modelled as fluids
 * with constant speeds between events. There are no ticks: time jumps from event to event, and state changes at events
 * only. So one long step and many short ones give exactly the same result.
 */
import { DIRTY_EXPIRE_MS } from "./constants.ts";
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
  /** Callbacks that wait for the current pass, and for the one after it. */
  #pass: (() => void)[] = [];
  #nextPass: (() => void)[] = [];
  /** Bytes that the next pass must write for its waiters. */
  #nextPassBytes = 0;
  /** True if the kernel began the current pass by itself. */
  #byKernel = false;
  /** True while a timer watches the age of dirty bytes. */
  #aging = false;
  /**
   * The next event, and the ms until then. The event is an index of the shared lanes, {@link TIMERS} or {@link CACHE}.
   */
  #next = -1;
  #nextMs = Infinity;
  /** True if the speeds and the next event are up to date. */
  #nextKnown = false;

  constructor(capacity: Capacity, startMs: number) {
    this.capacity = capacity;
    this.nowMs = startMs;
    this.#timers.clock = startMs;
    this.lanes = Object.fromEntries(shared.map((name) => [name, new Lane()])) as Record<LaneName, Lane>;
    this.#shared = shared.map((name) => this.lanes[name]);
  }

  /** Adds a task that needs `amount` of the lane's kind. Calls `done` once it has got that much. */
  add(lane: LaneName, amount: number, done: () => void): LaneTask {
    this.#stale = true;
    return this.lanes[lane].add(amount, done);
  }

  /** Removes a task from its lane. */
  cancel(lane: LaneName, task: LaneTask): void {
    this.#stale = true;
    this.lanes[lane].cancel(task);
  }

  /** Calls `done` after `delayMs`. */
  after(delayMs: number, done: () => void): LaneTask {
    this.#nextKnown = false;
    return this.#timers.add(this.nowMs + delayMs - this.#timers.clock, done);
  }

  /** Cancels a timer. */
  cancelTimer(timer: LaneTask): void {
    this.#nextKnown = false;
    this.#timers.cancel(timer);
  }

  /**
   * Calls `done` once the caller's dirty `ownBytes` have reached the disk. If flushes take everything along (`syncfs`,
   * unmounting a file system), it waits until all bytes that are dirty now have reached it. Flushes run in passes, like
   * a journal's group commit: a pass writes what was due when it began, and a caller that asks during a pass waits for
   * the next one.
   */
  flush(ownBytes: number, done: () => void): void {
    this.#stale = true;
    this.#nextPass.push(done);
    this.#nextPassBytes += ownBytes;
    if (!this.#inPass) this.#beginPass();
  }

  /** True if a flush takes all dirty pages along, so that none stay dirty for long. */
  get flushesEverything(): boolean {
    return this.capacity.backgroundBytes === 0;
  }

  /** The current speeds. */
  rates(): Readonly<Rates> {
    if (this.#stale) this.#refresh();
    return this.#rates;
  }

  /** When the next event is due, or Infinity. */
  nextMs(): number {
    this.#findNext();
    return this.nowMs + this.#nextMs;
  }

  /**
   * Processes all events up to `untilMs` (inclusive). The state is then that of the last event; {@link settle} moves it
   * on.
   */
  advanceTo(untilMs: number): void {
    for (;;) {
      this.#findNext();
      if (this.nowMs + this.#nextMs > untilMs) return;
      const at = this.#next;
      this.#move(this.#nextMs);
      if (at === CACHE) this.#cacheTurned();
      else (at === TIMERS ? this.#timers : this.#shared[at])?.snap();
      this.#fire();
      this.#watchAge();
    }
  }

  /** Moves the state itself to `nowMs`, because something from outside happens then. */
  settle(nowMs: number): void {
    this.advanceTo(nowMs);
    if (nowMs > this.nowMs) this.#move(nowMs - this.nowMs);
  }

  get #inPass(): boolean {
    return this.lanes.flush.size > 0;
  }

  /** True if the device writes dirty pages now: always if none stay dirty for long, otherwise only during a pass. */
  get #writing(): boolean {
    return this.flushesEverything || this.#inPass;
  }

  /**
   * Begins the next pass, for its waiters. At the limit, the kernel begins a pass of its own that writes all dirty
   * bytes.
   */
  #beginPass(): void {
    this.#byKernel = !this.flushesEverything && this.dirtyBytes >= this.capacity.dirtyLimitBytes;
    if (this.#nextPass.length === 0 && !this.#byKernel) return;
    const everything = this.flushesEverything || this.#byKernel;
    const bytes = everything ? this.dirtyBytes : Math.min(this.#nextPassBytes, this.dirtyBytes);
    this.#pass = this.#nextPass;
    this.#nextPass = [];
    this.#nextPassBytes = 0;
    this.add("flush", bytes, () => this.#endPass());
  }

  /** The kernel writes pages that have been dirty for a while, even if nothing asks for a flush. */
  #watchAge(): void {
    if (this.flushesEverything || this.#aging || this.dirtyBytes === 0) return;
    this.#aging = true;
    const owedTotal = this.totals.writtenBytes + this.dirtyBytes;
    this.after(DIRTY_EXPIRE_MS, () => {
      this.#aging = false;
      const leftBytes = owedTotal - this.totals.writtenBytes;
      if (leftBytes > 0) this.flush(leftBytes, () => undefined);
    });
  }

  #endPass(): void {
    // Less than a byte is a rounding error. Its age would be watched for ever.
    if (!this.flushesEverything && this.dirtyBytes < 1) this.dirtyBytes = 0;
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
      writing: this.#writing,
    };
    computeRates(this.capacity, active, this.#rates);
    for (const name of shared) lanes[name].ratePerMs = this.#rates[name];
    this.#stale = false;
    this.#nextKnown = false;
  }

  /** Finds the nearest event: a timer, a finished task, or a page cache that becomes full or empty. */
  #findNext(): void {
    if (this.#stale) this.#refresh();
    if (this.#nextKnown) return;
    this.#nextKnown = true;
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

  /** The dirty bytes at which a pass ends. A pass of the kernel's own leaves what is below the background threshold. */
  get #floorBytes(): number {
    return this.#byKernel ? this.capacity.backgroundBytes : 0;
  }

  #untilCacheTurns(): number {
    const net = this.#rates.inflow - this.#rates.written;
    if (net < 0) return Math.max(0, this.dirtyBytes - this.#floorBytes) / -net;
    if (net > 0 && this.dirtyBytes < this.capacity.dirtyLimitBytes) {
      return (this.capacity.dirtyLimitBytes - this.dirtyBytes) / net;
    }
    return Infinity;
  }

  /**
   * Sets the dirty bytes exactly to full, empty or the pass's floor, which removes rounding errors. A full page cache
   * begins a pass of the kernel; an empty one ends the pass.
   */
  #cacheTurned(): void {
    this.#stale = true;
    if (this.#rates.inflow > this.#rates.written) {
      this.dirtyBytes = this.capacity.dirtyLimitBytes;
      if (!this.#writing) this.#beginPass();
      return;
    }
    this.dirtyBytes = this.#floorBytes;
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
    this.#nextKnown = false;
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
