/** How long pods take until they are Ready for the first time: for metrics, decisions go by other times. */
import type { PodFacts } from "../facts.ts";
import type { PodUID } from "../ids.ts";
import type { ReadyPod } from "../verdict.ts";
import type { ClusterState } from "./cluster-state.ts";
import { openedMs } from "./opening.ts";
import { paceOf } from "./pace.ts";

/** What is not taken beyond this many is forgotten, oldest first. */
const MOST_KEPT = 1_000;

export class FirstReady {
  /** Bound pods that were seen while they started. One that is Ready again is not among them. */
  readonly #starting = new Set<PodUID>();
  readonly #ready: ReadyPod[] = [];

  see(state: ClusterState, pod: PodFacts, nowMs: number): void {
    // The late answer to a write of ours may speak of a pod that is gone.
    if (pod.terminal || pod.deleting || !state.ledger.pods.has(pod.uid)) this.#starting.delete(pod.uid);
    else if (pod.ready) this.#note(state, pod, nowMs);
    else if (pod.node !== undefined && !pod.containersStarted && pod.restarts === 0) this.#starting.add(pod.uid);
  }

  forget(uid: PodUID): void {
    this.#starting.delete(uid);
  }

  take(): readonly ReadyPod[] {
    return this.#ready.splice(0);
  }

  #note(state: ClusterState, pod: PodFacts, nowMs: number): void {
    const facts = pod.node && state.ledger.nodes.get(pod.node)?.facts;
    if (!this.#starting.delete(pod.uid) || !facts) return;
    const sinceMs = Math.max(pod.createdAtMs, openedMs(facts) ?? facts.createdAtMs);
    this.#ready.push({ state: paceOf(state, facts, nowMs), tookMs: Math.max(0, nowMs - sinceMs) });
    if (this.#ready.length > MOST_KEPT) this.#ready.shift();
  }
}
