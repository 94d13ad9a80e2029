/** The output of a pod's worker: Events, failures, status. */
import type { Flow } from "./flow.ts";
import type { Fingerprint, ModelPod, NodeEvent, PodView } from "./types.ts";

export interface PodVoiceOptions {
  readonly flow: Flow;
  readonly normalEvents: boolean;
  emit(event: NodeEvent): void;
}

export class PodVoice {
  readonly #pod: ModelPod;
  readonly #options: PodVoiceOptions;

  constructor(pod: ModelPod, options: PodVoiceOptions) {
    this.#pod = pod;
    this.#options = options;
  }

  /** True if Normal Events are emitted. Making their messages takes time. */
  get saysNormal(): boolean {
    return this.#options.normalEvents;
  }

  /** Emits a Normal Event. */
  note(reason: string, message: string, container?: string): void {
    if (this.saysNormal) this.#event("Normal", reason, message, container);
  }

  /** Emits a Warning. */
  warn(reason: string, message: string, container?: string): void {
    this.#event("Warning", reason, message, container);
  }

  /** Emits a failed start or a death, once each. */
  fail(fingerprint: Fingerprint): void {
    this.#options.emit({ kind: "failure", atMs: this.#options.flow.nowMs, uid: this.#pod.uid, fingerprint });
  }

  status(status: PodView): void {
    this.#options.emit({ kind: "status", atMs: this.#options.flow.nowMs, uid: this.#pod.uid, status });
  }

  #event(type: "Normal" | "Warning", reason: string, message: string, container: string | undefined): void {
    const { flow } = this.#options;
    this.#options.emit({ kind: "event", atMs: flow.nowMs, uid: this.#pod.uid, type, reason, message, container });
  }
}
