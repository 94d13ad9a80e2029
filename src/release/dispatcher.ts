/**
 * The leader's loop, the only one that assigns slots. The reflectors gather facts for the pacer as they come, the pacer
 * plans, and this loop applies the plan. What it does not manage is in the next plan again. It has no state that a
 * restart could lose.
 */
import { ApiError } from "../kube/client/api-error.ts";
import type { Clock } from "../kube/clock.ts";
import type { EventRecorder } from "../kube/write/events.ts";
import type { Log } from "../kube/log.ts";
import type { PodFacts } from "../core/facts.ts";
import type { Pacer } from "../core/pacer.ts";
import { heldSinceMs } from "../core/state/held-since.ts";
import type { FenceAction, Plan, Release } from "../core/verdict.ts";
import type { Apply, Outcome } from "./apply.ts";
import { HoldNotes } from "./hold-notes.ts";
import type { Note } from "./hold-notes.ts";
import { Retries } from "./retries.ts";
import { holdWork, startable } from "./work.ts";
import type { Work } from "./work.ts";

/** For metrics and logs. Called synchronously; must not throw. */
export interface ReleaseHooks {
  onPlan?(plan: Plan, durationMs: number): void;
  /** `heldMs`: how long the pod had been held; undefined for a pod that never had the gate. */
  onReleased?(release: Release, heldMs: number | undefined): void;
  onFence?(action: FenceAction): void;
  onWriteFailed?(kind: Work["kind"], error: unknown): void;
}

export interface ReleaseLoopOptions {
  readonly pacer: Pick<Pacer, "plan" | "keptOut" | "upsertPod" | "deletePod" | "upsertNode">;
  readonly apply: Apply;
  /** True if this replica leads and has seen the whole cluster. Asked before every plan and every write. */
  readonly mayAct: () => boolean;
  readonly clock: Clock;
  /** 0 to 1, for jitter. */
  readonly random: () => number;
  readonly log: Log;
  readonly events: Pick<EventRecorder, "emit">;
  readonly hooks?: ReleaseHooks | undefined;
}

export interface ReleaseLoop {
  /** Call it when facts, policy or leadership have changed. It is cheap. */
  poke(): void;
  /** Number of writes on their way. */
  readonly inFlight: number;
  /** Begins no more writes; resolves when the last one has ended. */
  stop(): Promise<void>;
}

/** Events within this time, in ms, make one plan. A watch delivers the parts of one change within about 1 ms. */
const COALESCE_MS = 2;

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

/** Makes the loop. It is idle until the first poke. */
export function createReleaseLoop(options: ReleaseLoopOptions): ReleaseLoop {
  return new Loop(options);
}

class Loop implements ReleaseLoop {
  readonly #options: ReleaseLoopOptions;
  readonly #inFlight = new Map<string, Work>();
  readonly #running = new Set<Promise<void>>();
  readonly #retries: Retries;
  #notes = new HoldNotes();
  #fenceNotes = new HoldNotes();
  #fenceNotesAtMs = -Infinity;
  /** Work of the last plan that has not begun; notes come last. */
  #queue: Work[] = [];
  #noteQueue: Work[] = [];
  #lastPlanTookMs = 0;
  #cancelPoke: (() => void) | undefined;
  #cancelWake: (() => void) | undefined;
  #stopped = false;

  constructor(options: ReleaseLoopOptions) {
    this.#options = options;
    this.#retries = new Retries(options.random);
  }

  get inFlight(): number {
    return this.#inFlight.size;
  }

  poke(): void {
    if (this.#stopped || this.#cancelPoke !== undefined) return;
    const tookMs = this.#lastPlanTookMs;
    const restMs = Math.max(tookMs, Math.min(tookMs * REST_PER_PLAN, LONGEST_REST_MS));
    this.#cancelPoke = this.#options.clock.setTimer(
      () => {
        this.#cancelPoke = undefined;
        this.#planAndApply();
      },
      Math.max(COALESCE_MS, restMs),
    );
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelPoke?.();
    this.#cancelWake?.();
    this.#drop();
    await Promise.all(this.#running);
  }

  #mayAct(): boolean {
    return !this.#stopped && this.#options.mayAct();
  }

  /** Facts are gathered already: decides, then applies. A plan that throws is a bug, but the loop must go on. */
  #planAndApply(): void {
    this.#cancelWake?.();
    const nowMs = this.#options.clock.now();
    if (!this.#mayAct()) {
      this.#drop();
      this.#notes = new HoldNotes(); // until this replica leads again, other replicas write notes
      this.#fenceNotes = new HoldNotes();
      if (!this.#stopped) this.#wakeAt(nowMs + RECHECK_MS, nowMs);
      return;
    }
    try {
      const plan = this.#options.pacer.plan(nowMs);
      this.#lastPlanTookMs = this.#options.clock.now() - nowMs;
      this.#options.hooks?.onPlan?.(plan, this.#lastPlanTookMs);
      this.#take(plan, nowMs);
      this.#tellKeptOut(nowMs);
    } catch (error) {
      this.#options.log.error({ err: error }, "planning failed");
      this.#wakeAt(nowMs + RECHECK_MS, nowMs);
    }
  }

  #take(plan: Plan, nowMs: number): void {
    const { notes, wakeAtMs: notesAtMs } = this.#notes.due(plan.held, nowMs);
    const works = startable(plan, this.#inFlight);
    this.#noteQueue.push(...this.#announced(notes));
    this.#retries.keepOnly(new Set([...works, ...this.#noteQueue, ...this.#inFlight.values()].map(({ key }) => key)));
    this.#queue = works.filter(({ key }) => !this.#retries.waits(key, nowMs));
    const times = [plan.wakeAtMs, notesAtMs, this.#retries.nextMs(nowMs)].filter((time) => time !== undefined);
    this.#wakeAt(Math.min(...times, nowMs + RECHECK_MS), nowMs);
    this.#pump();
  }

  /** Emits the Events of notes and returns the writes that remain. */
  #announced(notes: readonly Note[]): Work[] {
    for (const { held, announce } of notes) {
      if (announce) this.#emit(held.pod, "Held", "Hold", `${held.hold.reason}: ${held.hold.message}`);
    }
    return notes.filter(({ annotate }) => annotate).map(({ held }) => holdWork(held));
  }

  /** In an Event only: an annotation would make the scheduler try these pods again, and nothing would remove it. */
  #tellKeptOut(nowMs: number): void {
    if (nowMs < this.#fenceNotesAtMs + FENCE_NOTES_EVERY_MS) return;
    this.#fenceNotesAtMs = nowMs;
    this.#announced(this.#fenceNotes.due(this.#options.pacer.keptOut(nowMs), nowMs).notes);
  }

  #wakeAt(atMs: number, nowMs: number): void {
    this.#cancelWake?.();
    this.#cancelWake = this.#options.clock.setTimer(() => this.poke(), Math.max(atMs - nowMs, 0));
  }

  #drop(): void {
    this.#queue = [];
    this.#noteQueue = [];
  }

  /** Begins writes until enough are on their way; checks leadership before each. */
  #pump(): void {
    while (this.#inFlight.size < WRITES_IN_FLIGHT) {
      const work =
        this.#queue.shift() ?? (this.#notesInFlight() < NOTES_IN_FLIGHT ? this.#noteQueue.shift() : undefined);
      if (work === undefined) return;
      if (!this.#mayAct()) {
        this.#drop();
        return;
      }
      if (!this.#inFlight.has(work.key)) this.#begin(work);
    }
  }

  #notesInFlight(): number {
    let notes = 0;
    for (const { kind } of this.#inFlight.values()) if (kind === "hold") notes++;
    return notes;
  }

  #begin(work: Work): void {
    this.#inFlight.set(work.key, work);
    const running: Promise<void> = this.#write(work).finally(() => {
      this.#inFlight.delete(work.key);
      this.#running.delete(running);
      this.#pump();
      this.poke();
    });
    this.#running.add(running);
  }

  /** Never rejects. */
  async #write(work: Work): Promise<void> {
    const { clock, hooks, log } = this.#options;
    try {
      const kind = await this.#send(work);
      // Nothing to do, or another client is changing the object: the cache is behind, so do not try again at once.
      if (kind === "changed") this.#retries.succeeded(work.key);
      else this.#retries.failed(work.key, clock.now());
    } catch (error) {
      const askedMs = error instanceof ApiError ? (error.retryAfterSeconds ?? 0) * 1_000 : 0;
      this.#retries.failed(work.key, clock.now(), askedMs);
      hooks?.onWriteFailed?.(work.kind, error);
      log.warn({ err: error, kind: work.kind, object: work.key }, "a write failed; it will be tried again");
    }
  }

  #send(work: Work): Promise<Outcome<unknown>["kind"]> {
    switch (work.kind) {
      case "release":
        return this.#release(work.release);
      case "hold":
        return this.#annotate(work);
      case "fence":
        return this.#fence(work.action);
    }
  }

  async #release(release: Release): Promise<Outcome<PodFacts>["kind"]> {
    const { apply, clock, hooks, log } = this.#options;
    const { pod, node, reason, message } = release;
    const outcome = await apply.release(release, clock.now());
    this.#learnPod(pod, outcome);
    if (outcome.kind !== "changed") return outcome.kind;
    const heldMs = pod.gated ? clock.now() - heldSinceMs(pod) : undefined;
    hooks?.onReleased?.(release, heldMs);
    this.#emit(pod, "Released", "Release", `${reason}: ${message}`);
    log.info({ pod: `${pod.namespace}/${pod.name}`, node, reason, heldMs }, "released");
    return outcome.kind;
  }

  async #annotate({ held }: Extract<Work, { kind: "hold" }>): Promise<Outcome<PodFacts>["kind"]> {
    const { node, reason } = held.hold;
    const outcome = await this.#options.apply.annotateHold(held.pod, { node, reason, sinceMs: heldSinceMs(held.pod) });
    this.#learnPod(held.pod, outcome);
    return outcome.kind;
  }

  async #fence(action: FenceAction): Promise<Outcome<unknown>["kind"]> {
    const { apply, clock, hooks, log, pacer } = this.#options;
    const outcome = await apply.fence(action);
    if ("facts" in outcome) pacer.upsertNode(outcome.facts, clock.now());
    if (outcome.kind !== "changed") return outcome.kind;
    hooks?.onFence?.(action);
    log.info(
      { node: action.node.name, ...(action.kind === "lift" ? { reason: action.reason } : {}) },
      `fence: ${action.kind}`,
    );
    return outcome.kind;
  }

  /** Passes on the answer of a write: it is newer than the cache, so the next plan counts the slot at once. */
  #learnPod(pod: PodFacts, outcome: Outcome<PodFacts>): void {
    const nowMs = this.#options.clock.now();
    if ("facts" in outcome) this.#options.pacer.upsertPod(outcome.facts, nowMs);
    else if (outcome.kind === "gone") this.#options.pacer.deletePod(pod.uid, nowMs);
  }

  #emit(pod: PodFacts, reason: string, action: string, note: string): void {
    const regarding = { apiVersion: "v1", kind: "Pod", namespace: pod.namespace, name: pod.name, uid: pod.uid };
    this.#options.events.emit({ regarding, type: "Normal", reason, action, note });
  }
}
