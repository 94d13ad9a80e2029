/** What the status page, `/status.json` and the metrics show: the core's own figures, not a second opinion. */
import type { Books } from "./books.ts";
import { loadOf, paceOf } from "./books.ts";
import { drainSeconds, type NodeLoad } from "./load.ts";
import { waitingSinceMs } from "./order.ts";
import { pacedPlaces, type Place } from "./places.ts";
import { SECOND_MS } from "./units.ts";
import type { ClusterStatus, Held, NodeStatus } from "./verdict.ts";

export function status(books: Books, held: readonly Held[], nowMs: number): ClusterStatus {
  const paced = pacedPlaces(books, nowMs);
  let known = 0;
  for (const entry of books.ledger.nodes.values()) if (entry.facts) known += 1;
  return {
    mode: books.policy.mode,
    nodes: paced.map((place) => nodeStatus(books, place, nowMs)),
    settledNodes: known - paced.length,
    held: held.map((one) => heldStatus(one, nowMs)),
  };
}

function heldStatus({ pod, hold }: Held, nowMs: number): ClusterStatus["held"][number] {
  const heldSeconds = Math.max(0, (nowMs - waitingSinceMs(pod)) / SECOND_MS);
  return {
    ...{ namespace: pod.namespace, name: pod.name, node: hold.node },
    ...{ reason: hold.reason, message: hold.message, heldSeconds },
  };
}

function nodeStatus(books: Books, { facts }: Place, nowMs: number): NodeStatus {
  const load = loadOf(books, facts, nowMs);
  return {
    name: facts.name,
    state: paceOf(books, facts, nowMs),
    nodeClass: load.nodeClass.name,
    ...{ inStartup: load.inStartup.length, reserved: load.reserved.length, offered: load.offered.length },
    ...{ stuck: load.stuck, limit: load.limit.slots, limitMove: load.limit.move, bytesInFlight: load.bytesInFlight },
    drainSeconds: drainSeconds(load, 0),
    ...{ awaitMs: load.sample?.awaitMs, utilisation: load.sample?.utilisation },
    fenced: facts.fence !== undefined,
    sample: sampleAge(books, load, nowMs),
  };
}

function sampleAge(books: Books, { facts, sample }: NodeLoad, nowMs: number): NodeStatus["sample"] {
  if (sample) return "fresh";
  const last = books.samples.get(facts.name)?.atMs ?? -Infinity;
  return nowMs < last + books.policy.telemetry.absentSeconds * SECOND_MS ? "stale" : "absent";
}
