/** Extended resources that a node is still to report: drivers come up minutes after their node. */
import type { NodeFacts, PodFacts } from "../facts.ts";
import { unfitReason } from "../placement/fit.ts";
import type { Room } from "../placement/room.ts";
import { isExtended } from "../state/opening.ts";
import { paceOf } from "../state/pace.ts";
import type { PlanBuilder } from "./plan-builder.ts";

const INSTANCE_TYPE = "node.kubernetes.io/instance-type";

/** Answers of one plan, by kind of node and resource. */
const remembered = new WeakMap<PlanBuilder, Map<string, boolean>>();

/** The pod without what its node has not reported yet and may report; undefined where nothing is to come for it. */
export function withoutAwaited(plan: PlanBuilder, pod: PodFacts, node: NodeFacts): PodFacts | undefined {
  const { requests } = pod.shape;
  const awaited = Object.keys(requests).filter(
    (name) => isExtended(name) && (requests[name] ?? 0) > 0 && (node.allocatable[name] ?? 0) === 0,
  );
  if (awaited.length === 0 || !awaited.every((name) => mayReport(plan, node, name))) return undefined;
  const rest = Object.fromEntries(Object.entries(requests).filter(([name]) => !awaited.includes(name)));
  return { ...pod, shape: { ...pod.shape, requests: rest } };
}

/** True if the pod fits the room once the node reports what it may. */
export function awaitsNothingElse(plan: PlanBuilder, pod: PodFacts, node: NodeFacts, room: Room): boolean {
  const rest = withoutAwaited(plan, pod, node);
  return rest !== undefined && unfitReason(rest, node, room, true) === undefined;
}

/** A node of the same kind has it, or there is no settled one that lacks it. */
function mayReport(plan: PlanBuilder, node: NodeFacts, resource: string): boolean {
  let answers = remembered.get(plan);
  if (!answers) remembered.set(plan, (answers = new Map<string, boolean>()));
  const key = `${kindOf(node)} ${resource}`;
  let answer = answers.get(key);
  if (answer === undefined) answers.set(key, (answer = kindMayReport(plan, kindOf(node), resource)));
  return answer;
}

function kindMayReport({ state, nowMs }: PlanBuilder, kind: string, resource: string): boolean {
  let lacks = false;
  for (const { facts } of state.ledger.nodes.values()) {
    if (!facts || kindOf(facts) !== kind) continue;
    if ((facts.allocatable[resource] ?? 0) > 0) return true;
    lacks ||= paceOf(state, facts, nowMs) !== "young";
  }
  return !lacks;
}

const kindOf = ({ labels }: NodeFacts): string => labels[INSTANCE_TYPE] ?? "";
