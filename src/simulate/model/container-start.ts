/**
 * How the kubelet starts one container of a pod (back-off, pull, create, start), and what it does when the container
 * ends.
 */
import { PLEG_RELIST_MS, SYNC_RETRY_MS, START_ERROR_EXIT_CODE } from "./constants.ts";
import type { Dependencies } from "./dependencies.ts";
import type { ContainerRun, Exit } from "./container-run.ts";
import { criCall } from "./cri-call.ts";
import type { Flow } from "./flow.ts";
import type { ImagePuller } from "./image-puller.ts";
import type { ImageStore } from "./image-store.ts";
import {
  CREATE_CANCELED,
  DEADLINE_EXCEEDED,
  goDuration,
  nameReserved,
  podLabel,
  reservedName,
  STATE_TIMED_OUT,
} from "./messages.ts";
import type { PodVoice } from "./pod-voice.ts";
import type { Runtime, StartResult } from "./runtime.ts";
import type { ModelPod } from "./types.ts";

/** The parts of its node that a start uses. */
export interface StartPlace {
  readonly flow: Flow;
  readonly store: ImageStore;
  readonly puller: ImagePuller;
  readonly runtime: Runtime;
  readonly dependencies: Dependencies;
  readonly timeoutMs: number;
  readonly noticeMs: number;
  /** A container id as in containerd: 64 hexadecimal digits. */
  newId(): string;
}

/** The calls from a start to its pod's worker. */
export interface StartSync {
  /** True once the pod is gone; then the start stops. */
  isRemoved(): boolean;
  /** Something failed: sync again after this many ms. */
  retry(ms: number): void;
  /** The status changed. */
  changed(): void;
  /** A container ended. */
  exited(): void;
  /** The kubelet has seen that an init container ended well. */
  completed(): void;
}

export class ContainerStart {
  readonly #pod: ModelPod;
  readonly #container: ContainerRun;
  readonly #place: StartPlace;
  readonly #voice: PodVoice;
  readonly #sync: StartSync;
  #giveUpPull: (() => void) | undefined;

  constructor(pod: ModelPod, container: ContainerRun, place: StartPlace, voice: PodVoice, sync: StartSync) {
    this.#pod = pod;
    this.#container = container;
    this.#place = place;
    this.#voice = voice;
    this.#sync = sync;
  }

  /** Takes the container as far as it can go now. Then calls `next`, whether the container runs or not. */
  begin(next: () => void): void {
    if (this.#container.phase === "running" || this.#isBackedOff()) next();
    else this.#ensureImage(next);
  }

  /** The pod is gone: stops the process and gives up its pull. */
  remove(): void {
    this.#container.halt(this.#place.flow);
    this.#giveUpPull?.();
  }

  /** True if the container died recently and must wait. Otherwise counts the restart. */
  #isBackedOff(): boolean {
    const { lastTerminated, restartBackOff, phase } = this.#container;
    if (phase !== "exited" || lastTerminated === undefined) return false;
    const nowMs = this.#place.flow.nowMs;
    const finishedMs = lastTerminated.finishedAtMs;
    if (!restartBackOff.holdsSince(finishedMs, nowMs)) {
      restartBackOff.next(finishedMs);
      return false;
    }
    this.#crashLooping();
    this.#sync.retry(finishedMs + restartBackOff.delayMs - nowMs);
    return true;
  }

  #crashLooping(): void {
    const { spec, restartBackOff } = this.#container;
    const label = podLabel(this.#pod);
    const delay = goDuration(restartBackOff.delayMs);
    this.#voice.warn("BackOff", `Back-off restarting failed container ${spec.name} in pod ${label}`, spec.name);
    this.#wait("CrashLoopBackOff", `back-off ${delay} restarting failed container=${spec.name} pod=${label}`);
  }

  #ensureImage(next: () => void): void {
    const { image, pullAlways, name } = this.#container.spec;
    if (pullAlways !== true && this.#place.store.has(image)) {
      const message = `Container image "${image}" already present on machine and can be accessed by the pod`;
      this.#voice.note("Pulled", message, name);
      this.#create(next);
    } else if (this.#container.pullBackOff.holdsSinceUpdate(this.#place.flow.nowMs)) {
      this.#voice.note("BackOff", `Back-off pulling image "${image}"`, name);
      this.#voice.warn("Failed", "Error: ImagePullBackOff", name);
      const why = `Back-off pulling image "${image}": ErrImagePull: ${this.#container.pullError}`;
      this.#failed("ImagePullBackOff", why, next);
    } else this.#pull(next);
  }

  #pull(next: () => void): void {
    const { image, name } = this.#container.spec;
    const askedMs = this.#place.flow.nowMs;
    this.#voice.note("Pulling", `Pulling image "${image}"`, name);
    const call = { answered: false };
    const giveUp = this.#place.puller.request(image, (result) => {
      call.answered = true;
      this.#giveUpPull = undefined;
      if (result.ok) this.#pulled(askedMs, result.startedMs, next);
      else this.#pullFailed(result.error, next);
    });
    // Without a token the answer comes at once. Then there is no pull to give up.
    if (!call.answered) this.#giveUpPull = giveUp;
  }

  #pulled(askedMs: number, startedMs: number, next: () => void): void {
    if (this.#voice.saysNormal) {
      const { image, name } = this.#container.spec;
      const nowMs = this.#place.flow.nowMs;
      const spans = `in ${goDuration(nowMs - startedMs)} (${goDuration(nowMs - askedMs)} including waiting)`;
      const bytes = Math.round(this.#place.store.size(image).compressedBytes);
      this.#voice.note("Pulled", `Successfully pulled image "${image}" ${spans}. Image size: ${bytes} bytes.`, name);
    }
    this.#create(next);
  }

  #pullFailed(error: string, next: () => void): void {
    const { image, name } = this.#container.spec;
    this.#container.pullError = error;
    this.#container.pullBackOff.next(this.#place.flow.nowMs);
    this.#voice.fail("PullQpsExceeded");
    this.#voice.warn("Failed", `Failed to pull image "${image}": ${error}`, name);
    this.#voice.warn("Failed", "Error: ErrImagePull", name);
    this.#failed("ErrImagePull", error, next);
  }

  #create(next: () => void): void {
    const container = this.#container;
    if (container.reserved !== undefined) {
      this.#voice.fail("NameReserved");
      this.#createFailed(nameReserved(container.reserved, container.id), next);
      return;
    }
    container.beginAttempt();
    container.id = this.#place.newId();
    const { flow, timeoutMs, runtime } = this.#place;
    const unlessRemoved = (then: () => void) => () => {
      if (!this.#sync.isRemoved()) then();
    };
    criCall(flow, timeoutMs, (done) => runtime.createContainer(done), {
      done: unlessRemoved(() => this.#created(next)),
      timedOut: unlessRemoved(() => this.#createTimedOut(next)),
      late: () => {
        container.reserved = undefined;
        container.phase = "created";
      },
    });
  }

  #created(next: () => void): void {
    this.#voice.note("Created", "Container created", this.#container.spec.name);
    this.#start(next);
  }

  #createTimedOut(next: () => void): void {
    const { spec, restartCount } = this.#container;
    this.#container.reserved = reservedName(this.#pod, spec.name, restartCount);
    this.#voice.fail("CreateTimeout");
    this.#createFailed(DEADLINE_EXCEEDED, next);
  }

  #createFailed(message: string, next: () => void): void {
    this.#voice.warn("Failed", `Error: ${message}`, this.#container.spec.name);
    this.#failed("CreateContainerError", message, next);
  }

  #start(next: () => void): void {
    const cold = this.#place.store.takeColdRead(this.#container.spec.image);
    this.#place.runtime.startContainer(cold, (result) => {
      if (this.#sync.isRemoved()) return;
      if (result === "started") this.#running();
      else this.#startFailed(result);
      next();
    });
  }

  #startFailed(result: Exclude<StartResult, "started">): void {
    const container = this.#container;
    const why = result === "stateTimedOut" ? STATE_TIMED_OUT : CREATE_CANCELED;
    const said = result === "stateTimedOut" ? STATE_TIMED_OUT : DEADLINE_EXCEEDED;
    this.#voice.fail("StartError");
    container.phase = "exited";
    container.lastTerminated = {
      kind: "terminated",
      reason: "StartError",
      exitCode: START_ERROR_EXIT_CODE,
      message: why,
      startedAtMs: 0,
      finishedAtMs: this.#place.flow.nowMs,
      containerId: container.id,
    };
    this.#voice.warn("Failed", `Error: ${said}`, container.spec.name);
    this.#failed("RunContainerError", said, () => undefined);
    this.#sync.exited();
  }

  #running(): void {
    const { flow, noticeMs, dependencies } = this.#place;
    const container = this.#container;
    this.#voice.note("Started", "Container started", container.spec.name);
    container.startedAtMs = flow.nowMs;
    const id = container.id;
    const changed = () => {
      if (container.noticed) this.#sync.changed();
    };
    const ended = (exit: Exit) => this.#ended(exit);
    if (container.spec.init !== undefined) container.runInit(flow, dependencies, ended);
    else container.run(flow, this.#pod, changed, ended);
    flow.after(noticeMs, () => {
      if (this.#sync.isRemoved() || container.id !== id || container.phase !== "running") return;
      container.noticed = true;
      this.#sync.changed();
    });
  }

  #ended(exit: Exit): void {
    const container = this.#container;
    const { name } = container.spec;
    if (exit.cause === "Completed") {
      this.#completed();
      return;
    }
    if (exit.cause === "ProbeFailure") {
      this.#voice.warn("Unhealthy", "Startup probe failed: the container was not up in time", name);
      this.#voice.note("Killing", `Container ${name} failed startup probe, will be restarted`, name);
    }
    this.#voice.fail(exit.cause);
    container.end(exit, this.#place.flow);
    this.#wait("CrashLoopBackOff");
    this.#sync.exited();
  }

  /** The kubelet sees the end of an init container at its next relist; until then its status says that it runs. */
  #completed(): void {
    const { flow } = this.#place;
    const finishedMs = flow.nowMs;
    flow.after(PLEG_RELIST_MS, () => {
      if (this.#sync.isRemoved()) return;
      this.#container.complete(flow, finishedMs);
      this.#sync.changed();
      this.#sync.completed();
    });
  }

  #failed(reason: string, message: string, next: () => void): void {
    this.#sync.retry(SYNC_RETRY_MS);
    this.#wait(reason, message);
    next();
  }

  #wait(reason: string, message?: string): void {
    this.#container.waiting = { reason, message };
    this.#sync.changed();
  }
}
