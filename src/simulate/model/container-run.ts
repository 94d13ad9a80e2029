/** One container of a pod, over all its attempts. */
import { BackOff } from "./back-off.ts";
import type { Dependencies } from "./dependencies.ts";
import { KILLED_EXIT_CODE, SECOND_MS } from "./constants.ts";
import type { Flow } from "./flow.ts";
import type { LaneTask } from "./lane.ts";
import type { ContainerStateView, ContainerView, ModelContainer, ModelPod, TerminatedView } from "./types.ts";

/** How a running container ended. */
export interface Exit {
  readonly reason: string;
  readonly exitCode: number;
  readonly message?: string | undefined;
  readonly cause: "Crash" | "ProbeFailure" | "Completed";
}

export class ContainerRun {
  readonly spec: ModelContainer;
  readonly restartBackOff = new BackOff();
  readonly pullBackOff = new BackOff();
  /** Why the last pull failed, for the back-off's message. */
  pullError = "";
  /** `none`: no container yet. `created`: made by a call that the kubelet no longer waited for. */
  phase: "none" | "created" | "running" | "exited" = "none";
  /** Restarts as the kubelet counts them: the attempts that the runtime knows, minus one. */
  restartCount = 0;
  /** The name that a late CreateContainer still reserves. */
  reserved: string | undefined;
  started = false;
  ready = false;
  id = "";
  waiting: { readonly reason: string; readonly message?: string | undefined };
  lastTerminated: TerminatedView | undefined;
  /** How an init container ended, once the kubelet has seen it. */
  completed: TerminatedView | undefined;
  startedAtMs = 0;
  /** True once the kubelet has seen it run. */
  noticed = false;
  #work: LaneTask | undefined;
  #timers: LaneTask[] = [];

  /** @param waitingReason what the kubelet writes before it has anything to say. */
  constructor(spec: ModelContainer, waitingReason = "ContainerCreating") {
    this.spec = spec;
    this.waiting = { reason: waitingReason };
  }

  /** Counts the attempt that begins now. The runtime knows an earlier one, unless this is the first. */
  beginAttempt(): void {
    if (this.phase === "created" || this.phase === "exited") this.restartCount += 1;
    this.phase = "none";
  }

  /** Starts the process's own start work. Calls back when something changes, and when the process ends. */
  run(flow: Flow, pod: ModelPod, changed: () => void, ended: (exit: Exit) => void): void {
    this.phase = "running";
    this.started = pod.startupDeadlineSeconds === undefined && pod.startupProbeSeconds === undefined;
    const workMs = (pod.startCpuSeconds ?? 0) * SECOND_MS;
    const up = () => this.#workDone(flow, pod, changed);
    if (workMs > 0) this.#work = flow.add("work", workMs, up);
    else up();
    this.#watch(flow, pod.startupDeadlineSeconds, ended, () => !this.started, killedByProbe);
    this.#watch(flow, pod.crashAfterSeconds, ended, () => true, crashed);
  }

  /** Starts an init container's process, which calls back when it is done. Without a probe it is started at once. */
  runInit(flow: Flow, dependencies: Dependencies, ended: (exit: Exit) => void): void {
    const { runSeconds = 0, waitsFor } = this.spec.init ?? {};
    const { id } = this;
    this.phase = "running";
    this.started = true;
    const done = () => {
      if (this.phase === "running" && this.id === id) ended(completed);
    };
    const wait = () => (waitsFor === undefined ? done() : dependencies.whenReady(waitsFor, done));
    this.#later(flow, runSeconds * SECOND_MS, wait);
  }

  /** Records that the process ended by itself or was killed. */
  end(exit: Exit, flow: Flow): void {
    this.lastTerminated = this.#ending(exit, flow);
    this.phase = "exited";
    this.halt(flow);
  }

  /** Records that the kubelet has seen the end of an init container. */
  complete(flow: Flow, finishedAtMs: number): void {
    this.completed = { ...this.#ending(completed, flow), finishedAtMs };
    this.phase = "exited";
    this.halt(flow);
  }

  /** Stops everything that the process still does. */
  halt(flow: Flow): void {
    if (this.#work !== undefined) flow.cancel("work", this.#work);
    for (const timer of this.#timers) flow.cancelTimer(timer);
    this.#work = undefined;
    this.#timers = [];
    this.started = false;
    this.ready = false;
    this.noticed = false;
  }

  view(): ContainerView {
    const seen = this.phase === "running" && this.noticed;
    const state: ContainerStateView =
      this.completed ??
      (seen ? { kind: "running", startedAtMs: this.startedAtMs } : { kind: "waiting", ...this.waiting });
    return {
      name: this.spec.name,
      image: this.spec.image,
      state,
      lastTerminated: this.lastTerminated,
      started: seen && this.started,
      ready: this.completed !== undefined || (seen && this.ready),
      restartCount: this.restartCount,
      containerId: this.id,
    };
  }

  #ending({ reason, exitCode, message }: Exit, flow: Flow): TerminatedView {
    const { startedAtMs, id: containerId } = this;
    return { kind: "terminated", reason, exitCode, message, startedAtMs, finishedAtMs: flow.nowMs, containerId };
  }

  #workDone(flow: Flow, pod: ModelPod, changed: () => void): void {
    const probeMs = (pod.startupProbeSeconds ?? 0) * SECOND_MS;
    if (probeMs === 0) this.#hasStarted(flow, pod, changed);
    else this.#later(flow, probeMs, () => this.#hasStarted(flow, pod, changed));
  }

  #hasStarted(flow: Flow, pod: ModelPod, changed: () => void): void {
    this.started = true;
    const readyMs = (pod.readySeconds ?? 0) * SECOND_MS;
    if (readyMs === 0) {
      this.ready = true;
      changed();
      return;
    }
    changed();
    this.#later(flow, readyMs, () => {
      this.ready = true;
      changed();
    });
  }

  #watch(flow: Flow, seconds: number | undefined, ended: (exit: Exit) => void, due: () => boolean, exit: Exit): void {
    if (seconds === undefined) return;
    this.#later(flow, seconds * SECOND_MS, () => {
      if (due()) ended(exit);
    });
  }

  #later(flow: Flow, ms: number, then: () => void): void {
    this.#timers.push(flow.after(ms, then));
  }
}

const killedByProbe: Exit = { reason: "Error", exitCode: KILLED_EXIT_CODE, cause: "ProbeFailure" };
const crashed: Exit = { reason: "Error", exitCode: 1, cause: "Crash" };
/** An init container that ended well. */
const completed: Exit = { reason: "Completed", exitCode: 0, cause: "Completed" };
