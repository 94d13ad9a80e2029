/**
 * The flow of one node: everything that shares a device, the page cache, the cores or the network, as fluids that run
 * at constant speeds between events. Nothing ticks: it jumps from event to event, and state changes at events only, so
 * that one step or many give the very same result.
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
  /** Who waits for the pass that writes now, and for the one after it. */
  #pass: (() => void)[] = [];
  #nextPass: (() => void)[] = [];
  /** What the next pass must write for those who wait for it. */
  #nextPassBytes = 0;
  /** The kernel itself began the pass that writes now. */
  #byKernel = false;
  /** Some dirty bytes are being watched for their age. */
  #aging = false;
  /** What comes next, and in how many ms: an index of the shared lanes, {@link TIMERS} or {@link CACHE}. */
  #next = -1;
  #nextMs = Infinity;
  /** Both are of now. */
  #nextKnown = false;

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
    this.#nextKnown = false;
    return this.#timers.add(this.nowMs + delayMs - this.#timers.clock, done);
  }

  /** Takes back a timer. */
  cancelTimer(timer: LaneTask): void {
    this.#nextKnown = false;
    this.#timers.cancel(timer);
  }

  /**
   * Calls `done` once the caller's `ownBytes`, dirty so far, have reached the disk; where flushes take everything along
   * (`syncfs`, unmounting a file system), once all bytes that are dirty now have. Flushes go in passes, as a journal's
   * group commit: a pass writes what it must when it begins, and who asks during a pass waits for the next one.
   */
  flush(ownBytes: number, done: () => void): void {
    this.#stale = true;
    this.#nextPass.push(done);
    this.#nextPassBytes += ownBytes;
    if (!this.#inPass) this.#beginPass();
  }

  /** Whether a flush takes everybody's dirty pages along, so that none are left for long. */
  get flushesEverything(): boolean {
    return this.capacity.backgroundBytes === 0;
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
      this.#watchAge();
    }
  }

  /** Brings the state itself to `nowMs`, because something from outside happens at this moment. */
  settle(nowMs: number): void {
    this.advanceTo(nowMs);
    if (nowMs > this.nowMs) this.#move(nowMs - this.nowMs);
  }

  get #inPass(): boolean {
    return this.lanes.flush.size > 0;
  }

  /** Whether the device writes dirty pages now: always where none are left for long, else during a pass. */
  get #writing(): boolean {
    return this.flushesEverything || this.#inPass;
  }

  /** The next pass: for those who wait for it; and at the limit the kernel begins one itself, of all that is dirty. */
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

  /** Who calls for no flush still gets it in the end: what was dirty a while ago and still is, the kernel writes. */
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
    // Less than a byte is what rounding left; it would be watched for its age for ever.
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

  /** The nearest of: a timer, a task that is done, the page cache becoming full or empty. */
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

  /** Where falling dirty bytes end the pass: the kernel's own leaves what is below the background threshold. */
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
   * The page cache is full or empty (or at the pass's floor) now: exactly, whatever rounding left. A full one begins a
   * pass of the kernel's, an empty one ends the pass.
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
