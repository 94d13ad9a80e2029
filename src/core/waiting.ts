/** Unbound pods, grouped the way plans look at them: by the one node they are pinned to, or by what they look like. */
import type { PodFacts, PodShape } from "./facts.ts";
import type { NodeName, PodUID } from "./units.ts";

export class WaitingRoom {
  readonly #pods = new Map<PodUID, PodFacts>();
  readonly #pinned = new Map<NodeName, Map<PodUID, PodFacts>>();
  readonly #byShape = new Map<PodShape, Map<PodUID, PodFacts>>();

  get size(): number {
    return this.#pods.size;
  }

  add(pod: PodFacts): void {
    this.#pods.set(pod.uid, pod);
    this.#group(pod, true)?.set(pod.uid, pod);
  }

  remove(pod: PodFacts): void {
    if (!this.#pods.delete(pod.uid)) return;
    const group = this.#group(pod, false);
    group?.delete(pod.uid);
    if (group?.size !== 0) return;
    if (pod.pinnedTo === undefined) this.#byShape.delete(pod.shape);
    else this.#pinned.delete(pod.pinnedTo);
  }

  has(uid: PodUID): boolean {
    return this.#pods.has(uid);
  }

  pods(): IterableIterator<PodFacts> {
    return this.#pods.values();
  }

  /** Pods that can run on this node only. */
  pinnedTo(node: NodeName): Iterable<PodFacts> {
    return this.#pinned.get(node)?.values() ?? [];
  }

  /** Pods that are pinned to no node, by shape. */
  shapes(): Iterable<readonly [PodShape, ReadonlyMap<PodUID, PodFacts>]> {
    return this.#byShape.entries();
  }

  #group(pod: PodFacts, make: boolean): Map<PodUID, PodFacts> | undefined {
    return pod.pinnedTo === undefined
      ? groupOf(this.#byShape, pod.shape, make)
      : groupOf(this.#pinned, pod.pinnedTo, make);
  }
}

function groupOf<Key>(groups: Map<Key, Map<PodUID, PodFacts>>, key: Key, make: boolean) {
  const known = groups.get(key);
  if (known || !make) return known;
  const group = new Map<PodUID, PodFacts>();
  groups.set(key, group);
  return group;
}
