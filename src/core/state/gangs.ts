/** Pods of gangs, by gang: those that exist and are not over. */
import type { PodFacts } from "../facts.ts";
import type { PodUID } from "../ids.ts";

const NONE: ReadonlyMap<PodUID, PodFacts> = new Map();

export class Gangs {
  readonly #members = new Map<string, Map<PodUID, PodFacts>>();

  /** Adds a pod of a gang, or puts it in the place of what it was before. */
  add(pod: PodFacts): void {
    if (pod.gang === undefined || pod.terminal || pod.deleting) return;
    const members = this.#members.get(pod.gang) ?? new Map<PodUID, PodFacts>();
    this.#members.set(pod.gang, members.set(pod.uid, pod));
  }

  remove(pod: PodFacts): void {
    if (pod.gang === undefined) return;
    const members = this.#members.get(pod.gang);
    if (members?.delete(pod.uid) && members.size === 0) this.#members.delete(pod.gang);
  }

  names(): Iterable<string> {
    return this.#members.keys();
  }

  of(gang: string): ReadonlyMap<PodUID, PodFacts> {
    return this.#members.get(gang) ?? NONE;
  }
}
