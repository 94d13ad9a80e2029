/** What the status page, `/status.json` and the metrics show: the core's own figures, not a second opinion. */
import { holdReasons } from "../api/reasons.ts";
import type { NodeFacts, NodeSample, PodFacts } from "./facts.ts";
import { sampleState } from "./leader-figures.ts";
import { SECOND_MS } from "./measures.ts";
import { isPaced, type KnownNode, pacedNodes } from "./placement/known-node.ts";
import { isSaturated } from "./placement/settled-nodes.ts";
import { keptOut } from "./plan/hold-reasons.ts";
import type { ClusterState } from "./state/cluster-state.ts";
import { gatedSpan, type HoldSpan, keptOutSpan } from "./state/hold-span.ts";
import { openRollCall } from "./state/open-roll-call.ts";
import { drainSeconds, drainTargetSeconds } from "./state/load.ts";
import { paceOf, youngUntilMs } from "./state/pace.ts";
import type { ClusterStatus, Held, Hold, NodeStatus } from "./verdict.ts";

/**
 * A plan's reasons count for this long, ms: a leader plans every few seconds; a replica that has lost the lead plans no
 * more.
 */
const LAST_PLAN_COUNTS_MS = 10_000;

export type HeldStatus = ClusterStatus["held"][number];

/** The reasons of a replica's last plan. */
export interface LastPlan {
  readonly held: readonly Held[];
  readonly atMs: number;
}

/** @param lastPlan of this replica; undefined where it has made none. */
export function status(state: ClusterState, lastPlan: LastPlan | undefined, nowMs: number): ClusterStatus {
  const shown: NodeStatus[] = pacedNodes(state, nowMs).map((node) =>
    nodeStatus(state, node, shownState(state, node.facts, nowMs), nowMs),
  );
  let settledNodes = 0;
  let leftOutNodes = 0;
  for (const entry of state.ledger.nodes.values()) {
    const { facts } = entry;
    if (!facts || isPaced(state, facts, nowMs)) continue;
    if (isSaturated(state, { entry, facts }, nowMs))
      shown.push(nodeStatus(state, { entry, facts }, "saturated", nowMs));
    else if (state.isLeftOut(facts)) leftOutNodes += 1;
    else settledNodes += 1;
  }
  return {
    mode: state.policy.mode,
    nodes: shown,
    settledNodes,
    leftOutNodes,
    held: [
      ...heldPods(state, lastPlan, nowMs).map((one) => heldStatus(one, gatedSpan(state, one.pod, nowMs), nowMs)),
      ...keptOut(state, nowMs).map((one) => heldStatus(one, keptOutSpan(state, one, nowMs), nowMs)),
    ],
  };
}

/** Today's answer for one pod; undefined: Paceline does not hold it. */
export function heldNow(
  state: ClusterState,
  lastPlan: LastPlan | undefined,
  pod: PodFacts,
  nowMs: number,
): HeldStatus | undefined {
  if (pod.gated) {
    const [one] = heldPods(state, lastPlan, nowMs, [pod]);
    return one && heldStatus(one, gatedSpan(state, pod, nowMs), nowMs);
  }
  const one = pod.unschedulable ? keptOut(state, nowMs).find(({ pod: { uid } }) => uid === pod.uid) : undefined;
  return one && heldStatus(one, keptOutSpan(state, one, nowMs), nowMs);
}

/**
 * Every gated pod: on the leader with the reason of its plan, on others with the one that the leader wrote on the pod.
 */
function heldPods(
  { ledger }: ClusterState,
  lastPlan: LastPlan | undefined,
  nowMs: number,
  pods: Iterable<PodFacts> = ledger.gated.pods(),
): Held[] {
  const counts = lastPlan !== undefined && nowMs < lastPlan.atMs + LAST_PLAN_COUNTS_MS;
  const reasons = new Map(counts ? lastPlan.held.map(({ pod, hold }) => [pod.uid, hold]) : []);
  return [...pods].map((pod) => ({ pod, hold: reasons.get(pod.uid) ?? writtenHold(pod) }));
}

function writtenHold({ hold, pinnedTo }: PodFacts): Hold {
  const reason = hold?.reason ?? "AwaitingRelease";
  return { kind: "hold", reason, message: holdReasons[reason], node: hold?.node ?? pinnedTo };
}

function heldStatus({ pod, hold }: Held, { sinceMs, untilMs }: HoldSpan, nowMs: number): HeldStatus {
  const heldSeconds = Math.max(0, (nowMs - sinceMs) / SECOND_MS);
  return {
    namespace: pod.namespace,
    name: pod.name,
    node: hold.node,
    reason: hold.reason,
    message: hold.message,
    heldSeconds,
    untilMs: untilMs < Infinity ? untilMs : undefined,
  };
}

/** To a plan a cordoned node is young for as long as that takes. To operators it is one that takes no pods. */
function shownState(state: ClusterState, facts: NodeFacts, nowMs: number): NodeStatus["state"] {
  return facts.unschedulable && openRollCall(facts) === undefined ? "cordoned" : paceOf(state, facts, nowMs);
}

function nodeStatus(
  cluster: ClusterState,
  { facts }: KnownNode,
  paced: NodeStatus["state"],
  nowMs: number,
): NodeStatus {
  const load = cluster.loadOf(facts, nowMs);
  const youngUntil = youngUntilMs(cluster, facts);
  return {
    name: facts.name,
    state: paced,
    youngUntilMs: paced === "young" && youngUntil < Infinity ? youngUntil : undefined,
    nodeClass: load.nodeClass.name,
    inStartup: load.inStartup.length,
    reserved: load.reserved.length,
    offered: load.offered.length,
    waiting: load.waiting,
    stuck: load.stuck,
    limit: load.limit.slots,
    limitMove: load.limit.move,
    bytesInFlight: load.bytesInFlight,
    drainSeconds: drainSeconds(load),
    drainTargetSeconds: drainTargetSeconds(load),
    device: load.sample?.device,
    diskIOPS: load.nodeClass.diskIOPS,
    diskMiBPerSecond: load.nodeClass.diskMiBPerSecond,
    ...figuresOf(load.sample),
    steered: facts.steered === true,
    fenced: facts.fence !== undefined,
    inRollCall: openRollCall(facts) !== undefined,
    sample: load.sample ? "fresh" : sampleState(cluster.policy.telemetry, cluster.sampleOf(facts.name)?.atMs, nowMs),
  };
}

function figuresOf(sample: NodeSample | undefined) {
  const { dirtyBytes, writebackBytes = 0 } = sample ?? {};
  return {
    iops: sample?.iops,
    awaitMs: sample?.awaitMs,
    utilisation: sample?.utilisation,
    readBytesPerSecond: sample?.readBytesPerSecond,
    writeBytesPerSecond: sample?.writeBytesPerSecond,
    dirtyBytes: dirtyBytes === undefined ? undefined : dirtyBytes + writebackBytes,
    ioPressure: sample?.ioPressure,
    cpuPressure: sample?.cpuPressure,
    load1: sample?.load1,
    cores: sample?.cores,
  };
}
