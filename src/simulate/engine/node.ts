/** A node of the simulated cluster: its object in the API server, and its node model. */
import type { NodeFacts } from "../../core/facts.ts";
import { type Assumptions, GIB, NODE_STATUS_MAX_IMAGES, SECOND_MS } from "../model/constants.ts";
import { imageName, type ImageName, nodeName, type NodeName } from "../../core/ids.ts";
import { NodeModel } from "../model/node-model.ts";
import { seededRandom } from "../model/random.ts";
import type { ImageSpec, KubeletSpec, NodeCounters, RuntimeFlushes } from "../model/types.ts";
import type { ScenarioNodes } from "../scenario/schema.ts";

const CLASS_LABEL = "node.kubernetes.io/instance-type";
const NOT_READY = [{ key: "node.kubernetes.io/not-ready", value: "", effect: "NoSchedule" }] as const;

/** Data that all nodes of a scenario share. */
export interface Surroundings {
  /** When the node's model begins. */
  readonly startMs: number;
  readonly seed: number;
  readonly images: readonly ImageSpec[];
  readonly kubelet: KubeletSpec;
  readonly runtimeFlushes: RuntimeFlushes;
  readonly registryMibPerSecond: number;
  readonly assumptions: Partial<Assumptions> | undefined;
}

export class SimNode {
  readonly index: number;
  readonly name: NodeName;
  readonly spec: ScenarioNodes;
  readonly createdMs: number;
  readonly readyMs: number;
  readonly model: NodeModel;
  readonly podBytes: number;
  ready = false;
  fence: NodeFacts["fence"];
  /** It has the soft taint of young nodes. */
  steered = false;
  openedNote: NodeFacts["openedNote"];
  /** Cordoned. */
  unschedulable = false;
  /** Pods that are bound and not started; and the most at any time. */
  inStartup = 0;
  peakInStartup = 0;
  peakAwaitMs = 0;
  /** Indexes of the DaemonSets that have their pod here. */
  readonly daemons = new Set<number>();
  /** The time of the model's next entry on the agenda. */
  wakeMs = Infinity;
  imagesChanged = false;
  lastCounters: { readonly atMs: number; readonly counters: NodeCounters } | undefined;
  #version = 0;
  #images: ReadonlyMap<ImageName, number>;
  readonly #labels: Readonly<Record<string, string>>;
  readonly #allocatable: NodeFacts["allocatable"];

  constructor(index: number, spec: ScenarioNodes, createdMs: number, readyMs: number, around: Surroundings) {
    this.index = index;
    this.spec = spec;
    this.createdMs = createdMs;
    this.readyMs = readyMs;
    this.name = nodeName(`node-${index}`);
    this.podBytes = spec.memoryGib * GIB;
    this.model = new NodeModel({
      random: seededRandom(around.seed + 7_919 * (index + 1)),
      disk: spec.disk,
      cores: spec.cpu,
      memoryBytes: spec.memoryGib * GIB,
      present: spec.present,
      normalEvents: false,
      ...around,
    });
    this.#labels = {
      "kubernetes.io/hostname": this.name,
      ...(spec.class !== undefined && { [CLASS_LABEL]: spec.class }),
    };
    this.#allocatable = { cpu: spec.cpu * 1_000, memory: this.podBytes, pods: spec.pods };
    this.#images = this.#listImages();
  }

  get labels(): Readonly<Record<string, string>> {
    return this.#labels;
  }

  touch(): void {
    this.#version += 1;
  }

  /** Writes the kubelet's node status; false if nothing has changed. */
  reportImages(): boolean {
    if (!this.imagesChanged) return false;
    this.imagesChanged = false;
    this.#images = this.#listImages();
    return true;
  }

  #listImages(): ReadonlyMap<ImageName, number> {
    return new Map(this.model.images().map(({ name, sizeBytes }) => [imageName(name), sizeBytes]));
  }

  facts(): NodeFacts {
    return {
      name: this.name,
      uid: `uid-${this.index}`,
      resourceVersion: String(1_000_000_000 + this.#version),
      labels: this.#labels,
      createdAtMs: this.createdMs,
      readySinceMs: this.ready ? this.readyMs : undefined,
      notReadySinceMs: this.ready ? undefined : this.createdMs,
      unschedulable: this.unschedulable,
      taints: this.ready ? [] : NOT_READY,
      fence: this.fence,
      ...(this.steered && { steered: true }),
      openedNote: this.openedNote,
      allocatable: this.#allocatable,
      address: "127.0.0.1",
      images: this.#images,
      ...(this.#images.size === NODE_STATUS_MAX_IMAGES && { smallestListedBytes: Math.min(...this.#images.values()) }),
    };
  }
}

export const secondsToMs = (seconds: number) => seconds * SECOND_MS;
