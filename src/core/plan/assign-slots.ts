/** Assigns free slots: node by node in the order of the node queue, the best pod by the order of release. */
import type { PodFacts } from "../facts.ts";
import type { ImageName } from "../ids.ts";
import type { KnownNode } from "../placement/known-node.ts";
import type { SettledNodes } from "../placement/settled-nodes.ts";
import { checkStart, isSchedulerBusy, mostSlots } from "../rules/start-checks.ts";
import { byAge } from "../state/held-since.ts";
import { type Cost, costOf, type NodeLoad } from "../state/load.ts";
import { youngUntilMs } from "../state/pace.ts";
import type { Hold } from "../verdict.ts";
import { fitsNow } from "./claims.ts";
import { doubtAbout, triesEnough } from "./doubts.ts";
import { releaseRest } from "./gangs.ts";
import { NodeQueue } from "./node-queue.ts";
import { openingsFor } from "./openings.ts";
import { withoutPreceded } from "./own-order.ts";
import { compareRanks, type Rank, rank } from "./order.ts";
import type { PlanBuilder } from "./plan-builder.ts";
import { type Queue, Queues, wantedImages } from "./queues.ts";

export function assignSlots(plan: PlanBuilder, settled: SettledNodes): void {
  const queues = new Queues(plan, settled);
  const nodes = new NodeQueue(plan);
  for (const node of plan.paced) if (!plan.beginsRollCall(node.facts.name)) addIfFree(plan, nodes, node);
  for (const node of plan.settledTargets.values()) addIfFree(plan, nodes, node);
  for (let node = nodes.take(); node && !isSchedulerBusy(plan.onTheirWay); node = nodes.take()) {
    const given = assignOne(plan, node, nodes, queues.schedulableTo(node));
    for (const one of given) addIfFree(plan, nodes, one);
  }
}

/** Adds a node only if it has a free slot. Most of the time most of thousands of nodes have none. */
function addIfFree(plan: PlanBuilder, nodes: NodeQueue, node: KnownNode): void {
  const load = plan.load(node.facts);
  noteTimes(plan, load);
  if (load.slotsInUse < mostSlots(load)) nodes.add(node);
}

/**
 * Releases the best candidate to the node, which has a free slot. Returns the nodes that are to be looked at again:
 * none where there is no candidate.
 */
function assignOne(
  plan: PlanBuilder,
  node: KnownNode,
  nodes: NodeQueue,
  queues: readonly Queue[],
): readonly KnownNode[] {
  const load = plan.load(node.facts);
  const best = bestCandidate(plan, node, queues);
  if (!best) return [];
  const { facts } = node;
  const { open, taken } = openingsFor(plan, best, nodes);
  const which = open.length > 0 ? `, or one of ${open.length} other nodes` : "";
  const message = `slot ${load.slotsInUse + 1} of ${load.limit.slots} of node ${facts.name}${which}`;
  plan.releaseTo(best, facts, "SlotFree", message, { others: open.map((one) => one.facts) });
  if (best.gang !== undefined) releaseRest(plan, best.gang);
  return [node, ...taken];
}

/** The oldest pod of a queue, and what it would cost the node. */
interface Candidate {
  readonly pod: PodFacts;
  readonly cost: Cost;
}

function bestCandidate(plan: PlanBuilder, node: KnownNode, queues: readonly Queue[]): PodFacts | undefined {
  const load = plan.load(node.facts);
  const wanted = wantedImages(queues);
  const { schedulerIsBehind, maxHoldMs, nowMs } = plan;
  let best: PodFacts | undefined;
  let bestRank: Rank | undefined;
  const candidates = candidatesOf(plan, load, queues);
  for (const { pod, cost } of withoutPreceded(candidates, (one) => mayGo(plan, node, load, one))) {
    const doubt = doubtAbout(plan, pod, node.facts);
    if (doubt && triesEnough(plan, pod, node.facts, doubt)) continue;
    const givesWay = load.limit.slots === 1 && doubt === "refused";
    const isDaemon = plan.state.daemonSets.maybeMade(pod);
    const standing = { isDaemon, schedulerIsBehind, bytesPerPod: bytesPerPod(plan, cost, wanted), givesWay };
    const ranked = rank(pod, node.facts, standing, maxHoldMs, nowMs);
    if (best && bestRank && (compareRanks(bestRank, ranked) || byAge(best, pod)) < 0) continue;
    const verdict = checkStart(load, cost, nowMs, plan.onTheirWay);
    if (verdict.kind === "hold") noteHold(plan, load, verdict);
    else if (fitsNow(plan, pod, node)) [best, bestRank] = [pod, ranked];
  }
  return best;
}

/** For pods that others of their namespace wait for. */
function mayGo(plan: PlanBuilder, node: KnownNode, load: NodeLoad, { pod, cost }: Candidate): boolean {
  const doubt = doubtAbout(plan, pod, node.facts);
  if (doubt && triesEnough(plan, pod, node.facts, doubt)) return false;
  return checkStart(load, cost, plan.nowMs, plan.onTheirWay).kind === "allow" && fitsNow(plan, pod, node);
}

function candidatesOf(plan: PlanBuilder, load: NodeLoad, queues: readonly Queue[]): Candidate[] {
  const candidates: Candidate[] = [];
  for (const queue of queues) {
    const pod = queue.headFor(load.facts);
    if (pod) candidates.push({ pod, cost: costOf(pod, load, plan.state.catalogue) });
  }
  return candidates;
}

function bytesPerPod(plan: PlanBuilder, { newImages }: Cost, wanted: ReadonlyMap<ImageName, number>): number {
  let bytes = 0;
  for (const image of newImages) bytes += plan.state.catalogue.bytes(image) / (wanted.get(image) ?? 1);
  return bytes;
}

/** The plan changes when a reservation ends, a start is given up, or a node is no longer young. */
function noteTimes(plan: PlanBuilder, load: NodeLoad): void {
  plan.wake(load.untilMs);
  if (load.offered.length > 0) plan.wake(plan.nowMs + 1_000);
  plan.wake(youngUntilMs(plan.state, load.facts));
  plan.wake(load.limit.hotUntilMs);
}

function noteHold(plan: PlanBuilder, { nodeClass }: NodeLoad, { reason }: Hold): void {
  if (reason === "PullQPSLimit") plan.wake(plan.nowMs + 1_000 / nodeClass.pullQPS.qps);
}
