/** containerd's part of a pod start: the work that each CRI call needs from the node. */
import type { Assumptions } from "./constants.ts";
import { MIB, SECOND_MS, TASK_STATE_TIMEOUT_MS } from "./constants.ts";
import type { Flow, LaneName } from "./flow.ts";
import type { LaneTask } from "./lane.ts";
import type { Random } from "./random.ts";

/** How StartContainer ended. */
export type StartResult = "started" | "stateTimedOut" | "canceled";

export class Runtime {
  readonly #flow: Flow;
  readonly #assumptions: Assumptions;
  readonly #random: Random;
  readonly #timeoutMs: number;

  constructor(flow: Flow, assumptions: Assumptions, random: Random, timeoutMs: number) {
    this.#flow = flow;
    this.#assumptions = assumptions;
    this.#random = random;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * RunPodSandbox: namespaces, CNI and pause container, then small synchronous writes, each of which waits in the
   * queue.
   */
  runSandbox(done: () => void): void {
    const { sandboxCpuSeconds, sandboxJitter, sandboxSyncOps } = this.#assumptions;
    const factor = 1 + sandboxJitter * (2 * this.#random() - 1);
    this.#flow.add("work", sandboxCpuSeconds * factor * SECOND_MS, () => {
      this.#flow.add("sync", sandboxSyncOps, done);
    });
  }

  /** CreateContainer: snapshot and spec, then the unmount of the root file system, which flushes all dirty pages. */
  createContainer(done: () => void): void {
    const { createCpuSeconds, createWriteMib } = this.#assumptions;
    this.#flow.add("work", createCpuSeconds * SECOND_MS, () => {
      const bytes = createWriteMib * MIB;
      this.#flow.add("smallWrite", bytes, () => this.#flow.flush(bytes, done));
    });
  }

  /**
   * StartContainer: first reads the image's pages if they are not in memory, then runs shim and runc. Their program
   * pages must be read again if the page cache is full.
   */
  startContainer(coldRead: boolean, done: (result: StartResult) => void): void {
    const call = new StartCall(this.#flow, this.#assumptions, done);
    call.begin(coldRead, this.#timeoutMs);
  }
}

/** A StartContainer call with its two time-outs: that of the call itself, and that of the task's state. */
class StartCall {
  readonly #flow: Flow;
  readonly #assumptions: Assumptions;
  readonly #done: (result: StartResult) => void;
  #task: { readonly lane: LaneName; readonly task: LaneTask } | undefined;
  readonly #timers: LaneTask[] = [];

  constructor(flow: Flow, assumptions: Assumptions, done: (result: StartResult) => void) {
    this.#flow = flow;
    this.#assumptions = assumptions;
    this.#done = done;
  }

  begin(coldRead: boolean, timeoutMs: number): void {
    this.#timers.push(this.#flow.after(timeoutMs, () => this.#end("canceled")));
    const readBytes = coldRead ? this.#assumptions.coldReadMib * MIB : 0;
    if (readBytes > 0) this.#run("read", readBytes, () => this.#shim());
    else this.#shim();
  }

  #shim(): void {
    this.#run("work", this.#assumptions.startCpuSeconds * SECOND_MS, () => {
      this.#timers.push(this.#flow.after(TASK_STATE_TIMEOUT_MS, () => this.#end("stateTimedOut")));
      this.#run("fault", this.#assumptions.shimIoMib * MIB, () => this.#end("started"));
    });
  }

  #run(lane: LaneName, amount: number, next: () => void): void {
    this.#task = { lane, task: this.#flow.add(lane, amount, next) };
  }

  #end(result: StartResult): void {
    for (const timer of this.#timers) this.#flow.cancelTimer(timer);
    if (this.#task !== undefined) this.#flow.cancel(this.#task.lane, this.#task.task);
    this.#done(result);
  }
}
