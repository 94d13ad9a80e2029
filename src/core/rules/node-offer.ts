/**
 * The extender's answers. At most one of the paced nodes asked for is offered at a time: the offer uses a slot there
 * until it is resolved, and kube-scheduler does not say which of several nodes it will take.
 */
import type { AllowReason } from "../../api/reasons.ts";
import type { PodFacts } from "../facts.ts";
import { nodeName, type NodeName } from "../ids.ts";
import { knownNode, type KnownNode } from "../placement/known-node.ts";
import type { ClusterState } from "../state/cluster-state.ts";
import { costOf } from "../state/load.ts";
import { paceOf } from "../state/pace.ts";
import type { Hold, Offer, ReplicaState } from "../verdict.ts";
import { SECOND_MS } from "../measures.ts";
import { exempt } from "./exempt.ts";
import { wentNearCap } from "./hold-cap.ts";
import { checkStart } from "./start-checks.ts";

/** Highest score of the extender protocol. */
const MAX_SCORE = 10;

/** filter: which of `names` may the pod go to now? */
export function offer(
  state: ClusterState,
  pod: PodFacts,
  names: readonly string[],
  replica: ReplicaState,
  nowMs: number,
): Offer {
  const reason = allowAll(state, pod, replica);
  if (reason) return { accepted: names, refused: new Map(), reason };
  state.offers.resolve(pod.uid);
  const sorted = sortNodes(state, pod, names, nowMs);
  const chosen = withMostFree(sorted.candidates);
  if (state.policy.mode === "observe") return { accepted: names, refused: new Map(), reason: "Observing" };
  if (chosen) state.offers.add(pod, chosen.node, state.offerMs, nowMs);
  return answer(names, sorted, chosen);
}

function allowAll({ policy, namespaces }: ClusterState, pod: PodFacts, replica: ReplicaState): AllowReason | undefined {
  if (policy.mode === "off" || !policy.extender.enabled) return "PacingOff";
  if (!replica.synced) return "NotSynced";
  return exempt(pod.shape, policy, namespaces) ? "Exempt" : undefined;
}

/** A paced node that could take the pod now. */
interface Candidate {
  readonly node: NodeName;
  /** Slots free there; Infinity where one is reserved for the pod. */
  readonly free: number;
}

interface Sorted {
  readonly settled: ReadonlySet<string>;
  readonly candidates: readonly Candidate[];
  readonly refused: Map<string, Hold>;
}

function sortNodes(state: ClusterState, pod: PodFacts, names: readonly string[], nowMs: number): Sorted {
  const settled = new Set<string>();
  const candidates: Candidate[] = [];
  const refused = new Map<string, Hold>();
  for (const name of names) {
    const node = knownNode(state, nodeName(name));
    if (!node || paceOf(state, node.facts, nowMs) === "settled") {
      settled.add(name); // an unknown node is no reason to stop a pod: fails open
      continue;
    }
    const checked = checkNode(state, pod, node, nowMs);
    if ("free" in checked) candidates.push(checked);
    else refused.set(name, checked);
  }
  return { settled, candidates, refused };
}

/**
 * A pod with a reservation here only needs a slot that is free of pods in startup and offers; others count
 * reservations, too. One that was let go near its hold cap needs none, nor does one of a gang, whose other pods the
 * scheduler has taken already.
 */
function checkNode(state: ClusterState, pod: PodFacts, { facts }: KnownNode, nowMs: number): Candidate | Hold {
  const load = state.loadOf(facts, nowMs);
  const isReserved = load.reserved.some(({ uid }) => uid === pod.uid);
  const occupied = load.inStartup.length + load.offered.length;
  if (isReserved && occupied < load.limit.slots) return { node: facts.name, free: Infinity };
  const free = load.limit.slots - load.slotsInUse;
  if (pod.gang !== undefined || wentNearCap(pod, state.policy.maxHoldSeconds * SECOND_MS)) {
    return { node: facts.name, free: isReserved ? Infinity : free };
  }
  const verdict = checkStart(load, costOf(pod, load, state.catalogue), nowMs);
  return verdict.kind === "hold" ? verdict : { node: facts.name, free };
}

const withMostFree = (candidates: readonly Candidate[]) =>
  candidates.reduce<Candidate | undefined>((best, next) => (best && best.free >= next.free ? best : next), undefined);

function answer(
  names: readonly string[],
  { settled, candidates, refused }: Sorted,
  chosen: Candidate | undefined,
): Offer {
  for (const { node } of candidates) {
    if (chosen && node !== chosen.node) refused.set(node, offeredOther(node, chosen.node));
  }
  const accepted = names.filter((name) => settled.has(name) || name === chosen?.node);
  return { accepted, refused, reason: reasonOf(accepted, refused, chosen) };
}

function reasonOf(accepted: readonly string[], refused: ReadonlyMap<string, Hold>, chosen: Candidate | undefined) {
  if (chosen) return chosen.free === Infinity ? "SlotReserved" : "SlotFree";
  const [first] = refused.values();
  return accepted.length === 0 && first ? first.reason : "NodeSettled";
}

const offeredOther = (node: NodeName, better: NodeName): Hold => ({
  kind: "hold",
  reason: "OfferedOtherNode",
  message: `node ${better} has more startup slots free than node ${node}`,
  node,
});

/** prioritize: 0 (busy) to 10 (free) for each of `names`. */
export function score(state: ClusterState, names: readonly string[], nowMs: number): readonly number[] {
  return names.map((name) => {
    const node = knownNode(state, nodeName(name));
    return node && !state.isLeftOut(node.facts) ? nodeScore(state, node, nowMs) : MAX_SCORE;
  });
}

function nodeScore(state: ClusterState, { facts }: KnownNode, nowMs: number): number {
  const { startupWeight, awaitWeight } = state.policy.extender;
  const weights = startupWeight + awaitWeight;
  if (weights === 0) return MAX_SCORE;
  const { slotsInUse, limit, sample, nodeClass } = state.loadOf(facts, nowMs);
  const startup = Math.min(1, slotsInUse / limit.slots);
  const wait = Math.min(1, (sample?.awaitMs ?? 0) / nodeClass.awaitMs.hot);
  return Math.round(MAX_SCORE * (1 - (startupWeight * startup + awaitWeight * wait) / weights));
}
