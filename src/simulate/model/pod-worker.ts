/**
 * The kubelet's worker of one pod. A sync makes the sandbox, then starts the containers one after another. A container
 * that fails does not stop the next one. A sync with a failure is repeated.
 */
import {
  PLEG_RELIST_MS,
  SECOND_MS,
  SANDBOX_TIMEOUT_FACTOR,
  SYNC_FREQUENCY_MS,
  SYNC_RETRY_JITTER,
  SYNC_RETRY_MS,
} from "./constants.ts";
import { ContainerRun } from "./container-run.ts";
import type { StartPlace } from "./container-start.ts";
import { ContainerStart } from "./container-start.ts";
import { criCall } from "./cri-call.ts";
import type { LaneTask } from "./lane.ts";
import { DEADLINE_EXCEEDED, MISSING_SECRET, sandboxReserved } from "./messages.ts";
import type { PodVoiceOptions } from "./pod-voice.ts";
import { PodVoice } from "./pod-voice.ts";
import type { Random } from "./random.ts";
import type { ModelPod, PodView } from "./types.ts";

/** The parts of its node that a worker uses. */
export interface PodWorkerPlace extends StartPlace, PodVoiceOptions {
  readonly random: Random;
  /** The pod no longer changes until it is removed, so it needs no worker. */
  idle(uid: string): void;
}

export class PodWorker {
  readonly pod: ModelPod;
  readonly #place: PodWorkerPlace;
  readonly #voice: PodVoice;
  readonly #init: readonly ContainerRun[];
  readonly #containers: readonly ContainerRun[];
  readonly #initStarts: readonly ContainerStart[];
  readonly #starts: readonly ContainerStart[];
  #mounted: boolean;
  /** `late`: RunPodSandbox timed out, but the runtime still works on it. */
  #sandbox: "none" | "late" | "ready" = "none";
  #sandboxId = "";
  #removed = false;
  #syncing = false;
  #pending = false;
  /** The delay until the next sync, in ms; undefined: nothing failed. */
  #retryMs: number | undefined;
  #nextSync: LaneTask | undefined;

  constructor(pod: ModelPod, place: PodWorkerPlace) {
    this.pod = pod;
    this.#place = place;
    this.#voice = new PodVoice(pod, place);
    const init = pod.initContainers ?? [];
    const waitingReason = init.length > 0 ? "PodInitializing" : "ContainerCreating";
    this.#init = init.map((spec) => new ContainerRun(spec, waitingReason));
    this.#containers = pod.containers.map((spec) => new ContainerRun(spec, waitingReason));
    this.#mounted = pod.missingSecret !== true && (pod.attachSeconds ?? 0) === 0;
    const sync = {
      isRemoved: () => this.#removed,
      retry: (ms: number) => this.#retry(ms),
      changed: () => this.#report(),
      exited: () => this.#noticeExit(),
      completed: () => this.#sync(),
    };
    const start = (run: ContainerRun) => new ContainerStart(pod, run, place, this.#voice, sync);
    this.#initStarts = this.#init.map(start);
    this.#starts = this.#containers.map(start);
  }

  /** Begins the pod's start. */
  begin(): void {
    this.#report();
    if (this.#mounted) this.#sync();
    else this.#mount();
  }

  /** The pod is gone: stops its containers and gives up its pull. Running CRI calls end without effect. */
  remove(): void {
    this.#removed = true;
    if (this.#nextSync !== undefined) this.#place.flow.cancelTimer(this.#nextSync);
    for (const start of [...this.#initStarts, ...this.#starts]) start.remove();
  }

  view(): PodView {
    const containers = this.#containers.map((container) => container.view());
    const ran = containers.some((view) => view.state.kind === "running" || view.lastTerminated !== undefined);
    return {
      phase: ran ? "Running" : "Pending",
      sandboxReady: this.#sandbox === "ready",
      ready: containers.every((view) => view.ready),
      started: containers.every((view) => view.started),
      initialized: this.#init.every(({ completed }) => completed !== undefined),
      initContainers: this.#init.map((container) => container.view()),
      containers,
    };
  }

  /** The kubelet makes no sandbox before all volumes are mounted. A missing Secret never is. */
  #mount(): void {
    const { missingSecret, attachSeconds = 0 } = this.pod;
    if (missingSecret === true) {
      this.#voice.warn("FailedMount", MISSING_SECRET);
      return;
    }
    this.#nextSync = this.#place.flow.after(attachSeconds * SECOND_MS, () => {
      this.#nextSync = undefined;
      this.#mounted = true;
      this.#sync();
    });
  }

  #sync(): void {
    if (this.#removed || !this.#mounted) return;
    if (this.#syncing) {
      this.#pending = true;
      return;
    }
    this.#cancelNextSync();
    this.#syncing = true;
    this.#pending = false;
    this.#retryMs = undefined;
    if (this.#sandbox === "ready") this.#startContainers();
    else this.#makeSandbox();
  }

  #endSync(): void {
    this.#syncing = false;
    if (this.#pending) this.#sync();
    else if (this.#retryMs !== undefined) this.#syncAfter(this.#retryMs);
  }

  #syncAfter(ms: number): void {
    this.#cancelNextSync();
    this.#nextSync = this.#place.flow.after(ms * (1 + SYNC_RETRY_JITTER * this.#place.random()), () => {
      this.#nextSync = undefined;
      this.#sync();
    });
  }

  #cancelNextSync(): void {
    if (this.#nextSync !== undefined) this.#place.flow.cancelTimer(this.#nextSync);
    this.#nextSync = undefined;
  }

  #retry(ms: number): void {
    this.#retryMs = Math.min(this.#retryMs ?? SYNC_FREQUENCY_MS, Math.max(0, ms), SYNC_FREQUENCY_MS);
  }

  #makeSandbox(): void {
    if (this.#sandbox === "late") {
      this.#sandboxFailed(sandboxReserved(this.pod, this.#sandboxId));
      return;
    }
    const { flow, timeoutMs, runtime } = this.#place;
    this.#sandboxId = this.#place.newId();
    criCall(flow, SANDBOX_TIMEOUT_FACTOR * timeoutMs, (done) => runtime.runSandbox(done), {
      done: () => this.#sandboxMade(),
      timedOut: () => this.#sandboxTimedOut(),
      late: () => {
        this.#sandbox = "none";
      },
    });
  }

  #sandboxMade(): void {
    if (this.#removed) return;
    this.#sandbox = "ready";
    this.#report();
    this.#startContainers();
  }

  #sandboxTimedOut(): void {
    if (this.#removed) return;
    this.#sandbox = "late";
    this.#voice.fail("SandboxTimeout");
    this.#sandboxFailed(`rpc error: code = DeadlineExceeded desc = ${DEADLINE_EXCEEDED}`);
  }

  #sandboxFailed(why: string): void {
    this.#voice.warn("FailedCreatePodSandBox", `Failed to create pod sandbox: ${why}`);
    this.#retry(SYNC_RETRY_MS);
    this.#endSync();
  }

  /** The first init container that has not ended, or all containers. */
  #startContainers(): void {
    const next = this.#init.findIndex(({ completed }) => completed === undefined);
    const start = this.#initStarts[next];
    if (start === undefined) this.#container(0);
    else start.begin(() => this.#endSync());
  }

  /** Takes the container at `index` as far as it can go, then the next one. */
  #container(index: number): void {
    const start = this.#starts[index];
    if (start === undefined) this.#endSync();
    else start.begin(() => this.#container(index + 1));
  }

  /** The kubelet notices the end of a container at its next relist, and then syncs the pod at once. */
  #noticeExit(): void {
    this.#place.flow.after(PLEG_RELIST_MS, () => this.#sync());
  }

  #report(): void {
    const view = this.view();
    this.#voice.status(view);
    if (view.ready && this.#isIdle) this.#place.idle(this.pod.uid);
  }

  /** True if nothing is under way and no container will crash by itself. */
  get #isIdle(): boolean {
    return !this.#syncing && this.#nextSync === undefined && this.pod.crashAfterSeconds === undefined;
  }
}
