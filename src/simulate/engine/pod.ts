/** A pod of the simulated cluster: its state in the API server, and its times for the report. */
import { podImages } from "../../kube/parse/pod-images.ts";
import { podProgress } from "../../kube/parse/pod-status.ts";
import type { PodProgress } from "../../kube/parse/pod-status.ts";
import { statusOf } from "./pod-status.ts";
import type { PodFacts, PodShape } from "../../core/facts.ts";
import { EVERY_FENCE } from "../../core/verdict.ts";
import { type NodeName, podUID, type PodUID } from "../../core/ids.ts";
import { MIB } from "../../core/measures.ts";
import type { ModelContainer, ModelPod, PodView } from "../model/types.ts";
import type { ScenarioWorkload } from "../scenario/schema.ts";
import type { SimNode } from "./node.ts";

/** Data that all pods of a workload share. */
export interface WorkloadPlan {
  readonly index: number;
  readonly spec: ScenarioWorkload;
  readonly shape: PodShape;
  readonly containers: readonly ModelContainer[];
  readonly initContainers: readonly ModelContainer[];
  /** No strategy can make its pods Ready, so the simulation does not wait for them. */
  readonly neverReady: boolean;
}

export function planWorkload(spec: ScenarioWorkload, index: number, neverReady: boolean): WorkloadPlan {
  const { name, cpuMillis, memoryMib, device } = spec;
  const containers = spec.images.map((image, at) => ({ name: `c${at}`, image }));
  const initContainers = spec.initContainers.map(({ image, ...init }, at) => ({ name: `init${at}`, image, init }));
  const shape: PodShape = {
    namespace: "default",
    labels: { app: name },
    ownerKind: spec.kind === "DaemonSet" ? "DaemonSet" : "ReplicaSet",
    ownerName: name,
    nodeSelector: {},
    affinityTerms: undefined,
    tolerations: spec.toleratesEverything ? [{ key: "", operator: "Exists", value: "", effect: "" }] : [],
    requests: {
      pods: 1,
      ...(cpuMillis > 0 && { cpu: cpuMillis }),
      ...(memoryMib > 0 && { memory: memoryMib * MIB }),
      ...(device !== undefined && { [device]: 1 }),
    },
    hostPorts: [],
    ...podImages({ initContainers: initContainers.map(present), containers: containers.map(present) }),
    priority: spec.priority,
    priorityClassName: "",
    schedulerName: "default-scheduler",
    interPodRules: false,
    mirror: false,
  };
  return { index, spec, shape, containers, initContainers, neverReady };
}

const present = ({ image }: ModelContainer) => ({ image, imagePullPolicy: "IfNotPresent" });

/** Before anything has happened. */
const untouched: PodProgress = podProgress({}, {});
export const ALL_FENCES: readonly string[] = [EVERY_FENCE];
export const NO_FENCES: readonly string[] = [];

export class SimPod {
  readonly uid: PodUID;
  readonly order: number;
  readonly name: string;
  readonly workload: WorkloadPlan;
  /** The only node it may run on (DaemonSet pods). */
  readonly pinned: SimNode | undefined;
  readonly createdMs: number;
  gated = false;
  hold: PodFacts["hold"];
  reservation: PodFacts["reservation"];
  release: PodFacts["release"];
  fences: readonly string[];
  /** The node of its release: kube-scheduler prefers it (node affinity), and its soft taint counts for nothing. */
  preferred: NodeName | undefined;
  node: SimNode | undefined;
  boundMs: number | undefined;
  unschedulable = false;
  progress: PodProgress = untouched;
  #sandbox: { readonly ready: boolean; readonly sinceMs: number } | undefined;
  /** For the scheduler: failed attempts, when it may try again, when the pod entered the queue. */
  attempts = 0;
  retryMs = 0;
  queuedMs = 0;
  /** When the pod was let go: bound, or no longer held. */
  letGoMs: number | undefined;
  /** When it was first started, and first Ready, on the node itself. */
  startedMs: number | undefined;
  readyMs: number | undefined;
  #version = 0;

  constructor(order: number, workload: WorkloadPlan, pinned: SimNode | undefined, createdMs: number) {
    this.order = order;
    this.uid = podUID(`pod-${order}`);
    this.name = `${workload.spec.name}-${order}`;
    this.workload = workload;
    this.pinned = pinned;
    this.createdMs = createdMs;
    this.fences = workload.spec.toleratesEverything ? ALL_FENCES : NO_FENCES;
  }

  /** True if it crashes by itself. It never stays Ready, so the simulation does not wait for it. */
  get crashes(): boolean {
    return this.workload.spec.crashAfterSeconds !== undefined;
  }

  /** The simulation ends when all pods that are awaited are Ready. */
  get awaited(): boolean {
    return !this.crashes && !this.workload.neverReady;
  }

  toleratesFence(value: string): boolean {
    return this.fences === ALL_FENCES || this.fences.includes(value);
  }

  addFence(value: string): void {
    if (value === EVERY_FENCE) this.fences = ALL_FENCES;
    else if (!this.toleratesFence(value)) this.fences = [...this.fences, value];
  }

  /** Records a change of the API server's object. */
  touch(): void {
    this.#version += 1;
  }

  /** Applies the kubelet's report of `atMs`; false if nothing changed but {@link PodFacts.startup}. */
  learn(view: PodView, atMs: number): boolean {
    if (this.#sandbox?.ready !== view.sandboxReady) this.#sandbox = { ready: view.sandboxReady, sinceMs: atMs };
    const before = this.progress;
    const { initContainers, containers } = this.workload;
    const after = podProgress({ initContainers, containers }, statusOf(view, this.#sandbox.sinceMs));
    this.progress = after;
    return !(
      after.containersStarted === before.containersStarted &&
      after.ready === before.ready &&
      after.waitingOn === before.waitingOn &&
      after.restarts === before.restarts &&
      after.overloadFailures === before.overloadFailures
    );
  }

  /** The pod as the core sees it. */
  facts(): PodFacts {
    const { progress, workload } = this;
    return {
      uid: this.uid,
      namespace: "default",
      name: this.name,
      resourceVersion: String(1_000_000_000 + this.#version),
      shape: workload.shape,
      pinnedTo: this.pinned?.name,
      node: this.node?.name,
      createdAtMs: this.createdMs,
      gated: this.gated,
      gatedByOthers: false,
      hold: this.hold,
      reservation: this.reservation,
      release: this.release,
      fencesTolerated: this.fences,
      terminal: false,
      deleting: false,
      scheduledAtMs: this.boundMs,
      containersStarted: progress.containersStarted,
      startup: progress.startup,
      ready: progress.ready,
      waitingOn: progress.waitingOn,
      restarts: progress.restarts,
      overloadFailures: progress.overloadFailures,
      unschedulable: this.unschedulable && this.node === undefined,
      refused: false, // the modelled scheduler and the core decide alike
    };
  }

  /** The pod as its node sees it. */
  model(): ModelPod {
    const { spec, containers, initContainers } = this.workload;
    return {
      uid: this.uid,
      namespace: "default",
      name: this.name,
      containers,
      initContainers,
      attachSeconds: spec.attachSeconds,
      missingSecret: spec.missingSecret,
      startCpuSeconds: spec.startCpuSeconds,
      startupProbeSeconds: spec.startupProbeSeconds || undefined,
      readySeconds: spec.readySeconds,
      startupDeadlineSeconds: spec.startupDeadlineSeconds,
      crashAfterSeconds: spec.crashAfterSeconds,
    };
  }
}
