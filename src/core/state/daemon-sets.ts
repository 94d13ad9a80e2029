/** The DaemonSets of the cluster, as far as Paceline may list them. */
import type { DaemonSetFacts, PodFacts } from "../facts.ts";

export class DaemonSets {
  readonly #byKey = new Map<string, DaemonSetFacts>();
  #areKnown = false;
  #generation = 0;

  /** False until all have been listed: a node may lack pods of DaemonSets that were never seen. */
  get areKnown(): boolean {
    return this.#areKnown;
  }

  /** Grows with every change of what is recorded here. */
  get generation(): number {
    return this.#generation;
  }

  listed(): void {
    this.#areKnown = true;
  }

  forget(): void {
    this.#byKey.clear();
    this.#areKnown = false;
    this.#generation += 1;
  }

  /**
   * True if that changes anything: most events tell of a status only. One that is being deleted gets no pods any more.
   */
  upsert(daemonSet: DaemonSetFacts): boolean {
    const key = daemonSetKey(daemonSet.namespace, daemonSet.name);
    if (daemonSet.deleting) return this.delete(key);
    const before = this.#byKey.get(key);
    if (before && isSame(before, daemonSet)) return false;
    this.#byKey.set(key, daemonSet);
    this.#generation += 1;
    return true;
  }

  /** True if it was there. */
  delete(key: string): boolean {
    const wasThere = this.#byKey.delete(key);
    if (wasThere) this.#generation += 1;
    return wasThere;
  }

  /** Anyone may name a DaemonSet as a pod's owner: a pod is of one that is there, and for one node. */
  maybeMade({ namespace, pinnedTo, shape }: PodFacts): boolean {
    if (shape.ownerKind !== "DaemonSet" || pinnedTo === undefined) return false;
    return !this.#areKnown || this.#byKey.has(daemonSetKey(namespace, shape.ownerName));
  }

  all(): Iterable<readonly [key: string, DaemonSetFacts]> {
    return this.#byKey;
  }
}

/** What tells DaemonSets apart. */
export const daemonSetKey = (namespace: string, name: string) => `${namespace}/${name}`;

/** Equal shapes are one object. */
const isSame = (a: DaemonSetFacts, b: DaemonSetFacts) =>
  a.shape === b.shape && a.pinnedTo === b.pinnedTo && String(a.fencesTolerated) === String(b.fencesTolerated);
