/**
 * Decides what the leader's loop does and when: how long it rests between plans, which of a plan's writes begin while
 * others are on their way, how many at a time, what is tried again, and when to plan again though nothing happened. It
 * does no I/O and reads no clock. The service's loop (loop.ts) and the simulator drive it in the same way: `poke` and
 * `look` until a plan is due, `planned`, `next` until there is none, and `ended` for each write.
 */
import type { PodUID } from "../core/ids.ts";
import { lacksFreedNote } from "../core/state/freed.ts";
import type { Held, Plan, SetAside } from "../core/verdict.ts";
import type { Outcome } from "./apply.ts";
import { HoldNotes } from "./hold-notes.ts";
import type { Note } from "./hold-notes.ts";
import { Retries } from "./retries.ts";
import { holdWork, keyOfPod, podOfKey, startable } from "./work.ts";
import type { Work } from "./work.ts";

/** Events within this time, in ms, make one plan. A watch delivers the parts of one change within about 1 ms. */
export const COALESCE_MS = 2;

/** Rest after a plan, as a multiple of its duration: at most a fifth of the time is spent planning … */
const REST_PER_PLAN = 4;
/**
 * … but the rest is at most this long, in ms, or as long as a plan takes: a free slot waits for the next plan (budget:
 * 100 ms from slot to release).
 */
const LONGEST_REST_MS = 40;

/** Longest time between two plans, ms. If an event were missed, the loop would be late, not stuck. */
const RECHECK_MS = 5_000;

/** Time between two notes to pods that a fence keeps out, ms: people do not look more often. Assumed. */
const FENCE_NOTES_EVERY_MS = 1_000;

/** Writes at the same time. Assumed: 64 × 10 ms makes 6,400 releases/s, ten times what a scheduler binds. */
const WRITES_IN_FLIGHT = 64;

/** At most so many of these write notes: releases come first. */
const NOTES_IN_FLIGHT = 8;

/** One moment on two clocks, in ms. The wall clock is for comparison with the API server's timestamps; it may jump. */
export interface Moment {
  readonly wallMs: number;
  readonly steadyMs: number;
}

/**
 * How a write ended. `failed`: it was refused, or, with `mayPass`, sent again it may be carried out; the API server may
 * have asked to wait, in ms.
 */
export type WriteEnd =
  | { readonly kind: Outcome<unknown>["kind"] }
  | { readonly kind: "failed"; readonly retryAfterMs: number; readonly why: string; readonly mayPass?: boolean };

/** All times are of one steady clock, in ms, except where they are named `wallMs`. */
export class Dispatcher {
  readonly #inFlight = new Map<string, Work>();
  readonly #retries: Retries;
  #notes = new HoldNotes();
  #fenceNotes = new HoldNotes();
  #fenceNotesAtMs = -Infinity;
  /** Work of the last plan that has not begun; notes come last. */
  #queue: Work[] = [];
  #noteQueue: Work[] = [];
  #lastPlanTookMs = 0;
  /** By how much the wall clock was ahead of the steady one at the last plan, ms. */
  #wallAheadMs = 0;
  /** When the next plan is due; undefined: none was asked for. */
  #planAtMs: number | undefined;
  /** When to ask for a plan though nothing happens. */
  #wakeAtMs = Infinity;

  /** @param random gives 0 to 1, for jitter. */
  constructor(random: () => number) {
    this.#retries = new Retries(random);
  }

  /** Number of writes on their way. */
  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** Number of writes that have not begun. */
  get queued(): number {
    return this.#queue.length + this.#noteQueue.length;
  }

  /** When to call {@link look}; Infinity: only after the next poke. */
  get lookAtMs(): number {
    return Math.min(this.#planAtMs ?? Infinity, this.#wakeAtMs);
  }

  /** Facts, policy or leadership have changed: a plan is due after the rest. It is cheap. */
  poke(nowMs: number): void {
    const tookMs = this.#lastPlanTookMs;
    const restMs = Math.max(tookMs, Math.min(tookMs * REST_PER_PLAN, LONGEST_REST_MS));
    this.#planAtMs ??= nowMs + Math.max(COALESCE_MS, restMs);
  }

  /** True if it is time to plan. */
  look(nowMs: number): boolean {
    if (nowMs >= this.#wakeAtMs) {
      this.#wakeAtMs = Infinity;
      this.poke(nowMs);
    }
    if (this.#planAtMs === undefined || nowMs < this.#planAtMs) return false;
    this.#planAtMs = undefined;
    this.#wakeAtMs = Infinity;
    return true;
  }

  /**
   * Pods whose last write failed, with why, until their next try: a plan that gave them slots meanwhile would keep
   * these from others.
   */
  setAside(nowMs: number): SetAside {
    const pods = new Map<PodUID, string>();
    for (const [key, why] of this.#retries.waiting(nowMs)) {
      const uid = podOfKey(key);
      if (uid !== undefined) pods.set(uid, why);
    }
    const refused = [...this.#retries.refused()].flatMap((key) => podOfKey(key) ?? []);
    return Object.assign(pods, { refused: new Set(refused) });
  }

  /**
   * Takes a plan in place of the last one. What had not begun of that one is in this one again, if it is still wanted.
   * @param tookMs how long the plan took.
   * @returns pods that are to be told why they wait.
   */
  planned(plan: Plan, now: Moment, tookMs: number): readonly Held[] {
    this.#lastPlanTookMs = tookMs;
    this.#wallAheadMs = now.wallMs - now.steadyMs;
    const { notes, wakeAtMs: notesAtMs } = this.#notes.due(plan.held, now.wallMs);
    const works = startable(plan, this.#inFlight);
    const mayBegin = ({ key }: Work) => !this.#retries.waits(key, now.steadyMs);
    // A note that dates a hold is due until it is there, also while it is being written.
    const isBegun = ({ pod }: Held) => lacksFreedNote(pod) && this.#inFlight.has(keyOfPod(pod));
    const newNotes = notes.filter(({ annotate, held }) => annotate && !isBegun(held)).map(({ held }) => holdWork(held));
    const latest = new Map([...this.#noteQueue, ...newNotes].map((work) => [work.key, work]));
    this.#noteQueue = [...latest.values()].filter(mayBegin);
    const wanted = [...works, ...this.#noteQueue, ...this.#inFlight.values()];
    this.#retries.keepOnly(new Set(wanted.map(({ key }) => key)), now.steadyMs);
    this.#queue = works.filter(mayBegin);
    const inMs = [plan.wakeAtMs, notesAtMs].map((wallMs) => (wallMs ?? Infinity) - now.wallMs);
    const retryInMs = (this.#retries.nextMs(now.steadyMs) ?? Infinity) - now.steadyMs;
    this.#wakeAtMs = now.steadyMs + Math.min(...inMs, retryInMs, RECHECK_MS);
    return toAnnounce(notes);
  }

  /** The plan could not be made. Writes of the last one go on. */
  planFailed(nowMs: number): void {
    this.#wakeAtMs = nowMs + RECHECK_MS;
  }

  /** This replica may not act: begins nothing more, and forgets what others may have done until it may act again. */
  standDown(nowMs: number): void {
    this.drop();
    this.#notes = new HoldNotes(); // until this replica leads again, other replicas write notes
    this.#fenceNotes = new HoldNotes();
    this.#wakeAtMs = nowMs + RECHECK_MS;
  }

  /** Forgets the work that has not begun. */
  drop(): void {
    this.#queue = [];
    this.#noteQueue = [];
  }

  /** True if pods that a fence keeps out may be told why they wait. */
  wantsKeptOut(nowMs: number): boolean {
    if (nowMs < this.#fenceNotesAtMs + FENCE_NOTES_EVERY_MS) return false;
    this.#fenceNotesAtMs = nowMs;
    return true;
  }

  /**
   * @param held pods that only a fence keeps out.
   * @returns those that are to be told now, in an Event only: an annotation would make the scheduler try these pods
   * again, and nothing would remove it.
   */
  keptOut(held: readonly Held[], wallMs: number): readonly Held[] {
    return toAnnounce(this.#fenceNotes.due(held, wallMs).notes);
  }

  /** The next write to begin now. It counts as on its way until {@link ended}. */
  next(): Work | undefined {
    while (this.#inFlight.size < WRITES_IN_FLIGHT) {
      const work =
        this.#queue.shift() ?? (this.#notesInFlight() < NOTES_IN_FLIGHT ? this.#noteQueue.shift() : undefined);
      if (work === undefined) return undefined;
      if (this.#inFlight.has(work.key)) continue;
      this.#inFlight.set(work.key, work);
      return work;
    }
    return undefined;
  }

  /** A write has ended, however it did. What it changed must be in the facts before the next plan. */
  ended(work: Work, end: WriteEnd, nowMs: number): void {
    const { key } = work;
    this.#inFlight.delete(key);
    const byMs = work.kind === "release" ? (work.release.capMs ?? Infinity) - this.#wallAheadMs : Infinity;
    if (end.kind === "changed") this.#retries.succeeded(key);
    // Otherwise there was nothing to do, or another client is changing the object, or the write failed: not at once
    // again.
    else if (end.kind === "failed") {
      const { retryAfterMs: atLeastMs, why, mayPass = false } = end;
      this.#retries.failed(key, nowMs, why, { atLeastMs, byMs, refused: !mayPass });
    } else this.#retries.failed(key, nowMs, "", { byMs });
    this.poke(nowMs);
  }

  #notesInFlight(): number {
    let notes = 0;
    for (const { kind } of this.#inFlight.values()) if (kind === "hold") notes++;
    return notes;
  }
}

const toAnnounce = (notes: readonly Note[]) => notes.filter(({ announce }) => announce).map(({ held }) => held);
