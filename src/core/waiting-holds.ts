/** Why pods that wait do so today: those that stay gated, and those that nothing but a fence keeps out. */
import { type Books, isPromised } from "./books.ts";
import { Draft, toleratesFence } from "./draft.ts";
import type { NodeFacts, PodFacts, PodShape } from "./facts.ts";
import { isJoiningTaint, opensTo } from "./fit.ts";
import { Claims, fitsOnceJoined } from "./held.ts";
import { judge } from "./judge.ts";
import { costOf } from "./load.ts";
import type { Place } from "./places.ts";
import type { Held, Hold } from "./verdict.ts";

/** Today's reason for every pod that stays held. */
export function judgeWaiting(draft: Draft): Held[] {
  const reasons = new Map<PodShape, Hold>();
  return [...draft.waiting.values()].map((pod) => {
    const known = pod.pinnedTo === undefined ? reasons.get(pod.shape) : undefined;
    const hold = known ?? waitingHold(draft, pod, draft.paced);
    if (pod.pinnedTo === undefined) reasons.set(pod.shape, hold);
    return { pod, hold };
  });
}

function waitingHold(draft: Draft, pod: PodFacts, places: readonly Place[]): Hold {
  const fitting = places.filter(({ facts }) => fitsOnceJoined(draft, pod, facts));
  const place = fitting.find(({ facts }) => opensTo(pod, facts)) ?? fitting[0];
  const node = pod.pinnedTo ?? (places.length === 1 ? place?.facts.name : undefined);
  if (!place) return { kind: "hold", reason: "AwaitingRelease", message: "waits for the leader's judgement", node };
  if (!opensTo(pod, place.facts)) return { ...nodeJoining(place.facts), node };
  const load = draft.load(place.facts);
  const verdict = judge(load, costOf(pod, load, draft.books.catalogue), draft.nowMs);
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
  if (policy.mode !== "enforce" || !policy.fence.enabled) return [];
  const draft = new Draft(books, nowMs);
  const fenced = draft.paced.filter(({ facts }) => facts.fence !== undefined);
  const claims = new Claims(draft, fenced);
  const kept: Held[] = [];
  for (const pod of fenced.length > 0 ? ledger.pending.pods() : []) {
    if (kept.length >= MOST_KEPT_OUT) break;
    if (!pod.unschedulable || draft.isExempt(pod.shape) || isPromised(books, pod, nowMs)) continue;
    const place = claims.claimFirst(pod);
    if (!place || !opensTo(pod, place.facts) || toleratesFence(pod, place.facts.fence?.value ?? "")) continue;
    kept.push({ pod, hold: { ...waitingHold(draft, pod, [place]), node: place.facts.name } });
  }
  return kept;
}
