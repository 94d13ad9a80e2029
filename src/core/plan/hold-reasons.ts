/** Why pods that wait do so today: those that stay gated, and those that nothing but a fence keeps out. */
import { type Books, isPromised } from "../state/cluster-state.ts";
import { Draft, toleratesFence } from "./plan-builder.ts";
import { Elsewhere } from "./compare-nodes.ts";
import type { NodeFacts, PodFacts, PodShape } from "../facts.ts";
import { fencesWork } from "../rules/node-fence.ts";
import { isJoiningTaint, opensTo } from "../placement/fit.ts";
import { Claims, fitsOnceJoined } from "./release-without-slot.ts";
import { judge } from "../rules/start-checks.ts";
import { costOf } from "../state/load.ts";
import type { Place } from "../placement/nodes-with-room.ts";
import { Replicas } from "./replica-spread.ts";
import type { Held, Hold } from "../verdict.ts";

/**
 * Today's reason for every pod that stays held.
 * @param elsewhere as the plan has spent slots by it.
 */
export function judgeWaiting(draft: Draft, elsewhere: Elsewhere): Held[] {
  const reasons = new Map<PodShape, Hold>();
  return [...draft.waiting.values()].map((pod) => {
    const known = pod.pinnedTo === undefined ? reasons.get(pod.shape) : undefined;
    const hold = known ?? waitingHold(draft, elsewhere, pod, draft.paced);
    if (pod.pinnedTo === undefined) reasons.set(pod.shape, hold);
    return { pod, hold };
  });
}

function waitingHold(draft: Draft, elsewhere: Elsewhere, pod: PodFacts, places: readonly Place[]): Hold {
  // Who fits a node as it is fits it once it has joined.
  const place =
    places.find(({ facts }) => opensTo(pod, facts)) ?? places.find(({ facts }) => fitsOnceJoined(draft, pod, facts));
  const node = pod.pinnedTo ?? (places.length === 1 ? place?.facts.name : undefined);
  if (!place) return { kind: "hold", reason: "AwaitingRelease", message: "waits for the leader's judgement", node };
  if (!opensTo(pod, place.facts)) return { ...nodeJoining(place.facts), node };
  const load = draft.load(place.facts);
  const cost = costOf(pod, load, draft.books.catalogue);
  const soonerOn = elsewhere.soonerOn(place, pod, cost);
  const beside = { onTheirWay: draft.onTheirWay, fetchersWaiting: Infinity, soonerOn };
  const verdict = judge(load, cost, draft.nowMs, beside);
  if (verdict.kind === "hold") return { ...verdict, node };
  return { kind: "hold", reason: "Outranked", message: `other pods go to node ${place.facts.name} first`, node };
}

function nodeJoining({ name, taints }: NodeFacts): Pick<Hold, "kind" | "reason" | "message"> {
  const taint = taints.find(isJoiningTaint)?.key ?? "a taint";
  return { kind: "hold", reason: "NodeJoining", message: `node ${name} is still joining (${taint})` };
}

/** Nobody reads of more pods than this at a time: Events are written a few a second. */
const MOST_KEPT_OUT = 500;

/** Pods without a gate that find room on a fenced node which would take them but for the fence; the first of them. */
export function keptOut(books: Books, nowMs: number): Held[] {
  const { policy, ledger } = books;
  if (!fencesWork(policy)) return [];
  const draft = new Draft(books, nowMs);
  const fenced = draft.paced.filter(({ facts }) => facts.fence !== undefined);
  const claims = new Claims(draft, fenced);
  const elsewhere = new Elsewhere(draft, fenced, new Replicas(draft), []);
  const kept: Held[] = [];
  for (const pod of fenced.length > 0 ? ledger.pending.pods() : []) {
    if (kept.length >= MOST_KEPT_OUT) break;
    if (!pod.unschedulable || draft.isExempt(pod.shape) || isPromised(books, pod, nowMs)) continue;
    const place = claims.claimFirst(pod);
    if (!place || !opensTo(pod, place.facts) || toleratesFence(pod, place.facts.fence?.value ?? "")) continue;
    kept.push({ pod, hold: { ...waitingHold(draft, elsewhere, pod, [place]), node: place.facts.name } });
  }
  return kept;
}
