/**
 * `fixed:N`: a constant number of pods in startup per node, as in pod-pacemaker. Higher priority goes first,
 * then the oldest pod. When a slot is free, kube-scheduler gets a pod for it and binds the pod to a node of its choice.
 * It binds pods one by one, as fast as for every strategy.
 */
import { COALESCE_MS } from "../../release/dispatcher.ts";
import type { Cluster } from "./cluster.ts";
import type { Lever } from "./lever.ts";
import { SECOND_MS } from "../model/constants.ts";
import type { SimNode } from "./node.ts";
import type { SimPod } from "./pod.ts";

/** Negative when `a` goes first. */
const oldestFirst = (a: SimPod, b: SimPod) => b.workload.spec.priority - a.workload.spec.priority || a.order - b.order;

/** A pod that has not started by then gives its slot back. Paceline's default. */
const STUCK_MS = 300 * SECOND_MS;

export class FixedLever implements Lever {
  readonly binds = true;
  readonly holds = true;
  readonly #cluster: Cluster;
  readonly #slots: number;
  /** Held pods that are pinned to a node, by node. */
  readonly #pinned = new Map<SimNode, SimPod[]>();
  /** All other held pods. The last one goes first. */
  readonly #anywhere: SimPod[] = [];
  #sorted = true;
  /** The pods that hold a node's slots, by the index of the node. */
  readonly #held: Set<SimPod>[] = [];
  /** Indexes of nodes that may have a free slot. It contains every node that has one. */
  readonly #mayBeOpen = new Set<number>();
  #poked = false;
  /** When kube-scheduler will have bound all the pods it was given. */
  #schedulerFreeMs = -Infinity;

  constructor(cluster: Cluster, slots: number) {
    this.#cluster = cluster;
    this.#slots = slots;
  }

  podAdmission(pod: SimPod): void {
    if (pod.pinned) this.#pinned.set(pod.pinned, [...(this.#pinned.get(pod.pinned) ?? []), pod].sort(oldestFirst));
    else {
      this.#anywhere.push(pod);
      this.#sorted = false;
    }
    this.#poke();
  }

  nodeAdmission(): undefined {
    return undefined;
  }

  podChanged(pod: SimPod): void {
    const { node, progress } = pod;
    if (!node || !(progress.containersStarted || progress.waitingOn !== undefined)) return;
    this.#giveBack(pod, node);
  }

  nodeChanged({ index }: SimNode): void {
    this.#held[index] ??= new Set();
    this.#mayBeOpen.add(index);
    this.#poke();
  }

  limitOf(): number {
    return this.#slots;
  }

  #giveBack(pod: SimPod, { index }: SimNode): void {
    if (this.#held[index]?.delete(pod) !== true) return;
    this.#mayBeOpen.add(index);
    this.#poke();
  }

  #hasFree(index: number): boolean {
    return (this.#held[index]?.size ?? 0) < this.#slots;
  }

  #poke(): void {
    if (this.#poked) return;
    this.#poked = true;
    const { agenda, times } = this.#cluster;
    agenda.after(times.watchMs + COALESCE_MS, () => {
      this.#poked = false;
      this.#fill();
    });
  }

  #fill(): void {
    for (const [node, pods] of this.#pinned) {
      while (pods.length > 0 && node.ready && this.#hasFree(node.index)) {
        const pod = pods.shift();
        if (pod) this.#place(pod, node);
      }
    }
    if (this.#anywhere.length === 0) return;
    if (!this.#sorted) this.#anywhere.sort((a, b) => oldestFirst(b, a));
    this.#sorted = true;
    const open = this.#open();
    const skipped: SimPod[] = [];
    for (let pod = this.#anywhere.at(-1); pod && open.size > 0; pod = this.#anywhere.at(-1)) {
      const node = this.#cluster.scheduler.chooseAmong(pod, open);
      if (!node && pod.workload.spec.device === undefined) break;
      this.#anywhere.pop();
      if (!node) {
        skipped.push(pod); // its device may be reported later
        continue;
      }
      this.#place(pod, node);
      if (!this.#isOpen(node.index)) open.delete(node.index);
    }
    this.#anywhere.push(...skipped.reverse());
  }

  /** Indexes of the nodes that take a pod now, ascending. The other nodes are dropped until they change. */
  #open(): Set<number> {
    const { nodes } = this.#cluster;
    for (const index of this.#mayBeOpen) {
      const node = nodes[index];
      if (!this.#isOpen(index) || !node?.ready || node.cordoned) this.#mayBeOpen.delete(index);
    }
    return new Set([...this.#mayBeOpen].sort((a, b) => a - b));
  }

  #isOpen(index: number): boolean {
    return this.#hasFree(index) && this.#cluster.rooms.takesPods(index);
  }

  #place(pod: SimPod, node: SimNode): void {
    const { agenda, times, rooms } = this.#cluster;
    rooms.take(pod, node);
    this.#held[node.index]?.add(pod);
    pod.letGoMs = agenda.nowMs;
    this.#schedulerFreeMs = Math.max(agenda.nowMs, this.#schedulerFreeMs) + times.schedulePodMs;
    const boundMs = this.#schedulerFreeMs + this.#cluster.writeMs();
    agenda.at(boundMs, () => this.#cluster.bind(pod, node));
    agenda.at(boundMs + STUCK_MS, () => this.#giveBack(pod, node));
  }
}
