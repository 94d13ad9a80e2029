/**
 * Whether the API server asks the webhook about new pods at all. A webhook that it cannot reach fails open: pods come
 * as if Paceline were not installed, and nothing says so. What is seen of it are new pods, and questions to a replica.
 */
import type { PodFacts } from "../facts.ts";
import { SECOND_MS } from "../measures.ts";

/** A pod that is first seen later than this after its creation says nothing: it comes from a list. Assumed, ms. */
const FRESH_MS = 30 * SECOND_MS;
/** A pod created this long after the last question may be its pod: clocks differ, and admission takes time. Assumed. */
export const SAME_QUESTION_MS = 10 * SECOND_MS;
/** Creations are counted in steps of this many ms, and an hour of steps at most is kept. */
const STEP_MS = 10 * SECOND_MS;
const MOST_STEPS = 360;

export class WebhookSilence {
  #askedMs: number | undefined;
  /** Times of creation since the last question, rounded down to steps, oldest first. */
  readonly #created = new Set<number>();

  /** When a replica was last asked about a pod, as far as this one knows, epoch ms. */
  get askedMs(): number | undefined {
    return this.#askedMs;
  }

  /** Some replica was asked then. */
  asked(atMs: number): void {
    if (atMs <= (this.#askedMs ?? -Infinity)) return;
    this.#askedMs = atMs;
    for (const step of this.#created) if (step <= atMs + SAME_QUESTION_MS) this.#created.delete(step);
  }

  /**
   * A pod is seen for the first time. Only one without a node counts: no replica is asked about pods that bring theirs.
   * @param isPaced false where the webhook need not be asked about it; called for pods that are new.
   */
  see(pod: PodFacts, isPaced: () => boolean, nowMs: number): void {
    const { createdAtMs } = pod;
    if (pod.gated && pod.hold !== undefined) {
      this.asked(createdAtMs);
      return;
    }
    if (pod.node !== undefined || pod.terminal || nowMs - createdAtMs > FRESH_MS) return;
    if (createdAtMs <= (this.#askedMs ?? -Infinity) + SAME_QUESTION_MS || this.#created.size >= MOST_STEPS) return;
    if (isPaced()) this.#created.add(Math.floor(createdAtMs / STEP_MS) * STEP_MS);
  }

  /** For how long pods have been created about which no replica was asked, ms; 0: none was, or one was asked since. */
  silentMs(nowMs: number): number {
    const first = Math.min(...this.#created);
    return first === Infinity ? 0 : Math.max(0, nowMs - first);
  }
}
