/**
 * The extender's answers. Of the paced nodes asked for, one at most is offered at a time: the offer holds a slot there
 * until it is resolved, and kube-scheduler does not say which of several it will take.
 */
import type { AllowReason } from "../../api/reasons.ts";
import type { Books } from "../state/cluster-state.ts";
import { paceOf } from "../state/cluster-state.ts";
import { exempt } from "./exempt.ts";
import type { PodFacts } from "../facts.ts";
import { judge } from "./start-checks.ts";
import { costOf } from "../state/load.ts";
import { placeOf, type Place } from "../placement/nodes-with-room.ts";
import type { ReplicaState } from "../verdict.ts";
import type { NodeName } from "../ids.ts";
import { nodeName } from "../ids.ts";
import type { Hold, Offer } from "../verdict.ts";

/** Highest score of the extender protocol. */
const MAX_SCORE = 10;

/** filter: which of `names` may the pod go to now? */
export function offer(
  books: Books,
  pod: PodFacts,
  names: readonly string[],
  replica: ReplicaState,
  nowMs: number,
): Offer {
  const reason = allowAll(books, pod, replica);
  if (reason) return { accepted: names, refused: new Map(), reason };
  books.offers.resolve(pod.uid);
  const sorted = sortNodes(books, pod, names, nowMs);
  const chosen = roomiest(sorted.candidates);
  if (books.policy.mode === "observe") return { accepted: names, refused: new Map(), reason: "Observing" };
  if (chosen) books.offers.add(pod, chosen.node, nowMs);
  return answer(names, sorted, chosen);
}

function allowAll({ policy }: Books, pod: PodFacts, replica: ReplicaState): AllowReason | undefined {
  if (policy.mode === "off" || !policy.extender.enabled) return "PacingOff";
  if (!replica.synced) return "NotSynced";
  return exempt(pod.shape, policy) ? "Exempt" : undefined;
}

/** A paced node that could take the pod now. */
interface Candidate {
  readonly node: NodeName;
  /** Slots free there; Infinity where the pod has a promise of its own. */
  readonly free: number;
}

interface Sorted {
  readonly settled: ReadonlySet<string>;
  readonly candidates: readonly Candidate[];
  readonly refused: Map<string, Hold>;
}

function sortNodes(books: Books, pod: PodFacts, names: readonly string[], nowMs: number): Sorted {
  const settled = new Set<string>();
  const candidates: Candidate[] = [];
  const refused = new Map<string, Hold>();
  for (const name of names) {
    const place = placeOf(books, nodeName(name));
    if (!place || paceOf(books, place.facts, nowMs) === "settled") {
      settled.add(name); // an unknown node is no reason to stop a pod: fails open
      continue;
    }
    const judged = judgePlace(books, pod, place, nowMs);
    if ("free" in judged) candidates.push(judged);
    else refused.set(name, judged);
  }
  return { settled, candidates, refused };
}

/**
 * A pod that the leader promised a slot here is judged by the slots that are really held: the promise is its own. The
 * others' promises count against everybody else.
 */
function judgePlace(books: Books, pod: PodFacts, { facts }: Place, nowMs: number): Candidate | Hold {
  const load = books.loadOf(facts, nowMs);
  const promised = load.reserved.some(({ uid }) => uid === pod.uid);
  const occupied = load.inStartup.length + load.offered.length;
  if (promised && occupied < load.limit.slots) return { node: facts.name, free: Infinity };
  const verdict = judge(load, costOf(pod, load, books.catalogue), nowMs);
  return verdict.kind === "hold" ? verdict : { node: facts.name, free: load.limit.slots - load.held };
}

const roomiest = (candidates: readonly Candidate[]) =>
  candidates.reduce<Candidate | undefined>((best, next) => (best && best.free >= next.free ? best : next), undefined);

function answer(
  names: readonly string[],
  { settled, candidates, refused }: Sorted,
  chosen: Candidate | undefined,
): Offer {
  for (const { node } of candidates) {
    if (chosen && node !== chosen.node) refused.set(node, offeredElsewhere(node, chosen.node));
  }
  const accepted = names.filter((name) => settled.has(name) || name === chosen?.node);
  return { accepted, refused, reason: reasonOf(accepted, refused, chosen) };
}

function reasonOf(accepted: readonly string[], refused: ReadonlyMap<string, Hold>, chosen: Candidate | undefined) {
  if (chosen) return chosen.free === Infinity ? "SlotReserved" : "SlotFree";
  const [first] = refused.values();
  return accepted.length === 0 && first ? first.reason : "NodeSettled";
}

const offeredElsewhere = (node: NodeName, better: NodeName): Hold => ({
  kind: "hold",
  reason: "OfferedElsewhere",
  message: `node ${better} has more startup slots free than node ${node}`,
  node,
});

/** prioritize: 0 (busy) to 10 (free) for each of `names`. */
export function score(books: Books, names: readonly string[], nowMs: number): readonly number[] {
  return names.map((name) => {
    const place = placeOf(books, nodeName(name));
    return place ? placeScore(books, place, nowMs) : MAX_SCORE;
  });
}

function placeScore(books: Books, { facts }: Place, nowMs: number): number {
  const { startupWeight, awaitWeight } = books.policy.extender;
  const weights = startupWeight + awaitWeight;
  if (weights === 0) return MAX_SCORE;
  const { held, limit, sample, nodeClass } = books.loadOf(facts, nowMs);
  const startup = Math.min(1, held / limit.slots);
  const wait = Math.min(1, (sample?.awaitMs ?? 0) / nodeClass.awaitMs.hot);
  return Math.round(MAX_SCORE * (1 - (startupWeight * startup + awaitWeight * wait) / weights));
}
