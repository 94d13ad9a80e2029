/**
 * Remembers each node's load until something changes from which it was summed up. A plan looks at thousands of nodes
 * and the scheduler asks about hundreds for every pod, while a binding or a start changes one of them.
 */
import type { NodeFacts } from "../facts.ts";
import type { ImageCatalogue } from "./image-catalogue.ts";
import type { NodeLoad } from "./load.ts";
import type { NodeName } from "../ids.ts";

/** A node's load, and what it was made from. */
interface Remembered {
  readonly load: NodeLoad;
  /** `changes` of the node's entry and of the catalogue at that time. */
  readonly entryChanges: number;
  readonly catalogueChanges: number;
  /** Holds from this time until that, epoch ms. */
  readonly fromMs: number;
  readonly untilMs: number;
}

export class LoadCache {
  readonly #catalogue: ImageCatalogue;
  readonly #byNode = new Map<NodeName, Remembered>();

  constructor(catalogue: ImageCatalogue) {
    this.#catalogue = catalogue;
  }

  /** The node's load, if nothing has changed since it was kept. */
  get(facts: NodeFacts, nowMs: number): NodeLoad | undefined {
    const known = this.#byNode.get(facts.name);
    if (!known || known.load.facts !== facts || nowMs < known.fromMs || nowMs >= known.untilMs) return undefined;
    const { load, entryChanges, catalogueChanges } = known;
    if (entryChanges !== load.entry.changes) return undefined;
    return load.pulls + load.later.size === 0 || catalogueChanges === this.#catalogue.changes ? load : undefined;
  }

  /**
   * Keeps the load of a node to which no pod is offered or planned.
   * @param untilMs when its sample becomes stale, epoch ms.
   */
  set(load: NodeLoad, nowMs: number, untilMs: number): void {
    this.#byNode.set(load.facts.name, {
      load,
      entryChanges: load.entry.changes,
      catalogueChanges: this.#catalogue.changes,
      fromMs: nowMs,
      untilMs: Math.min(untilMs, load.untilMs),
    });
  }

  /** The node's limit, sample, class or pulls have changed, or it is gone. */
  forget(node: NodeName): void {
    this.#byNode.delete(node);
  }

  /** The policy has changed. */
  clear(): void {
    this.#byNode.clear();
  }
}
