/**
 * A kube-scheduler: one pod at a time by priority and age, bindings in the background, back-off for pods that fit nowhere
 * until an event may have made room. Scores as its defaults do: least allocated, and replicas spread over nodes. Not
 * modelled: image locality, balanced allocation, preemption.
 */
import type { Agenda } from "./agenda.ts";
import type { engineDefaults } from "./assumptions.ts";
import { scoredRequest } from "./assumptions.ts";
import { MIB } from "../../core/units.ts";
import type { SimNode } from "./node.ts";
import type { SimPod } from "./pod.ts";
import { PodHeap } from "./pod-heap.ts";

/** How many nodes are scored. Read: numFeasibleNodesToFind, minFeasibleNodesToFind, minFeasibleNodesPercentageToFind. */
const SCORE_ALL_UP_TO = 100;
const SCORE_LEAST_PERCENT = 5;

export interface SchedulerOptions {
  readonly agenda: Agenda;
  readonly random: () => number;
  readonly times: typeof engineDefaults;
  /** Nodes by name, the only way to a fenced one. */
  readonly nodeOfFence: (value: string) => SimNode | undefined;
  readonly bind: (pod: SimPod, node: SimNode) => void;
  /** It fits nowhere: the pod's condition is to say so. */
  readonly markUnschedulable: (pod: SimPod) => void;
}

export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #active = new PodHeap();
  /** Pods that fit nowhere, in the order in which they were tried. */
  readonly unschedulable = new Set<SimPod>();
  /** Of these, the ones that tolerate some fence. */
  readonly #tolerant = new Set<SimPod>();
  /** Ready nodes without a fence. */
  readonly #open: SimNode[] = [];
  #busy = false;
  #nextNode = 0;

  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  /** A pod without gates is there. */
  add(pod: SimPod): void {
    pod.queuedMs = this.#options.agenda.nowMs;
    this.#activate(pod);
  }

  /** A pod has changed in a way that may let it fit (a toleration more). */
  podChanged(pod: SimPod): void {
    if (!this.unschedulable.delete(pod)) return;
    this.#tolerant.delete(pod);
    this.#retry(pod);
  }

  /** A node takes pods from now on: everybody may fit. */
  opened(node: SimNode): void {
    if (this.#open.includes(node)) return;
    this.#open.push(node);
    this.#open.sort((a, b) => a.index - b.index);
    const waiting = [...this.unschedulable];
    this.unschedulable.clear();
    this.#tolerant.clear();
    for (const pod of waiting) this.#retry(pod);
  }

  /** A fenced node is Ready: who tolerates its fence may fit. */
  openedToTolerant(value: string): void {
    for (const pod of this.#tolerant) if (pod.toleratesFence(value)) this.podChanged(pod);
  }

  /** Back to the queue: at once where its back-off is over. */
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
      assume(pod, node);
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

  /** The best of these nodes for a pod that is pinned to none, or undefined. */
  chooseAmong(pod: SimPod, nodes: Iterable<SimNode>): SimNode | undefined {
    const pick = new Pick(pod, this.#options.random);
    for (const node of nodes) if (this.#fits(pod, node)) pick.consider(node);
    return pick.best;
  }

  /** The best node for the pod now, or undefined. */
  choose(pod: SimPod): SimNode | undefined {
    const fits = (node: SimNode) => this.#fits(pod, node);
    if (pod.pinned) return fits(pod.pinned) ? pod.pinned : undefined;
    const open = this.#open;
    const enough = feasibleToFind(open.length);
    const pick = new Pick(pod, this.#options.random);
    let looked = 0;
    for (; looked < open.length && pick.found < enough; looked += 1) {
      const node = open[(this.#nextNode + looked) % open.length];
      if (node && fits(node)) pick.consider(node);
    }
    this.#nextNode = open.length === 0 ? 0 : (this.#nextNode + looked) % open.length;
    for (const value of pod.fences) {
      const node = this.#options.nodeOfFence(value);
      if (node?.fence && fits(node)) pick.consider(node);
    }
    return pick.best;
  }

  #fits(pod: SimPod, node: SimNode): boolean {
    const { cpuMillis, memoryMib, toleratesEverything } = pod.workload.spec;
    if (!node.ready && !toleratesEverything) return false;
    if (node.fence && !pod.toleratesFence(node.fence.value)) return false;
    return (
      node.podCount < node.spec.pods &&
      node.cpuMillis + cpuMillis <= node.spec.cpu * 1_000 &&
      node.memoryBytes + memoryMib * MIB <= node.podBytes
    );
  }
}

/** Counts a pod on a node before it is bound there, as the scheduler's cache does. */
export function assume(pod: SimPod, node: SimNode): void {
  const { cpuMillis, memoryMib } = pod.workload.spec;
  node.podCount += 1;
  node.cpuMillis += cpuMillis;
  node.memoryBytes += memoryMib * MIB;
  node.scoredCpuMillis += cpuMillis || scoredRequest.cpuMillis;
  node.scoredMemoryBytes += memoryMib * MIB || scoredRequest.memoryBytes;
  node.replicas[pod.workload.index] = (node.replicas[pod.workload.index] ?? 0) + 1;
  node.freePoints = freePoints(node);
}

/** Points of 100: the free share of CPU and memory, in whole points as the scheduler's. */
function freePoints({ spec, podBytes, scoredCpuMillis, scoredMemoryBytes }: SimNode): number {
  const freeCpu = 1 - scoredCpuMillis / (spec.cpu * 1_000);
  const freeMemory = 1 - scoredMemoryBytes / podBytes;
  return Math.floor(50 * (Math.max(0, freeCpu) + Math.max(0, freeMemory)));
}

function feasibleToFind(nodes: number): number {
  if (nodes <= SCORE_ALL_UP_TO) return nodes;
  const percent = Math.max(SCORE_LEAST_PERCENT, 50 - nodes / 125);
  return Math.max(SCORE_ALL_UP_TO, Math.floor((nodes * percent) / 100));
}

/** The best of the nodes considered; equal ones by chance, as kube-scheduler does. */
class Pick {
  best: SimNode | undefined;
  found = 0;
  #bestScore = -Infinity;
  #equals = 0;
  readonly #pod: SimPod;
  readonly #random: () => number;

  constructor(pod: SimPod, random: () => number) {
    this.#pod = pod;
    this.#random = random;
  }

  consider(node: SimNode): void {
    this.found += 1;
    const score = scoreOf(this.#pod, node);
    if (score < this.#bestScore) return;
    this.#equals = score > this.#bestScore ? 1 : this.#equals + 1;
    if (this.#equals > 1 && this.#random() * this.#equals >= 1) return;
    this.best = node;
    this.#bestScore = score;
  }
}

/** Weight of a replica of the same owner, in points of 100. Assumed: the spreading plugin has twice the weight of others. */
const REPLICA_POINTS = 20;

/** Points: what is free, less its owner's replicas there. */
const scoreOf = (pod: SimPod, node: SimNode) =>
  node.freePoints - REPLICA_POINTS * (node.replicas[pod.workload.index] ?? 0);
