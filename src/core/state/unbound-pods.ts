/**
 * Unbound pods, grouped the way plans look at them: by the one node they are pinned to, or else by shape; oldest first.
 */
import type { PodFacts, PodShape } from "../facts.ts";
import { byAge } from "./held-since.ts";
import type { NodeName, PodUID } from "../ids.ts";

export class UnboundPods {
  readonly #pods = new Map<PodUID, PodFacts>();
  /**
   * Pods that were not released to a node and that their scheduler has not looked at, about the oldest first; by its
   * name.
   */
  readonly #untried = new Map<string, Map<PodUID, PodFacts>>();
  /** Pods with a reservation, ended ones included. */
  readonly #letGo = new Map<PodUID, PodFacts>();
  readonly #pinned = new Map<NodeName, PodGroup>();
  readonly #byShape = new Map<PodShape, PodGroup>();

  /** Adds a pod, or puts it in the place of what it was before. */
  add(pod: PodFacts): void {
    const before = this.#pods.get(pod.uid);
    if (before && (before.shape !== pod.shape || before.pinnedTo !== pod.pinnedTo)) this.remove(before);
    this.#pods.set(pod.uid, pod);
    this.#noteUntried(pod, !pod.unschedulable && !pod.reservation);
    if (pod.reservation) this.#letGo.set(pod.uid, pod);
    else this.#letGo.delete(pod.uid);
    if (pod.pinnedTo === undefined) groupOf(this.#byShape, pod.shape).add(pod);
    else groupOf(this.#pinned, pod.pinnedTo).add(pod);
  }

  remove(pod: PodFacts): void {
    if (!this.#pods.delete(pod.uid)) return;
    this.#noteUntried(pod, false);
    this.#letGo.delete(pod.uid);
    if (pod.pinnedTo === undefined) removeFrom(this.#byShape, pod.shape, pod);
    else removeFrom(this.#pinned, pod.pinnedTo, pod);
  }

  pods(): IterableIterator<PodFacts> {
    return this.#pods.values();
  }

  /** Those that were let go to nodes. */
  letGo(): IterableIterator<PodFacts> {
    return this.#letGo.values();
  }

  /**
   * How many pods wait for the first look of one of these schedulers without having been released to a node, and since
   * when.
   */
  untried(schedulers: readonly string[]): { readonly count: number; readonly sinceMs: number } {
    let count = 0;
    let sinceMs = Infinity;
    for (const name of new Set(schedulers)) {
      const pods = this.#untried.get(name);
      const [first] = pods?.values() ?? [];
      count += pods?.size ?? 0;
      sinceMs = Math.min(sinceMs, first?.createdAtMs ?? Infinity);
    }
    return { count, sinceMs };
  }

  #noteUntried(pod: PodFacts, isUntried: boolean): void {
    const { schedulerName } = pod.shape;
    const pods = this.#untried.get(schedulerName) ?? new Map<PodUID, PodFacts>();
    if (isUntried) pods.set(pod.uid, pod);
    else pods.delete(pod.uid);
    if (pods.size > 0) this.#untried.set(schedulerName, pods);
    else this.#untried.delete(schedulerName);
  }

  /** Pods of the shapes that are asked for. It looks at no other pod. */
  *podsWhere(wanted: (shape: PodShape) => boolean): Generator<PodFacts> {
    for (const group of this.#pinned.values()) for (const pod of group.pods()) if (wanted(pod.shape)) yield pod;
    for (const [shape, group] of this.#byShape) if (wanted(shape)) yield* group.pods();
  }

  /** Pods that can run on this node only. */
  pinnedTo(node: NodeName): Iterable<PodFacts> {
    return this.#pinned.get(node)?.pods() ?? [];
  }

  /** Those of one shape that are pinned to no node. */
  alike(shape: PodShape): Iterable<PodFacts> {
    return this.#byShape.get(shape)?.pods() ?? [];
  }

  /** Pods that are pinned to no node, by shape. */
  shapes(): Iterable<readonly [PodShape, PodGroup]> {
    return this.#byShape.entries();
  }
}

/** Pods, oldest first. Watches deliver most of them by age, so that there is seldom anything to sort. */
export class PodGroup {
  #pods = new Map<PodUID, PodFacts>();
  #inOrder = true;
  /** The youngest of those that were ever here while they are in order. */
  #last: PodFacts | undefined;

  get size(): number {
    return this.#pods.size;
  }

  add(pod: PodFacts): void {
    const before = this.#pods.get(pod.uid);
    this.#pods.set(pod.uid, pod);
    if (before) this.#inOrder &&= byAge(before, pod) === 0;
    else {
      this.#inOrder &&= this.#last === undefined || byAge(this.#last, pod) < 0;
      this.#last = pod;
    }
  }

  delete(pod: PodFacts): void {
    this.#pods.delete(pod.uid);
  }

  pods(): IterableIterator<PodFacts> {
    if (!this.#inOrder) this.#sort();
    return this.#pods.values();
  }

  #sort(): void {
    const pods = [...this.#pods.values()].sort(byAge);
    this.#pods = new Map(pods.map((pod) => [pod.uid, pod]));
    this.#last = pods.at(-1);
    this.#inOrder = true;
  }
}

function groupOf<Key>(groups: Map<Key, PodGroup>, key: Key): PodGroup {
  const known = groups.get(key);
  if (known) return known;
  const group = new PodGroup();
  groups.set(key, group);
  return group;
}

function removeFrom<Key>(groups: Map<Key, PodGroup>, key: Key, pod: PodFacts): void {
  const group = groups.get(key);
  group?.delete(pod);
  if (group?.size === 0) groups.delete(key);
}
