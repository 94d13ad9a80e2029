/** Assigns free slots: node by node in the order of the node queue, the best pod by the order of release. */
import type { PodFacts } from "../facts.ts";
import type { ImageName } from "../ids.ts";
import type { KnownNode } from "../placement/known-node.ts";
import type { SettledNodes } from "../placement/settled-nodes.ts";
import { checkStart, isSchedulerBusy } from "../rules/start-checks.ts";
import { byAge } from "../state/held-since.ts";
import { type Cost, costOf, type NodeLoad } from "../state/load.ts";
import { youngUntilMs } from "../state/pace.ts";
import type { Hold } from "../verdict.ts";
import { fitsNow } from "./claims.ts";
import { MOST_COMPARED, NodeComparison } from "./compare-nodes.ts";
import { NodeQueue } from "./node-queue.ts";
import { compareRanks, type Rank, rank } from "./order.ts";
import type { PlanBuilder } from "./plan-builder.ts";
import { type Queue, Queues, wantedImages } from "./queues.ts";
import { ReplicaSpread } from "./replica-spread.ts";

/** @returns how nodes were compared, for the messages that tell why a pod waits. */
export function assignSlots(plan: PlanBuilder, settled: SettledNodes): NodeComparison {
  const queues = new Queues(plan, settled);
  const replicas = new ReplicaSpread(plan);
  const comparison = compareNodes(plan, queues, replicas);
  const nodes = new NodeQueue(plan);
  for (const node of plan.paced) addIfFree(plan, nodes, node);
  for (let node = nodes.take(); node && !isSchedulerBusy(plan.onTheirWay); node = nodes.take()) {
    if (assignOne(plan, node, queues.schedulableTo(node), { replicas, comparison })) addIfFree(plan, nodes, node);
  }
  return comparison;
}

/** Adds a node only if it has a free slot. Most of the time most of thousands of nodes have none. */
function addIfFree(plan: PlanBuilder, nodes: NodeQueue, node: KnownNode): void {
  const load = plan.load(node.facts);
  noteTimes(plan, load);
  if (load.slotsInUse < load.limit.slots) nodes.add(node);
}

function compareNodes(plan: PlanBuilder, queues: Queues, replicas: ReplicaSpread): NodeComparison {
  const wanted: KnownNode[] = [];
  for (const node of plan.paced) {
    if (queues.schedulableTo(node).length > 0) wanted.push(node);
    if (wanted.length > MOST_COMPARED) break; // none will be compared, so there is no need to look further
  }
  const waiting = new Set(wanted.flatMap((node) => queues.schedulableTo(node)));
  return new NodeComparison(plan, wanted, replicas, wantedImages(waiting));
}

/** How one node stands to the others. */
interface Others {
  readonly replicas: ReplicaSpread;
  readonly comparison: NodeComparison;
}

/** Releases the best candidate to the node, which has a free slot; false where there is none. */
function assignOne(plan: PlanBuilder, node: KnownNode, queues: readonly Queue[], others: Others): boolean {
  const load = plan.load(node.facts);
  const best = bestCandidate(plan, node, queues, others);
  if (!best) return false;
  const { facts } = node;
  plan.releaseTo(best, facts, "SlotFree", `slot ${load.slotsInUse + 1} of ${load.limit.slots} of node ${facts.name}`);
  return true;
}

/** The oldest pod of a queue, and what it would cost the node. */
interface Candidate {
  readonly pod: PodFacts;
  readonly cost: Cost;
}

function bestCandidate(
  plan: PlanBuilder,
  node: KnownNode,
  queues: readonly Queue[],
  others: Others,
): PodFacts | undefined {
  const load = plan.load(node.facts);
  const wanted = wantedImages(queues);
  const candidates = candidatesOf(plan, load, queues);
  const fetchersWaiting = candidates.filter(({ cost }) => cost.newBytes > 0).length;
  let best: PodFacts | undefined;
  let bestRank: Rank | undefined;
  for (const { pod, cost } of candidates) {
    const standing = {
      schedulerIsBehind: plan.schedulerIsBehind,
      criticalPull: others.comparison.isCriticalPull(load, cost),
      bytesPerPod: bytesPerPodOf(plan, load, cost, wanted),
      startStep: plan.state.startTimes.step(pod.shape),
      replicasMore: others.replicas.moreThanFewest(node, pod),
    };
    const ranked = rank(pod, standing, plan.maxHoldMs, plan.nowMs);
    if (best && bestRank && (compareRanks(bestRank, ranked) || byAge(best, pod)) < 0) continue;
    const betterNode = others.comparison.betterNode(node, pod, cost);
    const context = { onTheirWay: plan.onTheirWay, fetchersWaiting, betterNode };
    const verdict = checkStart(load, cost, plan.nowMs, context);
    if (verdict.kind === "hold") noteHold(plan, load, verdict);
    else if (fitsNow(plan, pod, node)) [best, bestRank] = [pod, ranked];
  }
  return best;
}

function candidatesOf(plan: PlanBuilder, load: NodeLoad, queues: readonly Queue[]): Candidate[] {
  const candidates: Candidate[] = [];
  for (const queue of queues) {
    const pod = queue.headFor(load.facts);
    if (pod) candidates.push({ pod, cost: costOf(pod, load, plan.state.catalogue) });
  }
  return candidates;
}

/** While no pod fetches, the last free slot is kept for one that does: the disk must not idle for lack of slots. */
function bytesPerPodOf(plan: PlanBuilder, load: NodeLoad, cost: Cost, wanted: ReadonlyMap<ImageName, number>): number {
  if (cost.pulls === 0 && load.fetchers === 0 && load.slotsInUse >= load.limit.slots - 1) return Infinity;
  let bytes = 0;
  for (const image of cost.newImages) bytes += plan.state.catalogue.bytes(image) / (wanted.get(image) ?? 1);
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
