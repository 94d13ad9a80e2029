/** The DaemonSets of the cluster, as far as Paceline may list them. */
import type { DaemonSetFacts } from "../facts.ts";

export class DaemonSets {
  readonly #byKey = new Map<string, DaemonSetFacts>();
  #areKnown = false;

  /** False until all have been listed: a node may lack pods of DaemonSets that were never seen. */
  get areKnown(): boolean {
    return this.#areKnown;
  }

  listed(): void {
    this.#areKnown = true;
  }

  upsert(daemonSet: DaemonSetFacts): void {
    this.#byKey.set(daemonSetKey(daemonSet.namespace, daemonSet.name), daemonSet);
  }

  delete(key: string): void {
    this.#byKey.delete(key);
  }

  all(): Iterable<readonly [key: string, DaemonSetFacts]> {
    return this.#byKey;
  }
}

/** What tells DaemonSets apart. */
export const daemonSetKey = (namespace: string, name: string) => `${namespace}/${name}`;
