/** Which pods Paceline keeps back at this moment, by gate or fence, and for how long it has done so in all. */
import type { NodeFacts, PodFacts } from "../../src/core/facts.ts";
import { placementUnfitReason } from "../../src/core/placement/fit.ts";
import { toleratesFence } from "../../src/core/rules/node-fence.ts";
import { lacksFreedNote } from "../../src/core/state/freed.ts";
import type { Witness } from "./witness.ts";

export interface HeldPod {
  readonly pod: PodFacts;
  readonly ms: number;
  /** The node whose fence keeps it out; undefined for a gated pod. */
  readonly keptOutBy: string | undefined;
}

interface Tally {
  /** By its gate, over all times. */
  readonly gatedMs: number;
  /** By the fence of each node that keeps it out now. What a fence kept out before is written nowhere. */
  readonly fencedMs: ReadonlyMap<string, number>;
  /** Since the last look it has been gated. */
  readonly wasGated: boolean;
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
    const isOut = !pod.gated && !witness.isStrict(pod);
    const isFree = pod.deleting || witness.isStubborn(pod);
    const keptOutBy = isOut && !isFree ? closed.filter((node) => keepsOut(pods, node, pod)) : [];
    const isGated = pod.gated && !pod.gatedByOthers && !isFree && isKnownFreed(witness, pod);
    const known = before.get(pod.uid);
    if (!isGated && keptOutBy.length === 0 && !known) continue;
    const tally = tallied(known, isGated, keptOutBy, nowMs);
    now.set(pod.uid, tally);
    if (isGated) held.push({ pod, ms: tally.gatedMs, keptOutBy: undefined });
    for (const { name, uid } of keptOutBy) {
      held.push({ pod, ms: tally.gatedMs + (tally.fencedMs.get(uid) ?? 0), keptOutBy: name });
    }
  }
  tallies.set(witness, now);
  return held;
}

function tallied(known: Tally | undefined, isGated: boolean, keptOutBy: readonly NodeFacts[], nowMs: number): Tally {
  const addedMs = known ? nowMs - known.seenMs : 0;
  const fencedMs = keptOutBy.map(({ uid }): [string, number] => {
    const beforeMs = known?.fencedMs.get(uid);
    return [uid, beforeMs === undefined ? 0 : beforeMs + addedMs];
  });
  const gatedMs = (known?.gatedMs ?? 0) + (isGated && known?.wasGated ? addedMs : 0);
  return { gatedMs, fencedMs: new Map(fencedMs), wasGated: isGated, seenMs: nowMs };
}

/**
 * Nothing in the API tells when others took their gates off, so that this counts from a leader's first look until a
 * leader has noted it (src/core/state/freed.ts): the watches of all replicas may have hung.
 */
const isKnownFreed = ({ replicas }: Witness, pod: PodFacts) =>
  !lacksFreedNote(pod) ||
  replicas.some(({ leads, ledger }) => leads && ledger.pods.get(pod.uid)?.gatedByOthers === false);

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
