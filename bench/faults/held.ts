/** Which pods Paceline keeps back at this moment, by gate or fence, and for how long it has done so in all. */
import type { NodeFacts, PodFacts } from "../../src/core/facts.ts";
import { placementUnfitReason } from "../../src/core/placement/fit.ts";
import { toleratesFence } from "../../src/core/rules/node-fence.ts";
import type { Witness } from "./witness.ts";

export interface HeldPod {
  readonly pod: PodFacts;
  readonly ms: number;
  /** The node whose fence keeps it out; undefined for a gated pod. */
  readonly keptOutBy: string | undefined;
}

interface Tally {
  readonly ms: number;
  /** Of these by its gate. */
  readonly gatedMs: number;
  /** Infinity while it is not held. */
  readonly seenMs: number;
}

/** As the last look has left them, by the pods' uids. A pod that was not held then counts from now on. */
const tallies = new WeakMap<Witness, Map<string, Tally>>();

export function heldNow(witness: Witness): HeldPod[] {
  const { nowMs, pods, nodes } = witness;
  const before = tallies.get(witness) ?? new Map<string, Tally>();
  const now = new Map<string, Tally>();
  const held: HeldPod[] = [];
  const closed = nodes.filter(({ fence, readySinceMs }) => fence !== undefined && readySinceMs !== undefined);
  for (const pod of pods) {
    const known = before.get(pod.uid);
    const keptOutBy =
      pod.gated || witness.isStrict(pod) ? undefined : closed.find((node) => keepsOut(pods, node, pod))?.name;
    const isOurs = pod.gated && !pod.gatedByOthers;
    const isHeld = !pod.deleting && !witness.isStubborn(pod) && (isOurs || keptOutBy !== undefined);
    if (!isHeld) {
      if (known) now.set(pod.uid, { ...known, seenMs: Infinity });
      continue;
    }
    const tally = tallied(known, pod, keptOutBy, nowMs);
    now.set(pod.uid, tally);
    held.push({ pod, ms: tally.ms, keptOutBy });
  }
  tallies.set(witness, now);
  return held;
}

function tallied(known: Tally | undefined, pod: PodFacts, keptOutBy: string | undefined, nowMs: number): Tally {
  const { gatedMs = 0, seenMs = nowMs } = known ?? {};
  // What a fence that is down kept out is written nowhere, so it counts for that fence alone.
  const isAnotherFence = seenMs === Infinity && keptOutBy !== undefined;
  const beforeMs = isAnotherFence ? gatedMs : (known?.ms ?? 0);
  const addedMs = Math.max(0, nowMs - seenMs);
  return { ms: beforeMs + addedMs, gatedMs: gatedMs + (pod.gated ? addedMs : 0), seenMs: nowMs };
}

/** Would kube-scheduler bind the pod there, were it not for the fence? Reserved room counts as taken. */
function keepsOut(pods: readonly PodFacts[], node: NodeFacts, pod: PodFacts): boolean {
  if (pod.node !== undefined || !pod.unschedulable || pod.gatedByOthers || pod.reservation) return false;
  if (toleratesFence(pod, node.fence?.value ?? "") || placementUnfitReason(pod, node, false)) return false;
  const lacks = Object.keys(pod.shape.requests).some(
    (resource) => resource.includes("/") && !node.allocatable[resource],
  );
  if (lacks) return false;
  const claims = pods.filter(
    ({ uid, node: on, reservation, pinnedTo, terminal }) =>
      uid !== pod.uid && !terminal && (on ?? reservation?.node ?? pinnedTo) === node.name,
  );
  const used = claims.reduce((sum, { shape }) => sum + (shape.requests["cpu"] ?? 0), 0);
  return used + (pod.shape.requests["cpu"] ?? 0) <= (node.allocatable["cpu"] ?? 0);
}
