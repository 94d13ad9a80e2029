/** What the status page, `/status.json` and the metrics show: the core's own figures, not a second opinion. */
import { holdReasons } from "../api/reasons.ts";
import type { Books } from "./state/cluster-state.ts";
import { paceOf } from "./state/cluster-state.ts";
import type { PodFacts } from "./facts.ts";
import { drainSeconds, type NodeLoad } from "./state/load.ts";
import { waitingSinceMs } from "./plan/order.ts";
import { pacedPlaces, type Place } from "./placement/nodes-with-room.ts";
import { SECOND_MS } from "./ids.ts";
import { keptOut } from "./plan/hold-reasons.ts";
import type { ClusterStatus, Held, Hold, NodeStatus } from "./verdict.ts";

/** A plan's reasons count for this long, ms: a leader plans every few seconds; who has lost the lead judges no more. */
const JUDGED_FOR_MS = 10_000;

/** The reasons of a replica's last plan. */
export interface Judged {
  readonly held: readonly Held[];
  readonly atMs: number;
}

/** @param judged of this replica's last plan; undefined where it has made none. */
export function status(books: Books, judged: Judged | undefined, nowMs: number): ClusterStatus {
  const paced = pacedPlaces(books, nowMs);
  let known = 0;
  for (const entry of books.ledger.nodes.values()) if (entry.facts) known += 1;
  return {
    mode: books.policy.mode,
    nodes: paced.map((place) => nodeStatus(books, place, nowMs)),
    settledNodes: known - paced.length,
    held: [
      ...heldPods(books, judged, nowMs).map((one) => heldStatus(one, waitingSinceMs(one.pod), nowMs)),
      ...keptOut(books, nowMs).map((one) => heldStatus(one, keptOutSinceMs(books, one), nowMs)),
    ],
  };
}

/** A pod that waited before there was a fence was not held by us then. */
function keptOutSinceMs({ ledger }: Books, { pod, hold }: Held): number {
  const facts = hold.node === undefined ? undefined : ledger.nodes.get(hold.node)?.facts;
  return Math.max(pod.createdAtMs, facts?.fence?.sinceMs ?? facts?.createdAtMs ?? 0);
}

/** Every gated pod: with the leader's own reason, elsewhere with the one that the leader wrote on the pod. */
function heldPods({ ledger }: Books, judged: Judged | undefined, nowMs: number): Held[] {
  const counts = judged !== undefined && nowMs < judged.atMs + JUDGED_FOR_MS;
  const reasons = new Map(counts ? judged.held.map(({ pod, hold }) => [pod.uid, hold]) : []);
  return [...ledger.gated.pods()].map((pod) => ({ pod, hold: reasons.get(pod.uid) ?? writtenHold(pod) }));
}

function writtenHold({ hold, pinnedTo }: PodFacts): Hold {
  const reason = hold?.reason ?? "AwaitingRelease";
  return { kind: "hold", reason, message: holdReasons[reason], node: hold?.node ?? pinnedTo };
}

function heldStatus({ pod, hold }: Held, sinceMs: number, nowMs: number): ClusterStatus["held"][number] {
  const heldSeconds = Math.max(0, (nowMs - sinceMs) / SECOND_MS);
  return {
    ...{ namespace: pod.namespace, name: pod.name, node: hold.node },
    ...{ reason: hold.reason, message: hold.message, heldSeconds },
  };
}

function nodeStatus(books: Books, { facts }: Place, nowMs: number): NodeStatus {
  const load = books.loadOf(facts, nowMs);
  return {
    name: facts.name,
    state: paceOf(books, facts, nowMs),
    nodeClass: load.nodeClass.name,
    ...{ inStartup: load.inStartup.length, reserved: load.reserved.length, offered: load.offered.length },
    ...{ stuck: load.stuck, limit: load.limit.slots, limitMove: load.limit.move, bytesInFlight: load.bytesInFlight },
    drainSeconds: drainSeconds(load),
    drainTargetSeconds: load.nodeClass.drainSeconds,
    ...{ awaitMs: load.sample?.awaitMs, utilisation: load.sample?.utilisation },
    fenced: facts.fence !== undefined,
    sample: sampleAge(books, load, nowMs),
  };
}

function sampleAge(books: Books, { facts, sample }: NodeLoad, nowMs: number): NodeStatus["sample"] {
  if (sample) return "fresh";
  const last = books.sampleOf(facts.name)?.atMs ?? -Infinity;
  return nowMs < last + books.policy.telemetry.absentSeconds * SECOND_MS ? "stale" : "absent";
}
