/**
 * Which nodes a pod may take besides the first one that has a slot for it. Where its rules about other pods let it go
 * only kube-scheduler can tell. So it is given the choice among nodes with a free slot and room, and uses a slot on
 * each until it is bound.
 */
import type { PodFacts } from "../facts.ts";
import { isSchedulableNow } from "../placement/fit.ts";
import type { KnownNode } from "../placement/known-node.ts";
import { toleratesFence } from "../rules/node-fence.ts";
import { checkStart } from "../rules/start-checks.ts";
import { MOST_NODES } from "../state/ledger.ts";
import { costOf } from "../state/load.ts";
import { fitsNow } from "./claims.ts";
import { doubtAbout, triesEnough } from "./doubts.ts";
import type { NodeQueue } from "./node-queue.ts";
import type { PlanBuilder } from "./plan-builder.ts";

/** Nodes that are looked at for one pod, at most: a plan for thousands of nodes asks for hundreds of pods. */
const MOST_ASKED = 4 * MOST_NODES;

export interface Openings {
  readonly open: readonly KnownNode[];
  /** Nodes that were taken out of the queue. */
  readonly taken: readonly KnownNode[];
}

/** @param nodes those with a free slot, without the first one. */
export function openingsFor(plan: PlanBuilder, pod: PodFacts, nodes: NodeQueue): Openings {
  const open: KnownNode[] = [];
  const taken: KnownNode[] = [];
  if (!pod.shape.interPodRules || pod.pinnedTo !== undefined) return { open, taken };
  while (taken.length < MOST_ASKED && open.length < MOST_NODES - 1) {
    const node = nodes.take();
    if (!node) break;
    taken.push(node);
    if (takes(plan, pod, node)) open.push(node);
  }
  return { open, taken };
}

function takes(plan: PlanBuilder, pod: PodFacts, node: KnownNode): boolean {
  const { fence } = node.facts;
  if (!pod.gated && (!fence || toleratesFence(pod, fence.value))) return false; // the scheduler may bind it there anyway
  if (!isSchedulableNow(pod, node.facts) || plan.isRefused(pod.shape, node.facts)) return false;
  const doubt = doubtAbout(plan, pod, node.facts);
  if (doubt && triesEnough(plan, pod, node.facts, doubt)) return false;
  const load = plan.load(node.facts);
  const cost = costOf(pod, load, plan.state.catalogue);
  return checkStart(load, cost, plan.nowMs, plan.onTheirWay).kind === "allow" && fitsNow(plan, pod, node);
}
