/**
 * A cluster in memory for tests of the release loop, driven by a fake clock. It has objects with resourceVersions,
 * writes that take time and may fail, a watch that lags, a scheduler that binds released pods, and pods that take time
 * to start.
 */
import { ApiError } from "../../src/kube/client/api-error.ts";
import type { Clock } from "../../src/kube/clock.ts";
import type { HoldNote, NodeFacts, PodFacts } from "../../src/core/facts.ts";
import type { PodUID } from "../../src/core/ids.ts";
import type { Pacer } from "../../src/core/pacer.ts";
import type { FenceAction, Release } from "../../src/core/verdict.ts";
import type { Apply, Outcome } from "../../src/release/apply.ts";
import { changed } from "./core-facts.ts";

export interface MemoryClusterOptions {
  readonly clock: Clock;
  /** The duration of a write. It takes effect after half of it. */
  readonly writeMs?: number;
  /** Time from a change to its arrival in the watch. */
  readonly watchLagMs?: number;
  /** Time from a release to the binding. */
  readonly bindMs?: number;
  /** Time from the binding to the start. */
  readonly startMs?: number;
}

export class MemoryCluster implements Apply {
  readonly pods = new Map<PodUID, PodFacts>();
  readonly nodes = new Map<string, NodeFacts>();
  /** Names of pods in the order in which writes released them. */
  readonly released: string[] = [];
  /** Every call, as `kind name`. */
  readonly calls: string[] = [];
  /** The most pods that had a slot on a node at one moment (reserved, or bound and not started). */
  readonly peak = new Map<string, number>();
  /** Answers to the next writes, by pod or node name: an error to throw instead of writing. */
  readonly failures = new Map<string, Error[]>();
  /** Answers to the next writes, by pod name: an error to throw after writing. */
  readonly failuresAfterwards = new Map<string, Error[]>();
  readonly #watchers = new Set<{ pacer: Pacer; poke: () => void }>();
  readonly #options: Required<MemoryClusterOptions>;

  constructor(options: MemoryClusterOptions) {
    this.#options = { writeMs: 10, watchLagMs: 5, bindMs: 5, startMs: 1_000, ...options };
  }

  /** Lists everything into a pacer, and sends it every later change. The returned function stops that. */
  watch(pacer: Pacer, poke: () => void): () => void {
    const watcher = { pacer, poke };
    for (const node of this.nodes.values()) pacer.upsertNode(node, this.#options.clock.now());
    for (const pod of this.pods.values()) pacer.upsertPod(pod, this.#options.clock.now());
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }

  setNode(node: NodeFacts): void {
    this.nodes.set(node.name, node);
    this.#later(this.#options.watchLagMs, () => this.#tell((pacer, nowMs) => pacer.upsertNode(node, nowMs)));
  }

  setPod(pod: PodFacts): PodFacts {
    this.pods.set(pod.uid, pod);
    this.#notePeak();
    this.#later(this.#options.watchLagMs, () => this.#tell((pacer, nowMs) => pacer.upsertPod(pod, nowMs)));
    return pod;
  }

  /** Deletes a pod. Its watchers see that later. */
  deletePod({ uid }: PodFacts): void {
    this.pods.delete(uid);
    this.#later(this.#options.watchLagMs, () => this.#tell((pacer, nowMs) => pacer.deletePod(uid, nowMs)));
  }

  async release(release: Release, clock: Pick<Clock, "now">): Promise<Outcome<PodFacts>> {
    const { pod, node, fence } = release;
    const current = await this.#arrive("release", pod.name, () => this.pods.get(pod.uid));
    if (current === undefined) return { kind: "gone" };
    const tolerates = fence === undefined || current.fencesTolerated.includes(fence);
    if (!current.gated && tolerates) return this.#answer({ kind: "unchanged", facts: current });
    const facts = this.setPod(
      changed(current, {
        gated: false,
        hold: undefined,
        reservation: node === undefined ? undefined : { node, atMs: clock.now() },
        fencesTolerated: fence === undefined ? current.fencesTolerated : [...current.fencesTolerated, fence],
      }),
    );
    this.released.push(pod.name);
    if (node !== undefined) this.#schedule(facts.uid, node);
    const failure = this.failuresAfterwards.get(pod.name)?.shift();
    if (failure !== undefined) throw failure;
    return this.#answer({ kind: "changed", facts });
  }

  async annotateHold(pod: PodFacts, hold: HoldNote): Promise<Outcome<PodFacts>> {
    const current = await this.#arrive(`hold ${hold.reason}`, pod.name, () => this.pods.get(pod.uid));
    if (current === undefined) return { kind: "gone" };
    if (current.resourceVersion !== pod.resourceVersion) return this.#answer({ kind: "conflict" });
    return this.#answer({ kind: "changed", facts: this.setPod(changed(current, { hold })) });
  }

  async fence(action: FenceAction): Promise<Outcome<NodeFacts>> {
    const { name } = action.node;
    const current = await this.#arrive(action.kind, name, () => this.nodes.get(name));
    if (current === undefined) return { kind: "gone" };
    const facts = changed(current, fenceAfter(action, this.#options.clock.now()));
    this.setNode(facts);
    return this.#answer({ kind: "changed", facts });
  }

  async look(pod: PodFacts): Promise<Outcome<PodFacts>> {
    const current = await this.#arrive("look", pod.name, () => this.pods.get(pod.uid));
    return current === undefined ? { kind: "gone" } : this.#answer({ kind: "unchanged", facts: current });
  }

  /** A write to the cluster. It fails if the test said so; otherwise it meets the object as it is on arrival. */
  async #arrive<Found>(kind: string, name: string, find: () => Found): Promise<Found> {
    this.calls.push(`${kind} ${name}`);
    const failure = this.failures.get(name)?.shift();
    await this.#pause(this.#options.writeMs / 2);
    if (failure !== undefined) throw failure;
    return find();
  }

  async #answer<Answer>(answer: Answer): Promise<Answer> {
    await this.#pause(this.#options.writeMs / 2);
    return answer;
  }

  #schedule(uid: PodUID, node: NonNullable<Release["node"]>): void {
    const { bindMs, startMs, clock } = this.#options;
    this.#later(bindMs, () => this.#change(uid, { node, scheduledAtMs: clock.now() }));
    this.#later(bindMs + startMs, () => this.#change(uid, { containersStarted: true, ready: true }));
  }

  #change(uid: PodUID, by: Partial<PodFacts>): void {
    const pod = this.pods.get(uid);
    if (pod !== undefined) this.setPod(changed(pod, by));
  }

  #notePeak(): void {
    const held = new Map<string, number>();
    for (const pod of this.pods.values()) {
      const node = pod.containersStarted || pod.gated ? undefined : (pod.node ?? pod.reservation?.node);
      if (node !== undefined) held.set(node, (held.get(node) ?? 0) + 1);
    }
    for (const [node, count] of held) this.peak.set(node, Math.max(count, this.peak.get(node) ?? 0));
  }

  #tell(change: (pacer: Pacer, nowMs: number) => void): void {
    for (const { pacer, poke } of this.#watchers) {
      change(pacer, this.#options.clock.now());
      poke();
    }
  }

  #later(ms: number, fn: () => void): void {
    this.#options.clock.setTimer(fn, ms);
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.#later(ms, resolve));
  }
}

/** The answer of an overloaded API server. */
export const busy = () => new ApiError(429, "TooManyRequests", "busy");

function fenceAfter(action: FenceAction, nowMs: number): Partial<NodeFacts> {
  if (action.kind === "note") return { openedNote: action.note };
  if (action.kind === "unsteer") return { steered: undefined };
  if (action.kind === "steer") return { steered: true };
  if (action.kind === "lift") {
    return { fence: undefined, unschedulable: false, steered: action.steer === undefined ? undefined : true };
  }
  const fence = { value: action.value, sinceMs: nowMs };
  const rollCall = { state: action.kind === "beginRollCall" ? "open" : "done", sinceMs: nowMs } as const;
  if (action.kind === "adopt" || action.kind === "raise") return { fence, unschedulable: action.node.unschedulable };
  return { fence: { ...fence, rollCall }, unschedulable: rollCall.state === "open" };
}
