/**
 * The free resources of each node, as in the scheduler's cache: a pod counts on a node before it is bound there. They
 * are kept in columns by the node's index, because the scheduler looks at hundreds of nodes for every pod.
 */
import { MIB } from "../../core/measures.ts";
import { scoredRequest } from "./assumptions.ts";
import type { SimNode } from "./node.ts";
import type { SimPod, WorkloadPlan } from "./pod.ts";

/** The free resources of a node. */
export interface Room {
  pods: number;
  cpuMillis: number;
  memoryBytes: number;
  /** Free devices of its one kind, also those that their driver is still to report. */
  devices: number;
}

/**
 * Weight of a replica of the same owner, in points of 100. Assumed: the spreading plugin has twice the weight of
 * others.
 */
const REPLICA_POINTS = 20;

export class Rooms {
  readonly #pods: number[] = [];
  readonly #cpuMillis: number[] = [];
  readonly #memoryBytes: number[] = [];
  readonly #devices: number[] = [];
  /** The resource of these devices, once their driver has reported them. */
  readonly #reported: (string | undefined)[] = [];
  /** The used resources for the score, which also counts pods without requests. */
  readonly #scoredCpuMillis: number[] = [];
  readonly #scoredMemoryBytes: number[] = [];
  /** The free share of CPU and memory, as a whole number of points from 0 to 100, as in the scheduler. */
  readonly #points: number[] = [];
  /** Pods of each workload, by its index, on each node. */
  readonly #replicas: readonly number[][];

  constructor(workloads: readonly WorkloadPlan[]) {
    this.#replicas = workloads.map(() => []);
  }

  /** Nodes come in the order of their indexes. */
  add({ spec, podBytes }: SimNode): void {
    this.#pods.push(spec.pods);
    this.#cpuMillis.push(spec.cpu * 1_000);
    this.#memoryBytes.push(podBytes);
    this.#devices.push(spec.devices?.count ?? 0);
    this.#reported.push(undefined);
    this.#scoredCpuMillis.push(0);
    this.#scoredMemoryBytes.push(0);
    this.#points.push(100);
    for (const counts of this.#replicas) counts.push(0);
  }

  /** The driver of the node's devices reports them. */
  reportDevices({ index, spec }: SimNode): void {
    this.#reported[index] = spec.devices?.resource;
  }

  left({ index }: SimNode): Room {
    return {
      pods: this.#pods[index] ?? 0,
      cpuMillis: this.#cpuMillis[index] ?? 0,
      memoryBytes: this.#memoryBytes[index] ?? 0,
      devices: this.#devices[index] ?? 0,
    };
  }

  /** True if the node at this index has room for another pod. */
  takesPods(index: number): boolean {
    return (this.#pods[index] ?? 0) > 0;
  }

  fits({ workload: { spec } }: SimPod, index: number): boolean {
    return (
      (this.#pods[index] ?? 0) > 0 &&
      (this.#cpuMillis[index] ?? 0) >= spec.cpuMillis &&
      (this.#memoryBytes[index] ?? 0) >= spec.memoryMib * MIB &&
      (spec.device === undefined || (spec.device === this.#reported[index] && (this.#devices[index] ?? 0) > 0))
    );
  }

  /** The score: the free share, minus points for replicas of the same owner on the node. */
  score({ workload }: SimPod, index: number): number {
    return (this.#points[index] ?? 0) - REPLICA_POINTS * (this.#replicas[workload.index]?.[index] ?? 0);
  }

  /** Counts a pod on a node. */
  take({ workload }: SimPod, { index, spec, podBytes }: SimNode): void {
    const { cpuMillis, memoryMib, device } = workload.spec;
    add(this.#pods, index, -1);
    add(this.#cpuMillis, index, -cpuMillis);
    add(this.#memoryBytes, index, -memoryMib * MIB);
    if (device !== undefined) add(this.#devices, index, -1);
    const scoredCpuMillis = add(this.#scoredCpuMillis, index, cpuMillis || scoredRequest.cpuMillis);
    const scoredMemoryBytes = add(this.#scoredMemoryBytes, index, memoryMib * MIB || scoredRequest.memoryBytes);
    const freeCpu = 1 - scoredCpuMillis / (spec.cpu * 1_000);
    const freeMemory = 1 - scoredMemoryBytes / podBytes;
    this.#points[index] = Math.floor(50 * (Math.max(0, freeCpu) + Math.max(0, freeMemory)));
    add(this.#replicas[workload.index] ?? [], index, 1);
  }
}

function add(column: number[], index: number, amount: number): number {
  const sum = (column[index] ?? 0) + amount;
  column[index] = sum;
  return sum;
}
