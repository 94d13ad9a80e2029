/** What must hold against tenants that forge, webhooks that refuse and watches that hang (issue 20). */
import type { NodeFacts, PodFacts } from "../../src/core/facts.ts";
import type { Invariant } from "./invariant.ts";
import type { Witness } from "./witness.ts";

const SECOND_MS = 1_000;
/** A leader whose watch of pods or nodes is older than 30 s leaves with its next look, ms. */
const BLIND_MS = 40_000;
/** Replicas that no fault hits know everything again after this, ms. */
const RECOVERED_MS = 45_000;
/** A free slot is given within this, ms. */
const GIVEN_MS = 20_000;

export const noBlindLeader: Invariant = {
  name: "noBlindLeader",
  sentence: "A leader whose watch of pods or nodes hangs for longer than 30 s leaves, though its Lease is renewed.",
  check({ replicas }) {
    for (const { name, leads, network } of replicas) {
      for (const resource of ["pods", "nodes"] as const) {
        const hungMs = network.hungForMs(resource);
        if (leads && hungMs > BLIND_MS)
          return `${name} leads, and has seen no ${resource} for ${Math.round(hungMs / SECOND_MS)} s`;
      }
    }
    return undefined;
  },
};

/** Since when a node has had no start and no pod on its way, by uid. */
const idle = new WeakMap<Witness, Map<string, number>>();

export const aFreeSlotIsGiven: Invariant = {
  name: "aFreeSlotIsGiven",
  sentence: "Whatever tenants forge, no gated pod waits for an open node on which nothing starts.",
  check(witness) {
    const before = idle.get(witness);
    const now = new Map<string, number>();
    idle.set(witness, now);
    const isCalm = witness.nowMs >= Math.max(witness.blindUntilMs, witness.stoodStillUntilMs) + RECOVERED_MS;
    for (const node of witness.nodes) {
      if (!isOpen(witness, node) || witness.pods.some((pod) => isOnItsWay(witness, pod, node))) continue;
      const sinceMs = before?.get(node.uid) ?? witness.nowMs;
      now.set(node.uid, sinceMs);
      const waits = (pod: PodFacts) =>
        pod.gated &&
        pod.pinnedTo === node.name &&
        !witness.isStubborn(pod) &&
        pod.createdAtMs < witness.nowMs - GIVEN_MS;
      const held = witness.pods.find(waits);
      if (isCalm && held && witness.nowMs - sinceMs > GIVEN_MS)
        return `pod ${held.name} waits for node ${node.name}, on which nothing starts`;
    }
    return undefined;
  },
};

const isOpen = ({ openings }: Witness, { uid, readySinceMs, fence }: NodeFacts) =>
  openings.openedMs(uid) !== undefined && readySinceMs !== undefined && fence === undefined;

/** It starts there, or a replica, not a tenant, has given it a slot there. */
function isOnItsWay({ books }: Witness, pod: PodFacts, { name }: NodeFacts): boolean {
  if (pod.terminal || pod.containersStarted || pod.ready) return false;
  return (
    pod.node === name || (pod.node === undefined && (books.get(pod.uid)?.levers.at(-1)?.nodes ?? []).includes(name))
  );
}

export const hostileInvariants: readonly Invariant[] = [noBlindLeader, aFreeSlotIsGiven];
