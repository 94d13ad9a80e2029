/** A node of the simulated cluster: its object in the API server, and its node model. */
import type { NodeFacts } from "../../core/facts.ts";
import { openRollCall } from "../../core/state/open-roll-call.ts";
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
  /** Its first Ready. */
  readonly readyMs: number;
  readonly podBytes: number;
  ready = false;
  /** It reboots. */
  down = false;
  fence: NodeFacts["fence"];
  /** It has the soft taint of young nodes. */
  steered = false;
  openedNote: NodeFacts["openedNote"];
  /** Cordoned by its operator. A roll call is Paceline's cordon. */
  cordoned = false;
  /** Pods that are bound and not started; and the most at any time. */
  inStartup = 0;
  peakInStartup = 0;
  peakAwaitMs = 0;
  /** Indexes of the DaemonSets that have their pod here. */
  readonly daemons = new Set<number>();
  /** The time of the model's next entry on the agenda. */
  wakeMs = Infinity;
  imagesChanged = false;
  /** Images that were on the disk when its model began. */
  present: readonly string[];
  lastCounters: { readonly atMs: number; readonly counters: NodeCounters } | undefined;
  #version = 0;
  #images: ReadonlyMap<ImageName, number>;
  readonly #labels: Readonly<Record<string, string>>;
  readonly #around: Surroundings;
  #allocatable: NodeFacts["allocatable"];
  #model: NodeModel;
  #boots = 1;
  #readySinceMs: number;
  #notReadySinceMs: number;

  constructor(index: number, spec: ScenarioNodes, createdMs: number, readyMs: number, around: Surroundings) {
    this.index = index;
    this.spec = spec;
    this.createdMs = createdMs;
    this.readyMs = readyMs;
    this.name = nodeName(`node-${index}`);
    this.podBytes = spec.memoryGib * GIB;
    this.present = spec.present;
    this.#around = around;
    this.#model = this.#boot();
    this.#readySinceMs = readyMs;
    this.#notReadySinceMs = createdMs;
    this.#labels = {
      "kubernetes.io/hostname": this.name,
      ...(spec.class !== undefined && { [CLASS_LABEL]: spec.class }),
    };
    this.#allocatable = { cpu: spec.cpu * 1_000, memory: this.podBytes, pods: spec.pods };
    this.#images = this.#listImages();
  }

  get model(): NodeModel {
    return this.#model;
  }

  /** As `spec.unschedulable`. */
  get unschedulable(): boolean {
    return this.cordoned || openRollCall(this) !== undefined;
  }

  /** It is down from now on. What it was doing is lost; what comes up has nothing in memory. */
  goDown(nowMs: number, losesImages: boolean): void {
    this.ready = false;
    this.down = true;
    this.#notReadySinceMs = nowMs;
    this.present = losesImages ? [] : this.#model.imageNames();
    this.#boots += 1;
    this.#model = this.#boot(nowMs);
    this.wakeMs = Infinity;
    this.lastCounters = undefined;
  }

  /** Ready again. */
  comeUp(nowMs: number): void {
    this.ready = true;
    this.down = false;
    this.#readySinceMs = nowMs;
    this.#images = this.#listImages();
  }

  /** Its driver reports its devices. */
  reportDevices(): void {
    const { devices } = this.spec;
    if (devices) this.#allocatable = { ...this.#allocatable, [devices.resource]: devices.count };
  }

  #boot(startMs = this.#around.startMs): NodeModel {
    const { spec, index, present } = this;
    return new NodeModel({
      random: seededRandom(this.#around.seed + 7_919 * (index + 1) + 104_729 * (this.#boots - 1)),
      disk: spec.disk,
      cores: spec.cpu,
      memoryBytes: spec.memoryGib * GIB,
      present,
      normalEvents: false,
      ...this.#around,
      startMs,
    });
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
      readySinceMs: this.ready ? this.#readySinceMs : undefined,
      notReadySinceMs: this.ready ? undefined : this.#notReadySinceMs,
      bootID: `boot-${this.index}-${this.#boots}`,
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

/** Does the node's fence keep pods out? In a roll call its effect is only a preference. */
export const isUp = (node: SimNode) => node.fence !== undefined && openRollCall(node) === undefined;

export const secondsToMs = (seconds: number) => seconds * SECOND_MS;
