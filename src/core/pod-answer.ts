/** Why a pod that is asked about waits, and until when at the latest: for the status page and `paceline status`. */
import type { PodFacts } from "./facts.ts";
import type { NodeName } from "./ids.ts";
import { SECOND_MS } from "./measures.ts";
import { exempt } from "./rules/exempt.ts";
import type { ClusterState } from "./state/cluster-state.ts";
import { hasReservation } from "./state/reservations.ts";
import { heldNow, type HeldStatus, type LastPlan } from "./status.ts";

/** `waiting`: on no node, and Paceline does not hold it. `starting`: bound, not started yet. */
export type PodState = "unknown" | "held" | "waiting" | "starting" | "started" | "ended";

export interface PodAnswer {
  readonly namespace: string;
  readonly name: string;
  readonly state: PodState;
  /** One sentence. */
  readonly message: string;
  /** The node that it is on or waits for. */
  readonly node?: NodeName | undefined;
  /** Of a held pod. */
  readonly held?: HeldStatus;
}

type Said = Pick<PodAnswer, "state" | "message" | "node" | "held">;

/** Of several pods that had the name one after the other, the newest one. */
export function podAnswer(
  state: ClusterState,
  lastPlan: LastPlan | undefined,
  asked: { readonly namespace: string; readonly name: string },
  nowMs: number,
): PodAnswer {
  let found: PodFacts | undefined;
  for (const pod of state.ledger.pods.values()) {
    if (pod.name !== asked.name || pod.namespace !== asked.namespace) continue;
    if (!found || pod.createdAtMs >= found.createdAtMs) found = pod;
  }
  return { ...asked, ...(found ? said(state, lastPlan, found, nowMs) : UNKNOWN) };
}

const UNKNOWN: Said = {
  state: "unknown",
  message: "no such pod is known here: it does not exist, it has ended, or namespace or name are spelt otherwise",
};

function said(state: ClusterState, lastPlan: LastPlan | undefined, pod: PodFacts, nowMs: number): Said {
  if (pod.terminal || pod.deleting) return { state: "ended", message: "it has ended, or is being deleted" };
  if (pod.node !== undefined) return onItsNode(state, pod, pod.node);
  const held = heldNow(state, lastPlan, pod, nowMs);
  if (held) return { state: "held", message: held.message, node: held.node, held };
  return { state: "waiting", ...notHeld(state, pod, nowMs) };
}

function onItsNode(state: ClusterState, pod: PodFacts, node: NodeName): Said {
  if (!state.ledger.nodes.get(node)?.starting.has(pod.uid))
    return { state: "started", node, message: `it has started on node ${node}: Paceline does not hold it` };
  if (pod.waitingOn !== undefined)
    return { state: "starting", node, message: `it is on node ${node} and cannot start there: ${pod.waitingOn}` };
  return { state: "starting", node, message: `it is on node ${node}, not started yet, and nothing holds it` };
}

/** Only kube-scheduler can say more of it. */
function notHeld(state: ClusterState, pod: PodFacts, nowMs: number): Pick<Said, "message" | "node"> {
  const { reservation, release } = pod;
  if (pod.gatedByOthers) return { message: "gates of others hold it, and Paceline does not" };
  if (exempt(pod.shape, state.policy, state.namespaces))
    return { message: "it is exempt from pacing, so only kube-scheduler decides where and when it goes" };
  if (reservation && hasReservation(state, pod, nowMs)) {
    const { node } = reservation;
    return { node, message: `it has a slot on node ${node}: kube-scheduler is to bind it within seconds` };
  }
  const refused = pod.unschedulable ? "kube-scheduler has found no node for it" : "kube-scheduler is to look at it";
  if (!release) return { message: `Paceline does not hold it: ${refused}; see the pod's Events` };
  const heldSeconds = Math.round(release.heldMs / SECOND_MS);
  return { message: `Paceline held it for ${heldSeconds} s and has let it go: ${refused}; see the pod's Events` };
}
