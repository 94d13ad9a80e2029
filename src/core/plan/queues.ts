/**
 * Waiting pods, as a plan looks at them: pods that look the same are in one queue, oldest first. A queue is read only
 * as far as the plan asks: it looks at hundreds of pods where a hundred thousand are pending.
 */
import type { NodeFacts, PodFacts, PodShape } from "../facts.ts";
import type { ImageName, NodeName } from "../ids.ts";
import { isSchedulableNow } from "../placement/fit.ts";
import type { KnownNode } from "../placement/known-node.ts";
import type { SettledNodes } from "../placement/settled-nodes.ts";
import { fencesWork, toleratesFence } from "../rules/node-fence.ts";
import { byAge } from "../state/held-since.ts";
import { hasReservation } from "../state/reservations.ts";
import type { PlanBuilder } from "./plan-builder.ts";

/** The scheduler is given this long to place a new pod by itself before a fence looks at it, ms. Assumed. */
const SCHEDULER_FIRST_MS = 2_000;

/** Pods of one shape that wait for the same thing: their gate, or a fence. */
export class Queue {
  readonly shape: PodShape;
  readonly #plan: PlanBuilder;
  readonly #source: Iterator<PodFacts>;
  readonly #read: PodFacts[] = [];
  #unread: number;
  /** All before this one have been released. */
  #first = 0;

  /**
   * @param source oldest first.
   * @param count of them, at most.
   */
  constructor(plan: PlanBuilder, shape: PodShape, source: Iterable<PodFacts>, count: number) {
    this.#plan = plan;
    this.shape = shape;
    this.#source = source[Symbol.iterator]();
    this.#unread = count;
  }

  /**
   * The oldest that this plan has not released, and that does not pass the node's fence by itself. None where another
   * one like it shows first whether its rules let it go there.
   */
  headFor(node: NodeFacts): PodFacts | undefined {
    const { fence } = node;
    if (this.#waitsForItsLike(node)) return undefined;
    for (let at = this.#skipReleased(); ; at += 1) {
      const pod = this.#at(at);
      const passes = pod && fence && !pod.gated && toleratesFence(pod, fence.value);
      if (!pod || !(passes || this.#plan.hasReleased(pod))) return pod;
    }
  }

  /** Pinned pods each have a node of their own, so none of them tells anything about another. */
  #waitsForItsLike(node: NodeFacts): boolean {
    if (!this.shape.interPodRules || this.#at(0)?.pinnedTo !== undefined) return false;
    return this.#plan.isRefused(this.shape, node) || this.#plan.awaitsFirst(this.shape);
  }

  /** How many are left, at most. */
  get length(): number {
    const first = this.#skipReleased();
    return this.#read.length - first + this.#unread;
  }

  #skipReleased(): number {
    for (let pod = this.#at(this.#first); pod && this.#plan.hasReleased(pod); pod = this.#at(this.#first))
      this.#first += 1;
    return this.#first;
  }

  #at(index: number): PodFacts | undefined {
    while (index >= this.#read.length) {
      const next = this.#source.next();
      if (next.done === true) {
        this.#unread = 0;
        return undefined;
      }
      this.#unread -= 1;
      this.#read.push(next.value);
    }
    return this.#read[index];
  }
}

/** Every queue that could matter: gated pods, and for fenced nodes the scheduler's pending ones. */
export class Queues {
  readonly #plan: PlanBuilder;
  readonly #settled: SettledNodes;
  readonly #pinned = new Map<NodeName, Queue[]>();
  readonly #gated: readonly Queue[];
  readonly #pending: readonly Queue[];
  readonly #someAreFenced: boolean;
  /** For the nodes that were looked at. */
  readonly #schedulable = new Map<KnownNode, readonly Queue[]>();

  constructor(plan: PlanBuilder, settled: SettledNodes) {
    this.#plan = plan;
    this.#settled = settled;
    const gated = new Map<PodShape, PodFacts[]>();
    for (const pod of plan.waiting.values()) {
      if (pod.pinnedTo === undefined) append(gated, pod.shape, pod);
      else append(this.#pinned, pod.pinnedTo, this.#queueOfOne(pod));
    }
    this.#gated = [...gated].map(([shape, pods]) => new Queue(plan, shape, pods.sort(byAge), pods.length));
    this.#someAreFenced = fencesWork(plan.state.policy) && plan.paced.some(({ facts }) => facts.fence);
    const shapes = this.#someAreFenced ? plan.state.ledger.pending.shapes() : [];
    this.#pending = [...shapes].flatMap(([shape, alike]) =>
      plan.isExempt(shape) ? [] : new Queue(plan, shape, this.#keptOut(alike.pods()), alike.size),
    );
  }

  /** The queues whose pods could go to the node this moment, as far as labels and taints tell. */
  schedulableTo(node: KnownNode): readonly Queue[] {
    const known = this.#schedulable.get(node);
    if (known) return known;
    const { facts } = node;
    const queues = [...(this.#pinned.get(facts.name) ?? []), ...this.#gated];
    if (facts.fence && this.#someAreFenced) queues.push(...this.#pinnedPending(facts.name), ...this.#pending);
    const schedulable = queues.filter((queue) => {
      const head = queue.headFor(facts);
      return head !== undefined && isSchedulableNow(head, facts);
    });
    this.#schedulable.set(node, schedulable);
    return schedulable;
  }

  #pinnedPending(node: NodeName): Queue[] {
    const pods = [...this.#keptOut(this.#plan.state.ledger.pending.pinnedTo(node))];
    return pods.filter((pod) => !this.#plan.isExempt(pod.shape)).map((pod) => this.#queueOfOne(pod));
  }

  #queueOfOne(pod: PodFacts): Queue {
    return new Queue(this.#plan, pod.shape, [pod], 1);
  }

  /**
   * The pending pods that a fence may keep waiting: no slot is reserved for them, and no settled node has room for
   * them.
   */
  *#keptOut(pods: Iterable<PodFacts>): Generator<PodFacts> {
    const { state, nowMs } = this.#plan;
    for (const pod of pods) {
      if (this.#plan.aside.has(pod.uid) || hasReservation(state, pod, nowMs)) continue;
      if (pod.unschedulable) yield pod;
      else {
        const schedulerUntilMs = pod.createdAtMs + SCHEDULER_FIRST_MS;
        this.#plan.wake(schedulerUntilMs);
        if (nowMs >= schedulerUntilMs && !this.#settled.find(state, pod, nowMs)) yield pod;
      }
    }
  }
}

/** For each image, how many waiting pods use it. */
export function wantedImages(queues: Iterable<Queue>): ReadonlyMap<ImageName, number> {
  const wanted = new Map<ImageName, number>();
  for (const { shape, length } of queues) {
    for (const image of shape.images) wanted.set(image, (wanted.get(image) ?? 0) + length);
  }
  return wanted;
}

function append<Key, Item>(lists: Map<Key, Item[]>, key: Key, item: Item): void {
  const list = lists.get(key);
  if (list) list.push(item);
  else lists.set(key, [item]);
}
