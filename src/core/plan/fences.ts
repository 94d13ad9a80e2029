/** Which fences change: adopted when somebody else put them up, lifted when they have done their work or their time. */
import { matchesSelector } from "../../policy/resolve.ts";
import { paceOf, youngUntilMs } from "../state/cluster-state.ts";
import type { Draft } from "./plan-builder.ts";
import { toleratesFence } from "./plan-builder.ts";
import type { NodeFacts, PodFacts } from "../facts.ts";
import { fencesWork, fenceValue } from "../rules/node-fence.ts";
import { fitsNow, fitsOnceJoined } from "./release-without-slot.ts";
import type { Place } from "../placement/nodes-with-room.ts";
import { SECOND_MS } from "../ids.ts";
import type { LiftReason } from "../../api/reasons.ts";
import type { FenceAction } from "../verdict.ts";

/**
 * A Ready node keeps its fence at least this long though nothing seems to wait for it: its DaemonSet pods and the
 * scheduler's verdicts on pending pods arrive in these seconds. Assumed, ms.
 */
const SETTLE_IN_MS = 5_000;

/**
 * A node that is not Ready after this long gets no help from a fence: perhaps a network agent that does not tolerate it
 * is what is missing. Nodes become Ready within a minute or two of registering. Assumed, ms.
 */
const JOIN_PATIENCE_MS = 180_000;

/**
 * A fence that is lifted makes the scheduler look again at every pod that it kept out. More than so many that find no room on
 * the node are not worth it: meanwhile the scheduler binds nobody else (1.5 ms each, scheduler_perf). Assumed.
 */
const MOST_TRIED_IN_VAIN = 500;

export function planFences(draft: Draft): FenceAction[] {
  return draft.paced.map((place) => fenceAction(draft, place)).filter((action) => action !== undefined);
}

function fenceAction(draft: Draft, place: Place): FenceAction | undefined {
  const { facts: node } = place;
  if (!node.fence) return undefined;
  const reason = liftReason(draft, place, node.fence);
  if (reason) return { kind: "lift", node, reason };
  const value = fenceValue(node.name);
  return node.fence.value === value ? undefined : { kind: "adopt", node, value };
}

function liftReason(draft: Draft, place: Place, fence: NonNullable<NodeFacts["fence"]>): LiftReason | undefined {
  const { books, nowMs } = draft;
  const { policy } = books;
  if (!fencesWork(policy)) return "PacingOff";
  if (!matchesSelector(policy.fence.nodeSelector, place.facts.labels)) return "NotSelected";
  const capMs = (fence.sinceMs ?? place.facts.createdAtMs) + policy.fence.maxSeconds * SECOND_MS;
  draft.wake(capMs);
  draft.wake(youngUntilMs(books, place.facts));
  if (nowMs >= capMs) return "FenceCapReached";
  if (paceOf(books, place.facts, nowMs) !== "young") return "NodeSettled";
  if (nowMs >= joinedByMs(draft, place.facts)) return "NodeNotReady";
  return hasNoUse(draft, place) ? "NothingPending" : undefined;
}

function joinedByMs(draft: Draft, { readySinceMs, notReadySinceMs, createdAtMs }: NodeFacts): number {
  if (readySinceMs !== undefined) return Infinity;
  const atMs = (notReadySinceMs ?? createdAtMs) + JOIN_PATIENCE_MS;
  draft.wake(atMs);
  return atMs;
}

function hasNoUse(draft: Draft, place: Place): boolean {
  const { facts } = place;
  if (facts.readySinceMs === undefined || facts.unschedulable) return false; // who would fit shows when it opens
  draft.wake(facts.readySinceMs + SETTLE_IN_MS);
  if (draft.nowMs < facts.readySinceMs + SETTLE_IN_MS || draft.load(facts).held > 0) return false;
  return !isWorthKeeping(draft, place);
}

/** Somebody waits who fits beside what is there, or so many who do not that the scheduler must not try them all. */
function isWorthKeeping(draft: Draft, place: Place): boolean {
  const { ledger } = draft.books;
  const value = place.facts.fence?.value ?? "";
  for (const pod of draft.waiting.values()) if (wants(draft, pod, place)) return true;
  for (const pod of ledger.pending.pinnedTo(place.facts.name)) {
    if (isKeptOut(draft, pod, value) && wants(draft, pod, place)) return true;
  }
  let inVain = 0;
  for (const [, alike] of ledger.pending.shapes()) {
    const pod = firstKeptOut(draft, alike.pods(), value);
    if (!pod || !fitsOnceJoined(draft, pod, place.facts)) continue;
    inVain += alike.size;
    if (inVain > MOST_TRIED_IN_VAIN || fitsNow(draft, pod, place)) return true;
  }
  return false;
}

/** The first pod of its kind that does not pass the fence by itself; one stands for all. */
function firstKeptOut(draft: Draft, alike: Iterable<PodFacts>, value: string): PodFacts | undefined {
  for (const pod of alike) if (isKeptOut(draft, pod, value)) return pod;
  return undefined;
}

const isKeptOut = (draft: Draft, pod: PodFacts, value: string) => !draft.hasLeft(pod) && !toleratesFence(pod, value);

function wants(draft: Draft, pod: PodFacts, place: Place): boolean {
  return fitsOnceJoined(draft, pod, place.facts) && fitsNow(draft, pod, place);
}
