/**
 * Gangs: pods that are of no use one by one (parse/gang.ts). One of them waits for its turn like any pod. As soon as it
 * goes the others go, slots or not, because a scheduler lets go of what it has reserved for a gang when that is not
 * complete in time. They use slots as any pod does, so other pods wait until they have started (ADR 13).
 */
import type { PodFacts } from "../facts.ts";
import { isSchedulableNow } from "../placement/fit.ts";
import type { KnownNode } from "../placement/known-node.ts";
import { fencesWork, toleratesFence } from "../rules/node-fence.ts";
import { byAge } from "../state/held-since.ts";
import { hasReservation } from "../state/reservations.ts";
import { EVERY_FENCE } from "../verdict.ts";
import { fitsNow, fitsOnceJoined } from "./claims.ts";
import { NodeQueue } from "./node-queue.ts";
import type { PlanBuilder } from "./plan-builder.ts";

/** What is left of gangs that have begun to go, under this leader or another one, or with this plan. */
export function releaseBegunGangs(plan: PlanBuilder): void {
  const { gangs } = plan.state.ledger;
  const someAreFenced = fencesWork(plan.state.policy) && plan.paced.some(({ facts }) => facts.fence);
  const names = someAreFenced ? gangs.unbound() : gatedGangs(plan);
  for (const gang of [...names]) releaseRest(plan, gang);
}

const gatedGangs = ({ waiting }: PlanBuilder): ReadonlySet<string> =>
  new Set([...waiting.values()].map(({ gang }) => gang).filter((gang) => gang !== undefined));

/** Lets the rest of a gang go, as far as one of its pods has gone: past gates, and past fences. */
export function releaseRest(plan: PlanBuilder, gang: string): void {
  const members = [...plan.state.ledger.gangs.of(gang).values()];
  const isOpen = plan.begun.has(gang) || members.some(isPastFences);
  if (!isOpen && !members.some((pod) => isPastGates(pod) || plan.hasReleased(pod))) return;
  const rest = members.filter((pod) => plan.waiting.has(pod.uid) || (isOpen && isKeptOut(plan, pod)));
  if (isOpen) releaseToNodes(plan, rest.sort(byAge));
  else for (const pod of rest) plan.release(pod, "WholeGang", "another pod of its gang was let go");
}

/** kube-scheduler has it: no gate holds it any more. */
const isPastGates = ({ gated, gatedByOthers }: PodFacts) => !gated && !gatedByOthers;

/** It was let go to a node: no fence holds it. While a gate holds a pod, it may tolerate all fences by itself. */
const isPastFences = (pod: PodFacts) =>
  pod.node !== undefined || (isPastGates(pod) && pod.fencesTolerated.includes(EVERY_FENCE));

/** Might a fence keep the pod out, now or when its node is open? */
function isKeptOut(plan: PlanBuilder, pod: PodFacts): boolean {
  if (!isPastGates(pod) || pod.node !== undefined || isPastFences(pod)) return false;
  if (plan.isExempt(pod.shape) || plan.aside.has(pod.uid) || plan.hasReleased(pod)) return false;
  if (hasReservation(plan.state, pod, plan.nowMs)) return false;
  return plan.paced.some(
    ({ facts }) => facts.fence && !toleratesFence(pod, facts.fence.value) && fitsOnceJoined(plan, pod, facts),
  );
}

/** Spreads them over the nodes that have room, as slots are given; what finds none is kube-scheduler's to place. */
function releaseToNodes(plan: PlanBuilder, pods: readonly PodFacts[]): void {
  if (pods.length === 0) return;
  const nodes = new NodeQueue(plan);
  for (const node of plan.paced) if (!plan.beginsRollCall(node.facts.name)) nodes.add(node);
  for (const node of plan.settledTargets.values()) nodes.add(node);
  for (const pod of pods) {
    const node = takeFitting(plan, nodes, pod);
    if (node) releaseTo(plan, node, pod);
    else plan.release(pod, "WholeGang", "its gang goes whole: kube-scheduler places it", plan.pastFences);
    if (node) nodes.add(node);
  }
}

/** Takes it out of the queue. Nodes that do not fit stay out: the next pod of the gang mostly asks for the same. */
function takeFitting(plan: PlanBuilder, nodes: NodeQueue, pod: PodFacts): KnownNode | undefined {
  for (let node = nodes.take(); node; node = nodes.take()) {
    if (isSchedulableNow(pod, node.facts) && fitsNow(plan, pod, node)) return node;
  }
  return undefined;
}

function releaseTo(plan: PlanBuilder, { facts }: KnownNode, pod: PodFacts): void {
  const { slotsInUse, limit } = plan.load(facts);
  const overLimit = slotsInUse >= limit.slots;
  const slot = `slot ${slotsInUse + 1} of ${limit.slots} of node ${facts.name}${overLimit ? ", over its limit" : ""}`;
  plan.releaseTo(pod, facts, "WholeGang", `its gang goes whole: ${slot}`, { overLimit });
}
