/**
 * The leader's loop, the only one that assigns slots. The reflectors gather facts for the pacer as they come, the pacer
 * plans, the dispatcher says which writes begin when, and this loop makes them. What it does not manage is in the next
 * plan again. It has no state that a restart could lose.
 */
import { ApiError, isRefusal, mayBeDone } from "../kube/client/api-error.ts";
import { backoffMs } from "../kube/client/backoff.ts";
import { pause, type Clock } from "../kube/clock.ts";
import type { EventRecorder } from "../kube/write/events.ts";
import type { Log } from "../kube/log.ts";
import type { PodFacts } from "../core/facts.ts";
import type { Pacer } from "../core/pacer.ts";
import { heldForMs, heldSinceMs } from "../core/state/held-since.ts";
import type { FenceAction, Held, Plan, Release } from "../core/verdict.ts";
import type { Apply, Outcome } from "./apply.ts";
import { Dispatcher, type WriteEnd } from "./dispatcher.ts";
import type { Work } from "./work.ts";

/** A read after a write without an answer is tried again after 100 ms, doubled up to 1 s: its slot waits. In ms. */
const LOOK_AGAIN = { firstMs: 100, longestMs: 1_000 };

/** For metrics and logs. Called synchronously; must not throw. */
export interface ReleaseHooks {
  onPlan?(plan: Plan, durationMs: number): void;
  /** `heldMs`: how long the pod had been held, by gate or fence; undefined where that is not known. */
  onReleased?(release: Release, heldMs: number | undefined): void;
  onFence?(action: FenceAction): void;
  onWriteFailed?(kind: Work["kind"], error: unknown): void;
}

export interface ReleaseLoopOptions {
  readonly pacer: Pick<Pacer, "plan" | "keptOut" | "upsertPod" | "deletePod" | "upsertNode">;
  readonly apply: Apply;
  /** True if this replica leads and has seen the whole cluster. Asked before every plan and every write. */
  readonly mayAct: () => boolean;
  /** The API server's time, for comparison with its timestamps. */
  readonly clock: Clock;
  /** A clock that never jumps, for rests and retries: a wall clock that is set back would make them last. */
  readonly steady: Clock;
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

/** Makes the loop. It is idle until the first poke. */
export function createReleaseLoop(options: ReleaseLoopOptions): ReleaseLoop {
  return new Loop(options);
}

class Loop implements ReleaseLoop {
  readonly #options: ReleaseLoopOptions;
  readonly #dispatcher: Dispatcher;
  readonly #running = new Set<Promise<void>>();
  /** The timer for the next look, and the time for which it is set. */
  #timer: { readonly atMs: number; readonly cancel: () => void } | undefined;
  readonly #stopping = new AbortController();

  constructor(options: ReleaseLoopOptions) {
    this.#options = options;
    this.#dispatcher = new Dispatcher(options.random);
  }

  get inFlight(): number {
    return this.#dispatcher.inFlight;
  }

  poke(): void {
    this.#dispatcher.poke(this.#steadyMs());
    this.#setTimer();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#timer?.cancel();
    this.#dispatcher.drop();
    await Promise.all(this.#running);
  }

  #mayAct(): boolean {
    return !this.#stopping.signal.aborted && this.#options.mayAct();
  }

  #steadyMs(): number {
    return this.#options.steady.now();
  }

  /** One timer, for the dispatcher's next look. */
  #setTimer(): void {
    const atMs = this.#dispatcher.lookAtMs;
    if (this.#stopping.signal.aborted || atMs === this.#timer?.atMs) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    if (atMs === Infinity) return;
    const cancel = this.#options.steady.setTimer(() => this.#look(), Math.max(atMs - this.#steadyMs(), 0));
    this.#timer = { atMs, cancel };
  }

  #look(): void {
    this.#timer = undefined;
    if (this.#dispatcher.look(this.#steadyMs())) this.#planAndApply();
    this.#setTimer();
  }

  /** Facts are gathered already: decides, then applies. A plan that throws is a bug, but the loop must go on. */
  #planAndApply(): void {
    if (!this.#mayAct()) {
      this.#dispatcher.standDown(this.#steadyMs());
      return;
    }
    try {
      this.#plan();
    } catch (error) {
      this.#options.log.error({ err: error }, "planning failed");
      this.#dispatcher.planFailed(this.#steadyMs());
    }
    this.#beginWrites();
  }

  #plan(): void {
    const { pacer, clock, hooks } = this.#options;
    const [wallMs, begunMs] = [clock.now(), this.#steadyMs()];
    const aside = this.#dispatcher.setAside(begunMs);
    const plan = pacer.plan(wallMs, aside);
    const steadyMs = this.#steadyMs();
    hooks?.onPlan?.(plan, steadyMs - begunMs);
    this.#announce(this.#dispatcher.planned(plan, { wallMs, steadyMs }, steadyMs - begunMs));
    if (this.#dispatcher.wantsKeptOut(steadyMs)) {
      this.#announce(this.#dispatcher.keptOut(pacer.keptOut(wallMs, aside), wallMs));
    }
  }

  /** Begins the writes that may begin now; checks leadership before each. */
  #beginWrites(): void {
    while (this.#mayAct()) {
      const work = this.#dispatcher.next();
      if (work === undefined) return;
      this.#begin(work);
    }
    this.#dispatcher.drop();
  }

  #begin(work: Work): void {
    const running: Promise<void> = this.#write(work).then((end) => {
      this.#running.delete(running);
      this.#dispatcher.ended(work, end, this.#steadyMs());
      this.#beginWrites();
      this.#setTimer();
    });
    this.#running.add(running);
  }

  /** Never rejects. */
  async #write(work: Work): Promise<WriteEnd> {
    const { hooks, log } = this.#options;
    try {
      return { kind: await this.#send(work) };
    } catch (error) {
      hooks?.onWriteFailed?.(work.kind, error);
      log.warn({ err: error, kind: work.kind, object: work.key }, "a write failed; it will be tried again");
      if (work.kind === "release" && mayBeDone(error)) await this.#lookUntilKnown(work.release.pod);
      return {
        kind: "failed",
        retryAfterMs: retryAfterMs(error),
        why: error instanceof Error ? error.message : String(error),
        mayPass: !isRefusal(error),
      };
    }
  }

  /**
   * The pod may have been released though the write failed. So the write counts as on its way until a read has told:
   * otherwise its slot would look free as long as the watch is late, and would go to another pod (promise 6).
   */
  async #lookUntilKnown(pod: PodFacts): Promise<void> {
    const { apply, log, random, steady } = this.#options;
    for (let failures = 1; this.#mayAct(); failures++) {
      try {
        this.#learnPod(pod, await apply.look(pod));
        return;
      } catch (error) {
        log.debug({ err: error, pod: `${pod.namespace}/${pod.name}` }, "a pod could not be read after a write");
        const waitMs = Math.max(backoffMs(failures, LOOK_AGAIN, random), retryAfterMs(error));
        await pause(steady, waitMs, this.#stopping.signal);
      }
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
    const outcome = await apply.release(release, clock);
    this.#learnPod(pod, outcome);
    if (outcome.kind !== "changed") return outcome.kind;
    const heldMs = pod.gated ? heldForMs(pod, clock.now()) : release.note?.heldMs;
    hooks?.onReleased?.(release, heldMs);
    this.#emit(pod, "Released", "Release", `${reason}: ${message}`);
    log.info({ pod: `${pod.namespace}/${pod.name}`, node, reason, heldMs }, "released");
    return outcome.kind;
  }

  async #annotate({ held }: Extract<Work, { kind: "hold" }>): Promise<Outcome<PodFacts>["kind"]> {
    const { node, reason } = held.hold;
    const { pod } = held;
    const note = {
      node,
      reason,
      sinceMs: heldSinceMs(pod),
      ...(pod.freedMs !== undefined && { freed: true as const }),
    };
    const outcome = await this.#options.apply.annotateHold(pod, note);
    this.#learnPod(pod, outcome);
    return outcome.kind;
  }

  async #fence(action: FenceAction): Promise<Outcome<unknown>["kind"]> {
    const { apply, clock, hooks, log, pacer } = this.#options;
    const outcome = await apply.fence(action, clock.now());
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

  #announce(pods: readonly Held[]): void {
    for (const { pod, hold } of pods) this.#emit(pod, "Held", "Hold", `${hold.reason}: ${hold.message}`);
  }

  #emit(pod: PodFacts, reason: string, action: string, note: string): void {
    const regarding = { apiVersion: "v1", kind: "Pod", namespace: pod.namespace, name: pod.name, uid: pod.uid };
    this.#options.events.emit({ regarding, type: "Normal", reason, action, note });
  }
}

/** How long the API server has asked to wait, in ms; 0 if it has not. */
const retryAfterMs = (error: unknown): number =>
  error instanceof ApiError ? (error.retryAfterSeconds ?? 0) * 1_000 : 0;
