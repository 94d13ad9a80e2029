/**
 * A model of kube-scheduler. It takes one pod at a time by priority and age, and binds in the background. A pod that
 * fits nowhere backs off until an event may have made room. Scores follow the defaults: least allocated, replicas
 * spread over nodes, soft taints, preferred node affinity. Not modelled: image locality, balanced allocation,
 * preemption.
 */
import type { Agenda } from "./agenda.ts";
import type { engineDefaults } from "./assumptions.ts";
import { isUp, type SimNode } from "./node.ts";
import { ALL_FENCES, type SimPod } from "./pod.ts";
import { PodHeap } from "./pod-heap.ts";
import type { Rooms } from "./rooms.ts";

/**
 * How many nodes are scored. Read: numFeasibleNodesToFind, minFeasibleNodesToFind, minFeasibleNodesPercentageToFind.
 */
const SCORE_ALL_UP_TO = 100;
const SCORE_LEAST_PERCENT = 5;

/** 100 points times the weights of the plugins TaintToleration (3) and NodeAffinity (2). Read: default_plugins.go. */
const SOFT_TAINT_POINTS = 300;
const PREFERRED_POINTS = 200;

export interface SchedulerOptions {
  readonly agenda: Agenda;
  readonly random: () => number;
  readonly times: typeof engineDefaults;
  /** By index. */
  readonly nodes: readonly SimNode[];
  readonly rooms: Rooms;
  /** Fenced nodes, by the value of their fence. They are found only here. */
  readonly fences: ReadonlyMap<string, SimNode>;
  readonly bind: (pod: SimPod, node: SimNode) => void;
  /** The pod fits nowhere: sets its condition. */
  readonly markUnschedulable: (pod: SimPod) => void;
}

export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #active = new PodHeap();
  /** Pods that fit nowhere, in the order in which they were tried. */
  readonly unschedulable = new Set<SimPod>();
  /** Those of them that tolerate some fence. */
  readonly #tolerant = new Set<SimPod>();
  /** Indexes of Ready nodes without a fence or a cordon, ascending. */
  #open: number[] = [];
  readonly #isOpen = new Set<SimNode>();
  #busy = false;
  #nextNode = 0;

  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  /** Adds a pod without gates. */
  add(pod: SimPod): void {
    pod.queuedMs = this.#options.agenda.nowMs;
    this.#activate(pod);
  }

  /** A pod has changed and may fit now: it has a new toleration. */
  podChanged(pod: SimPod): void {
    if (!this.unschedulable.delete(pod)) return;
    this.#tolerant.delete(pod);
    this.#retry(pod);
  }

  /** A node takes pods from now on, so any pod may fit. */
  opened(node: SimNode): void {
    if (this.#isOpen.has(node)) return;
    this.#isOpen.add(node);
    this.#open.push(node.index);
    this.#open.sort((a, b) => a - b);
    this.retryAll();
  }

  /** A node is cordoned or not Ready. */
  closed(node: SimNode): void {
    if (this.#isOpen.delete(node)) this.#open = this.#open.filter((index) => index !== node.index);
  }

  /** Something of a node has changed, so that any pod may fit. */
  retryAll(): void {
    const waiting = [...this.unschedulable];
    this.unschedulable.clear();
    this.#tolerant.clear();
    for (const pod of waiting) this.#retry(pod);
  }

  /** A fenced node is Ready, so pods that tolerate its fence may fit. */
  openedToTolerant(value: string): void {
    for (const pod of this.#tolerant) if (pod.toleratesFence(value)) this.podChanged(pod);
  }

  /** Puts the pod back into the queue, at once if its back-off is over. */
  #retry(pod: SimPod): void {
    this.#options.agenda.at(pod.retryMs, () => this.#activate(pod));
  }

  #activate(pod: SimPod): void {
    this.#active.push(pod);
    this.#work();
  }

  #work(): void {
    if (this.#busy || this.#active.size === 0) return;
    this.#busy = true;
    const { agenda, times } = this.#options;
    agenda.after(times.schedulePodMs, () => {
      this.#busy = false;
      const pod = this.#active.pop();
      if (pod) this.#decide(pod);
      this.#work();
    });
  }

  #decide(pod: SimPod): void {
    const node = this.choose(pod);
    if (node) {
      this.#options.rooms.take(pod, node);
      this.#options.bind(pod, node);
      return;
    }
    const { agenda, times } = this.#options;
    const delay = Math.min(times.backOffMaxMs, times.backOffInitialMs * 2 ** Math.min(pod.attempts, 10));
    pod.attempts += 1;
    pod.retryMs = agenda.nowMs + delay;
    this.unschedulable.add(pod);
    if (pod.fences.length > 0) this.#tolerant.add(pod);
    this.#options.markUnschedulable(pod);
  }

  /** The best node for the pod among these indexes, or undefined. The nodes are Ready and have no fence. */
  chooseAmong(pod: SimPod, indexes: Iterable<number>): SimNode | undefined {
    const { nodes, random, rooms } = this.#options;
    const pick = new Pick(random);
    for (const index of indexes) if (rooms.fits(pod, index)) pick.consider(index, this.#score(pod, index));
    return nodes[pick.best];
  }

  /** The best node for the pod now, or undefined. */
  choose(pod: SimPod): SimNode | undefined {
    if (pod.pinned) return this.#fits(pod, pod.pinned) ? pod.pinned : undefined;
    const { nodes, random, rooms } = this.#options;
    const open = this.#open;
    const enough = feasibleToFind(open.length);
    const pick = new Pick(random);
    let looked = 0;
    for (; looked < open.length && pick.found < enough; looked += 1) {
      const index = open[(this.#nextNode + looked) % open.length] ?? -1;
      if (rooms.fits(pod, index)) pick.consider(index, this.#score(pod, index));
    }
    this.#nextNode = open.length === 0 ? 0 : (this.#nextNode + looked) % open.length;
    const { fences } = this.#options;
    const passes = pod.fences === ALL_FENCES ? fences.values() : pod.fences.map((value) => fences.get(value));
    for (const node of passes) {
      if (node?.fence && this.#fits(pod, node)) pick.consider(node.index, this.#score(pod, node.index));
    }
    return nodes[pick.best];
  }

  #score(pod: SimPod, index: number): number {
    const { nodes, rooms } = this.#options;
    const node = nodes[index];
    const isPreferred = node !== undefined && node.name === pod.preferred;
    const isSoft = node?.steered === true && !isPreferred && !pod.workload.spec.toleratesEverything;
    return rooms.score(pod, index) + (isPreferred ? PREFERRED_POINTS : 0) - (isSoft ? SOFT_TAINT_POINTS : 0);
  }

  #fits(pod: SimPod, node: SimNode): boolean {
    if (!node.ready && !pod.workload.spec.toleratesEverything) return false;
    if (node.unschedulable && !pod.pinned) return false; // DaemonSet pods tolerate a cordon
    if (isUp(node) && !pod.toleratesFence(node.fence?.value ?? "")) return false;
    return this.#options.rooms.fits(pod, node.index);
  }
}

function feasibleToFind(nodes: number): number {
  if (nodes <= SCORE_ALL_UP_TO) return nodes;
  const percent = Math.max(SCORE_LEAST_PERCENT, 50 - nodes / 125);
  return Math.max(SCORE_ALL_UP_TO, Math.floor((nodes * percent) / 100));
}

/** The best of the nodes considered. Among equal ones it chooses at random, as kube-scheduler does. */
class Pick {
  /** The node's index; -1 if there is none. */
  best = -1;
  found = 0;
  #bestScore = -Infinity;
  #equals = 0;
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  consider(index: number, score: number): void {
    this.found += 1;
    if (score < this.#bestScore) return;
    this.#equals = score > this.#bestScore ? 1 : this.#equals + 1;
    if (this.#equals > 1 && this.#random() * this.#equals >= 1) return;
    this.best = index;
    this.#bestScore = score;
  }
}
