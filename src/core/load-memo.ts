/**
 * Remembers what a node carries for as long as nothing changes from which it was summed up: the scheduler asks about
 * hundreds of nodes for every pod, and a binding or a start changes one of them.
 */
import type { NodeFacts } from "./facts.ts";
import type { NodeEntry } from "./ledger.ts";
import { type LoadInputs, nodeLoad, type NodeLoad, type Patience, promiseEndsMs } from "./load.ts";

/** A node's load, and what it was made from. */
interface Remembered {
  readonly load: NodeLoad;
  readonly given: LoadInputs;
  /** `changes` of the node's entry and of the catalogue at that time. */
  readonly entryChanges: number;
  readonly catalogueChanges: number;
  /** Holds from this time until that: later, a start is given up or a promise ends. Epoch ms. */
  readonly fromMs: number;
  readonly untilMs: number;
}

export class LoadMemo {
  readonly #byEntry = new WeakMap<NodeEntry, Remembered>();

  /** {@link nodeLoad} of a node that nothing is offered to and nothing planned for, most of the time from memory. */
  load(entry: NodeEntry, facts: NodeFacts, given: LoadInputs, nowMs: number): NodeLoad {
    const known = this.#byEntry.get(entry);
    if (known && isCurrent(known, entry, facts, given, nowMs)) return known.load;
    const load = nodeLoad(entry, facts, given, nowMs);
    this.#byEntry.set(entry, {
      ...{ load, given, entryChanges: entry.changes, catalogueChanges: given.catalogue.changes },
      ...{ fromMs: nowMs, untilMs: nextChangeMs(load, given.patience) },
    });
    return load;
  }
}

function isCurrent(known: Remembered, entry: NodeEntry, facts: NodeFacts, given: LoadInputs, nowMs: number): boolean {
  const { load, catalogueChanges, entryChanges, fromMs, untilMs } = known;
  if (load.facts !== facts || entryChanges !== entry.changes || nowMs < fromMs || nowMs >= untilMs) return false;
  if (load.fetching.size > 0 && catalogueChanges !== given.catalogue.changes) return false;
  for (const input in given) {
    const key = input as keyof LoadInputs;
    if (known.given[key] !== given[key]) return false;
  }
  return true;
}

/** When the load changes by the mere passing of time, epoch ms. */
function nextChangeMs({ inStartup, reserved }: NodeLoad, patience: Patience): number {
  let nextMs = Infinity;
  for (const pod of inStartup) nextMs = Math.min(nextMs, (pod.scheduledAtMs ?? pod.createdAtMs) + patience.deadlineMs);
  for (const pod of reserved) nextMs = Math.min(nextMs, promiseEndsMs(pod, patience) ?? -Infinity);
  return nextMs;
}
