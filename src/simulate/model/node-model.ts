/** The model of one node: disk, page cache, containerd and kubelet. The caller passes the time in. */
import type { Assumptions } from "./constants.ts";
import {
  assumedDefaults,
  DIRTY_BACKGROUND_RATIO,
  DIRTY_RATIO,
  gp3,
  kubeletDefaults,
  MIB,
  NODE_STATUS_MAX_IMAGES,
  nodeDefaults,
  SECOND_MS,
} from "./constants.ts";
import { readCounters } from "./counters.ts";
import { Dependencies } from "./dependencies.ts";
import { Flow } from "./flow.ts";
import { ImagePuller } from "./image-puller.ts";
import { ImageStore } from "./image-store.ts";
import type { PodWorkerPlace } from "./pod-worker.ts";
import { PodWorker } from "./pod-worker.ts";
import type { Capacity } from "./rates.ts";
import { Runtime } from "./runtime.ts";
import type {
  DiskSpec,
  KubeletSpec,
  ModelPod,
  NodeCounters,
  NodeEvent,
  NodeModelOptions,
  PresentImage,
  RuntimeFlushes,
} from "./types.ts";

/** The speed of a device in bytes per second: its throughput, or less if its IOPS allow less. */
export function deviceBytesPerSecond(disk: DiskSpec, assumptions: Assumptions = assumedDefaults): number {
  return Math.min(disk.mibPerSecond * MIB, disk.iops * assumptions.requestKib * 1_024);
}

/**
 * When the device writes dirty pages. If the runtime flushes everything often, the kernel's own writeback hardly
 * matters, and the device writes at once. If it does not, the kernel begins late.
 */
export function dirtyThresholds(
  flushes: RuntimeFlushes,
  memoryBytes: number,
  assumptions: Assumptions = assumedDefaults,
): Pick<Capacity, "dirtyLimitBytes" | "backgroundBytes"> {
  const bytes = memoryBytes - assumptions.usedMemoryMib * MIB;
  const ratio = assumptions.dirtyRatio ?? DIRTY_RATIO;
  if (flushes === "file-system") return { dirtyLimitBytes: ratio * bytes, backgroundBytes: 0 };
  const background = Math.min(DIRTY_BACKGROUND_RATIO, ratio / 2); // as Linux does
  return { dirtyLimitBytes: freerunRatio(ratio, background) * bytes, backgroundBytes: background * bytes };
}

/**
 * Dirty pages at which writers are held to the device's rate, and a device with a limit of its own begins to be written
 * to, as a share of memory: midway between the two ratios. Source: Linux, mm/page-writeback.c, dirty_freerun_ceiling;
 * measured: passes begin at 1.2 to 1.27 GB on a node of 8 GiB. Where only memory is the limit, Linux may begin at the
 * background ratio (range 0.1–0.15).
 */
const freerunRatio = (ratio: number, background: number) => (ratio + background) / 2;

/**
 * One node. Time never goes back. What happens between two calls is returned as events, in order. Every method that
 * takes `nowMs` first processes what is due until then.
 */
export class NodeModel {
  readonly cores: number;
  readonly memoryBytes: number;
  readonly #assumptions: Assumptions;
  readonly #flow: Flow;
  readonly #store: ImageStore;
  readonly #place: PodWorkerPlace;
  readonly #dependencies = new Dependencies();
  readonly #workers = new Map<string, PodWorker>();
  /** Uids of pods that no longer change. They need no worker. */
  readonly #idle = new Set<string>();
  #events: NodeEvent[] = [];

  constructor(options: NodeModelOptions) {
    this.cores = options.cores ?? nodeDefaults.cores;
    this.memoryBytes = options.memoryBytes ?? nodeDefaults.memoryBytes;
    this.#assumptions = { ...assumedDefaults, ...options.assumptions };
    this.#flow = new Flow(capacityOf(options, this.#assumptions, this.cores, this.memoryBytes), options.startMs);
    this.#store = this.#makeStore(options);
    this.#place = this.#makePlace(options);
  }

  /** Processes everything that is due until `nowMs`, and returns the events since the last call. */
  advanceTo(nowMs: number): readonly NodeEvent[] {
    this.#flow.advanceTo(nowMs);
    const events = this.#events;
    this.#events = [];
    return events;
  }

  /** The time of the next event if no pod is added or removed; undefined: never. */
  nextEventMs(): number | undefined {
    if (this.#events.length > 0) return this.#flow.nowMs;
    const next = this.#flow.nextMs();
    return next === Infinity ? undefined : next;
  }

  /** Adds a pod that was bound to the node. A known uid changes nothing. */
  addPod(pod: ModelPod, nowMs: number): void {
    if (this.#workers.has(pod.uid) || this.#idle.has(pod.uid)) return;
    this.#flow.settle(nowMs);
    const worker = new PodWorker(pod, this.#place);
    this.#workers.set(pod.uid, worker);
    worker.begin();
  }

  /** Removes a pod and stops its containers. An unknown uid changes nothing. */
  removePod(uid: string, nowMs: number): void {
    const worker = this.#workers.get(uid);
    if (worker === undefined && !this.#idle.has(uid)) return;
    this.#flow.settle(nowMs);
    this.#workers.delete(uid);
    this.#idle.delete(uid);
    worker?.remove();
  }

  /** A pod of the workload is Ready somewhere in the cluster: init containers that wait for it end. */
  dependencyReady(workload: string, nowMs: number): void {
    this.#flow.settle(nowMs);
    this.#dependencies.ready(workload);
  }

  /** Pods on the node. */
  get podCount(): number {
    return this.#workers.size + this.#idle.size;
  }

  /** The node's images as the kubelet lists them: the largest 50, with compressed sizes. */
  images(): readonly PresentImage[] {
    return this.#store.list().slice(0, NODE_STATUS_MAX_IMAGES);
  }

  /** Names of all its images. */
  imageNames(): readonly string[] {
    return this.#store.list().map(({ name }) => name);
  }

  /** The current time of a disk request, ms. */
  get awaitMs(): number {
    return this.#flow.rates().awaitMs;
  }

  /** The kernel's counters at `nowMs`, which must lie between the last event and the next one. */
  counters(nowMs: number): NodeCounters {
    const podBytes = this.podCount * this.#assumptions.podMemoryMib * MIB;
    const usedBytes = this.#assumptions.usedMemoryMib * MIB + podBytes;
    return readCounters(this.#flow, nowMs, this.memoryBytes, usedBytes);
  }

  #makeStore(options: NodeModelOptions): ImageStore {
    const catalogue = new Map((options.images ?? []).map((image) => [image.name, image]));
    const arrived = () => this.#events.push({ kind: "images", atMs: this.#flow.nowMs });
    const store = new ImageStore(this.#flow, this.#assumptions, catalogue, arrived);
    for (const name of options.present ?? []) store.preload(name);
    return store;
  }

  #makePlace(options: NodeModelOptions): PodWorkerPlace {
    const kubelet: KubeletSpec = { ...kubeletDefaults, ...options.kubelet };
    const timeoutMs = kubelet.runtimeRequestTimeoutSeconds * SECOND_MS;
    return {
      flow: this.#flow,
      store: this.#store,
      puller: new ImagePuller(this.#store, kubelet, () => this.#flow.nowMs),
      runtime: new Runtime(this.#flow, this.#assumptions, options.random, timeoutMs),
      dependencies: this.#dependencies,
      random: options.random,
      timeoutMs,
      noticeMs: this.#assumptions.noticeMs,
      normalEvents: options.normalEvents ?? true,
      emit: (event) => this.#events.push(event),
      idle: (uid) => {
        this.#workers.delete(uid);
        this.#idle.add(uid);
      },
      newId: idSource(options),
    };
  }
}

/** Makes container ids of 64 hexadecimal digits: a random half that differs between nodes, and a count. */
function idSource(options: NodeModelOptions): () => string {
  const nodePart = Array.from({ length: 4 }, () =>
    Math.floor(options.random() * 2 ** 32)
      .toString(16)
      .padStart(8, "0"),
  );
  const prefix = nodePart.join("");
  let count = 0;
  return () => prefix + (count++).toString(16).padStart(32, "0");
}

function capacityOf(options: NodeModelOptions, assumed: Assumptions, cores: number, memoryBytes: number): Capacity {
  const perMs = (mibPerSecond: number) => (mibPerSecond * MIB) / SECOND_MS;
  const { readMibPerSecond } = options.disk;
  return {
    writePerMs: deviceBytesPerSecond(options.disk, assumed) / SECOND_MS,
    readPerMs: readMibPerSecond === undefined ? undefined : perMs(readMibPerSecond),
    requestBytes: assumed.requestKib * 1_024,
    idleAwaitMs: assumed.idleAwaitMs,
    writebackQueue: assumed.writebackQueue,
    queuePerWaiter: assumed.queuePerWaiter,
    maxQueue: assumed.maxQueue,
    flushShare: assumed.flushShare,
    ...dirtyThresholds(options.runtimeFlushes ?? "file-system", memoryBytes, assumed),
    memoryPerMs: perMs(assumed.memoryMibPerSecond),
    unpackPerMs: perMs(assumed.unpackMibPerSecondPerCore),
    registryPerMs: perMs(options.registryMibPerSecond ?? assumed.registryMibPerSecond),
    downloadPerMs: perMs(assumed.downloadMibPerSecond),
    cores,
  };
}

/** The default disk of a node. */
export const defaultDisk: DiskSpec = gp3;
