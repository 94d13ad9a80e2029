/** Pods of gangs, by gang: those that exist and are not over. */
import type { PodFacts } from "../facts.ts";
import type { PodUID } from "../ids.ts";

const NONE: ReadonlyMap<PodUID, PodFacts> = new Map();

export class Gangs {
  readonly #members = new Map<string, Map<PodUID, PodFacts>>();
  /** How many of a gang's pods are not bound; no entry: none. Most gangs of a cluster run. */
  readonly #unbound = new Map<string, number>();

  /** Adds a pod of a gang, or puts it in the place of what it was before. */
  add(pod: PodFacts): void {
    if (pod.gang === undefined || pod.terminal || pod.deleting) return;
    this.remove(pod);
    const members = this.#members.get(pod.gang) ?? new Map<PodUID, PodFacts>();
    this.#members.set(pod.gang, members.set(pod.uid, pod));
    if (pod.node === undefined) this.#unbound.set(pod.gang, (this.#unbound.get(pod.gang) ?? 0) + 1);
  }

  remove(pod: PodFacts): void {
    if (pod.gang === undefined) return;
    const members = this.#members.get(pod.gang);
    const known = members?.get(pod.uid);
    if (!members || !known) return;
    members.delete(pod.uid);
    if (members.size === 0) this.#members.delete(pod.gang);
    if (known.node !== undefined) return;
    const left = (this.#unbound.get(pod.gang) ?? 0) - 1;
    if (left > 0) this.#unbound.set(pod.gang, left);
    else this.#unbound.delete(pod.gang);
  }

  /** Those of which a pod is not bound yet. */
  unbound(): Iterable<string> {
    return this.#unbound.keys();
  }

  of(gang: string): ReadonlyMap<PodUID, PodFacts> {
    return this.#members.get(gang) ?? NONE;
  }
}
