/**
 * Pod admission: holds a pod that can go only to young or hot nodes, or that brings images and might go to a young one.
 * It assigns no slot of these; only the leader does. Of settled nodes it gives room away itself, and counts what it has
 * given.
 */
import { type AllowReason, holdReasons } from "../../api/reasons.ts";
import type { PodFacts } from "../facts.ts";
import type { NodeName } from "../ids.ts";
import { fitsNode, fitsPacedNode, knownNode } from "../placement/known-node.ts";
import type { OpenNodes } from "../placement/open-nodes.ts";
import type { Given, SettledNodes } from "../placement/settled-nodes.ts";
import type { ClusterState } from "../state/cluster-state.ts";
import { paceOf } from "../state/pace.ts";
import type { Allow, Hold, ReplicaState, Verdict } from "../verdict.ts";
import { exempt } from "./exempt.ts";

const allow = (reason: AllowReason): Allow => ({ kind: "allow", reason });

/** What admission looks at. */
export interface Asked {
  readonly state: ClusterState;
  readonly settled: SettledNodes;
  readonly open: OpenNodes;
  /** Nothing comes of the answer, so nothing is counted as given. */
  readonly dryRun?: boolean | undefined;
}

/** The webhook's verdict on a pod that is being created. */
export function admit(asked: Asked, pod: PodFacts, replica: ReplicaState, nowMs: number): Verdict {
  const { state } = asked;
  const reason = failsOpen(state, replica) ?? notOurs(state, pod);
  if (reason) return allow(reason);
  const verdict = verdictOn(asked, pod, nowMs);
  if (verdict.kind === "hold" && state.policy.mode === "observe") return { ...allow("Observing"), would: verdict };
  return verdict;
}

/**
 * Where a pod may start that others gate as well shows only when they let it go. Nothing can gate it then, so it is
 * gated now, and the leader looks at it then.
 */
function verdictOn(asked: Asked, pod: PodFacts, nowMs: number): Verdict {
  const { pinnedTo, gatedByOthers } = pod;
  if (gatedByOthers) return { kind: "hold", reason: "OtherGates", message: holdReasons.OtherGates, node: pinnedTo };
  return pinnedTo === undefined ? unpinnedVerdict(asked, pod, nowMs) : pinnedVerdict(asked.state, pod, pinnedTo, nowMs);
}

/** Hold nothing unless a leader is alive to release it, and this replica has seen the whole cluster. */
function failsOpen({ policy }: ClusterState, { synced, leaderAlive }: ReplicaState): AllowReason | undefined {
  if (policy.mode === "off" || !policy.gate.enabled) return "PacingOff";
  if (!synced) return "NotSynced";
  return leaderAlive ? undefined : "NoLeader";
}

function notOurs({ policy, namespaces }: ClusterState, pod: PodFacts): AllowReason | undefined {
  if (pod.node !== undefined) return "AlreadyBound";
  if (exempt(pod.shape, policy, namespaces)) return "Exempt";
  return pod.gated ? "AlreadyGated" : undefined;
}

function unpinnedVerdict({ state, settled, open, dryRun }: Asked, pod: PodFacts, nowMs: number): Verdict {
  const young = open.find(state, pod, nowMs);
  if (young) return awaiting(`node ${young.facts.name} is young and stands open: the leader chooses`, undefined);
  const room = settled.find(state, pod, nowMs, admitted(state, nowMs));
  if (room?.saturated) return awaiting(`no settled node can feed it now: ${room.saturated.message}`, undefined);
  if (room) {
    if (!dryRun) state.admitted.add(pod, room.node.facts.name, nowMs);
    return allow("SettledNodeFits");
  }
  if (!fitsPacedNode(state, pod, nowMs)) return allow("NoNodeFits");
  return awaiting("only young or hot nodes have room for this pod", undefined);
}

/**
 * What admission has given away, and nothing shows yet, counts for admission alone: creations that are refused after
 * this webhook must not use up room that the leader gives.
 */
const admitted = (state: ClusterState, nowMs: number): Given => ({
  claimants: (node) => state.admitted.livePods(node, nowMs),
  load: (facts) => state.loadOf(facts, nowMs, state.admitted.unseenPods(facts.name, nowMs)),
});

function pinnedVerdict(state: ClusterState, pod: PodFacts, name: NodeName, nowMs: number): Verdict {
  const node = knownNode(state, name);
  if (!node) return allow("NodeUnknown");
  const pace = paceOf(state, node.facts, nowMs);
  if (pace === "settled") return allow("NodeSettled");
  if (!fitsNode(state, pod, node, [], nowMs)) return allow("NoNodeFits");
  return awaiting(`node ${name} is ${pace}`, name);
}

const awaiting = (message: string, node: Hold["node"]): Hold => ({
  kind: "hold",
  reason: "AwaitingRelease",
  message,
  node,
});
