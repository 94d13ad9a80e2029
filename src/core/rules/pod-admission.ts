/** Pod admission: hold what can go nowhere but to young or hot nodes. Spends no slot; only the leader does. */
import type { AllowReason } from "../../api/reasons.ts";
import type { Books } from "../state/cluster-state.ts";
import { paceOf } from "../state/cluster-state.ts";
import { exempt } from "./exempt.ts";
import type { PodFacts } from "../facts.ts";
import type { SettledRoom } from "../placement/nodes-with-room.ts";
import { fitsPacedPlace, fitsPlace, placeOf } from "../placement/nodes-with-room.ts";
import type { ReplicaState } from "../verdict.ts";
import type { Allow, Hold, Verdict } from "../verdict.ts";

const allow = (reason: AllowReason): Allow => ({ kind: "allow", reason });

/** The webhook's verdict on a pod that is being created. */
export function admit(
  books: Books,
  settled: SettledRoom,
  pod: PodFacts,
  replica: ReplicaState,
  nowMs: number,
): Verdict {
  const reason = failsOpen(books, replica) ?? notOurs(books, pod);
  if (reason) return allow(reason);
  const verdict = placeVerdict(books, settled, pod, nowMs);
  if (verdict.kind === "hold" && books.policy.mode === "observe") return { ...allow("Observing"), would: verdict };
  return verdict;
}

/** What is held must be released by somebody, and judged by somebody who sees the cluster. */
function failsOpen({ policy }: Books, { synced, leaderAlive }: ReplicaState): AllowReason | undefined {
  if (policy.mode === "off" || !policy.gate.enabled) return "PacingOff";
  if (!synced) return "NotSynced";
  return leaderAlive ? undefined : "NoLeader";
}

function notOurs({ policy }: Books, pod: PodFacts): AllowReason | undefined {
  if (pod.node !== undefined) return "AlreadyBound";
  if (pod.gated) return "AlreadyGated";
  if (exempt(pod.shape, policy)) return "Exempt";
  return pod.shape.interPodRules && pod.pinnedTo === undefined ? "InterPodRules" : undefined;
}

function placeVerdict(books: Books, settled: SettledRoom, pod: PodFacts, nowMs: number): Verdict {
  if (pod.pinnedTo !== undefined) return pinnedVerdict(books, pod, pod.pinnedTo, nowMs);
  if (settled.find(books, pod, nowMs)) return allow("SettledNodeFits");
  if (!fitsPacedPlace(books, pod, nowMs)) return allow("NoNodeFits");
  return awaiting("only young or hot nodes have room for this pod", undefined);
}

function pinnedVerdict(books: Books, pod: PodFacts, name: NonNullable<PodFacts["pinnedTo"]>, nowMs: number): Verdict {
  const place = placeOf(books, name);
  if (!place) return allow("NodeUnknown");
  const pace = paceOf(books, place.facts, nowMs);
  if (pace === "settled") return allow("NodeSettled");
  if (!fitsPlace(books, pod, place, [], nowMs)) return allow("NoNodeFits");
  return awaiting(`node ${name} is ${pace}`, name);
}

const awaiting = (message: string, node: Hold["node"]): Hold => ({
  kind: "hold",
  reason: "AwaitingRelease",
  message,
  node,
});
