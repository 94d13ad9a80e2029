/** Why pods that wait do so today: those that stay gated, and those that only a fence keeps out. */
import { holdReasons } from "../../api/reasons.ts";
import type { NodeFacts, PodFacts, PodShape } from "../facts.ts";
import { isSchedulableNow } from "../placement/fit.ts";
import { isJoiningTaint } from "../state/joining-taints.ts";
import type { KnownNode } from "../placement/known-node.ts";
import { fencesWork, toleratesFence } from "../rules/node-fence.ts";
import { checkStart } from "../rules/start-checks.ts";
import type { ClusterState } from "../state/cluster-state.ts";
import { costOf } from "../state/load.ts";
import { openRollCall } from "../state/open-roll-call.ts";
import { hasReservation } from "../state/reservations.ts";
import type { Held, Hold, SetAside } from "../verdict.ts";
import { Claims, fitsOnceJoined } from "./claims.ts";
import { PlanBuilder } from "./plan-builder.ts";

/** Today's reason for every pod that stays gated. */
export function holdsOf(plan: PlanBuilder): Held[] {
  const holds = new Map<PodShape, Hold>();
  const nodes = [...plan.paced, ...plan.settledTargets.values()];
  const waiting = [...plan.waiting.values()].map((pod): Held => {
    const known = pod.pinnedTo === undefined ? holds.get(pod.shape) : undefined;
    const hold = known ?? waitingHold(plan, pod, nodes);
    if (pod.pinnedTo === undefined) holds.set(pod.shape, hold);
    return { pod, hold };
  });
  return [...waiting, ...plan.blocked.map((pod) => ({ pod, hold: otherGates(pod) })), ...gatedAside(plan)];
}

const otherGates = ({ pinnedTo }: PodFacts): Hold => ({
  kind: "hold",
  reason: "OtherGates",
  message: holdReasons.OtherGates,
  node: pinnedTo,
});

/** Gated pods that the plan leaves alone. */
function gatedAside(plan: PlanBuilder): Held[] {
  const { pods } = plan.state.ledger;
  return [...plan.aside].flatMap(([uid, why]) => {
    const pod = pods.get(uid);
    return pod?.gated && pod.node === undefined ? [{ pod, hold: asideHold(pod, why) }] : [];
  });
}

/** `why` is empty where another client was changing the pod: that is over in a moment, and told nowhere. */
const asideHold = (pod: PodFacts, why: string): Hold =>
  why === ""
    ? {
        kind: "hold",
        reason: pod.hold?.reason ?? "AwaitingRelease",
        message: "it is being changed",
        node: pod.pinnedTo,
      }
    : { ...writeFailed(why), node: pod.pinnedTo };

const writeFailed = (why: string): Pick<Hold, "kind" | "reason" | "message"> => ({
  kind: "hold",
  reason: "WriteFailed",
  message: `its release is tried again: ${why}`,
});

function waitingHold(plan: PlanBuilder, pod: PodFacts, nodes: readonly KnownNode[]): Hold {
  // A pod that fits a node as it is also fits it once it has joined.
  const shown =
    nodes.find(({ facts }) => isSchedulableNow(pod, facts)) ??
    nodes.find(({ facts }) => fitsOnceJoined(plan, pod, facts));
  const node = pod.pinnedTo ?? (nodes.length === 1 ? shown?.facts.name : undefined);
  const why = plan.aside.get(pod.uid);
  if (why) return { ...writeFailed(why), node };
  if (!shown) return { kind: "hold", reason: "AwaitingRelease", message: "waits for the leader to look at it", node };
  if (!isSchedulableNow(pod, shown.facts)) return { ...nodeJoining(shown.facts), node };
  if (plan.isRefused(pod.shape, shown.facts)) return { ...refusedLike(shown.facts), node };
  const load = plan.load(shown.facts);
  const cost = costOf(pod, load, plan.state.catalogue);
  const verdict = checkStart(load, cost, plan.nowMs, plan.onTheirWay);
  if (verdict.kind === "hold") return { ...verdict, node };
  return { kind: "hold", reason: "LowerPriority", message: `other pods go to node ${shown.facts.name} first`, node };
}

const refusedLike = ({ name }: NodeFacts): Pick<Hold, "kind" | "reason" | "message"> => ({
  kind: "hold",
  reason: "InterPodRules",
  message: `kube-scheduler refuses a pod like it on node ${name}: it waits for a slot of another node`,
});

function nodeJoining(node: NodeFacts): Pick<Hold, "kind" | "reason" | "message"> {
  const { name, taints } = node;
  const taint = openRollCall(node)
    ? "roll call: its DaemonSet pods come first"
    : (taints.find(isJoiningTaint)?.key ?? "a taint");
  return { kind: "hold", reason: "NodeJoining", message: `node ${name} is still joining (${taint})` };
}

/** Events are written a few a second, so more pods than this are not told of at a time. */
const MOST_KEPT_OUT = 500;

/** Pods without a gate that would find room on a fenced node if it were not for the fence; the first of them. */
export function keptOut(state: ClusterState, nowMs: number, aside?: SetAside): Held[] {
  const { policy, ledger } = state;
  if (!fencesWork(policy)) return [];
  const plan = new PlanBuilder(state, nowMs, aside);
  const fenced = plan.paced.filter(({ facts }) => facts.fence !== undefined);
  const claims = new Claims(plan, fenced);
  const kept: Held[] = [];
  for (const pod of fenced.length > 0 ? ledger.pending.pods() : []) {
    if (kept.length >= MOST_KEPT_OUT) break;
    if (!pod.unschedulable || plan.isExempt(pod.shape) || hasReservation(state, pod, nowMs)) continue;
    const node = claims.claimFirst(pod);
    if (!node || !isSchedulableNow(pod, node.facts) || toleratesFence(pod, node.facts.fence?.value ?? "")) continue;
    kept.push({ pod, hold: { ...waitingHold(plan, pod, [node]), node: node.facts.name } });
  }
  return kept;
}
