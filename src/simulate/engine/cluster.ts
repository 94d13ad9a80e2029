/**
 * The simulated cluster: an API server with watches that lag a little, kubelets around the modelled nodes, the
 * controllers that create pods, and a scheduler. A strategy ({@link Lever}) acts in the place of Paceline.
 */
import type { OpenedNote } from "../../core/facts.ts";
import { openRollCall } from "../../core/state/open-roll-call.ts";
import { seededRandom } from "../model/random.ts";
import type { PodView } from "../model/types.ts";
import { neverReady } from "../scenario/never-ready.ts";
import type { Scenario, ScenarioNodes } from "../scenario/schema.ts";
import { Agenda, DelayLine } from "./agenda.ts";
import { engineDefaults } from "./assumptions.ts";
import { expectOpenings, joinsCordoned } from "./late-openings.ts";
import type { Lever } from "./lever.ts";
import { isUp, secondsToMs, SimNode, type Surroundings } from "./node.ts";
import { planWorkload, SimPod, type WorkloadPlan } from "./pod.ts";
import { Rooms } from "./rooms.ts";
import { Scheduler } from "./scheduler.ts";
import { Tally } from "./tally.ts";
import type { Assumptions } from "../model/constants.ts";

export interface ClusterOptions {
  readonly scenario: Scenario;
  readonly seed: number;
  readonly lever: (cluster: Cluster) => Lever;
  readonly assumptions?: Partial<Assumptions> | undefined;
}

export class Cluster {
  readonly agenda: Agenda;
  readonly times = engineDefaults;
  readonly nodes: SimNode[] = [];
  readonly pods: SimPod[] = [];
  readonly #podsOn = new Map<SimNode, SimPod[]>();
  readonly scheduler: Scheduler;
  readonly rooms: Rooms;
  readonly tally = new Tally();
  readonly scenario: Scenario;
  readonly random: () => number;
  readonly #options: ClusterOptions;
  readonly #around: Omit<Surroundings, "startMs" | "seed">;
  readonly #workloads: readonly WorkloadPlan[];
  readonly #podsByUid = new Map<string, SimPod>();
  readonly #fences = new Map<string, SimNode>();
  readonly #statuses: DelayLine<{ readonly pod: SimPod; readonly view: PodView; readonly atMs: number }>;
  readonly #toKubelets: DelayLine<SimPod>;
  readonly #lever: Lever;
  /** Workloads that init containers wait for. */
  readonly #awaitedWorkloads: ReadonlySet<string>;
  /** Those of them of which a pod has been Ready. */
  readonly #readyWorkloads = new Set<string>();
  /** Nodes and workloads of the scenario that are still to come. */
  #upcoming = 0;
  /** Pods that may still become Ready. */
  #unready = 0;
  #owedDaemons = 0;

  constructor(options: ClusterOptions) {
    const { scenario, seed } = options;
    this.#options = options;
    this.scenario = scenario;
    this.agenda = new Agenda(startMs(scenario));
    this.random = seededRandom(seed);
    this.#around = surroundings(scenario, options.assumptions);
    const never = neverReady(scenario);
    this.#workloads = scenario.workloads.map((spec, index) => planWorkload(spec, index, never.has(spec.name)));
    this.#awaitedWorkloads = new Set(
      scenario.workloads.flatMap((one) => one.initContainers.flatMap(({ waitsFor }) => waitsFor ?? [])),
    );
    this.rooms = new Rooms(this.#workloads);
    this.#statuses = new DelayLine(this.agenda, this.times.statusMs, (one) =>
      this.#statusArrives(one.pod, one.view, one.atMs),
    );
    this.#toKubelets = new DelayLine(this.agenda, this.times.watchMs, (pod) => this.#kubeletSees(pod));
    this.scheduler = new Scheduler({
      agenda: this.agenda,
      random: seededRandom(seed + 1),
      times: this.times,
      nodes: this.nodes,
      rooms: this.rooms,
      fences: this.#fences,
      bind: (pod, node) => this.agenda.after(this.writeMs(), () => this.bind(pod, node)),
      markUnschedulable: (pod) => this.#markUnschedulable(pod),
    });
    this.#lever = options.lever(this);
    this.#announce();
  }

  get lever(): Lever {
    return this.#lever;
  }

  get workloads(): readonly WorkloadPlan[] {
    return this.#workloads;
  }

  /** The duration of the next write. */
  writeMs(): number {
    return this.times.writeLeastMs + this.times.writeSpreadMs * this.random();
  }

  /** True while something that the simulation waits for has yet to happen. */
  get unfinished(): boolean {
    return this.#upcoming > 0 || this.#unready > 0 || this.#owedDaemons > 0;
  }

  /** Pods of DaemonSets that nodes are still to get. */
  get owedDaemons(): number {
    return this.#owedDaemons;
  }

  pod(uid: string): SimPod | undefined {
    return this.#podsByUid.get(uid);
  }

  /** Registers a node of this kind now; it is Ready at `readyMs`. */
  join(spec: ScenarioNodes, readyMs: number): SimNode {
    const { nowMs } = this.agenda;
    const createdMs = Math.min(nowMs, readyMs - this.times.registerMs);
    const around = { ...this.#around, startMs: nowMs, seed: this.#options.seed };
    const node = new SimNode(this.nodes.length, spec, createdMs, readyMs, around);
    this.nodes.push(node);
    for (const workload of this.#readyWorkloads) node.model.dependencyReady(workload, nowMs);
    this.rooms.add(node);
    // A node that was Ready long before the start no longer has a fence.
    node.fence = createdMs < nowMs ? undefined : this.#lever.nodeAdmission(node);
    if (node.fence) this.#fences.set(node.fence.value, node);
    node.cordoned = joinsCordoned(node, nowMs);
    this.nodeChanged(node);
    if (createdMs < nowMs) this.#becomesReady(node);
    else this.agenda.at(readyMs, () => this.#becomesReady(node));
    expectOpenings(this, node);
    this.#keepReportingImages(node);
    if (spec.pods > 0) this.#owedDaemons += this.#workloads.filter(({ spec: { kind } }) => kind === "DaemonSet").length;
    for (const workload of this.#workloads) this.#ensureDaemon(workload, node);
    return node;
  }

  /** Applies a binding in the API server. */
  bind(pod: SimPod, node: SimNode): void {
    const { nowMs } = this.agenda;
    pod.node = node;
    pod.boundMs = nowMs;
    pod.letGoMs ??= nowMs;
    node.inStartup += 1;
    node.peakInStartup = Math.max(node.peakInStartup, node.inStartup);
    this.podsOn(node).push(pod);
    this.podChanged(pod);
    this.#toKubelets.push(pod);
  }

  /** Pods that were bound to the node, in the order of binding. */
  podsOn(node: SimNode): SimPod[] {
    const known = this.#podsOn.get(node);
    if (known) return known;
    const pods: SimPod[] = [];
    this.#podsOn.set(node, pods);
    return pods;
  }

  /** Removes the gate. */
  ungated(pod: SimPod): void {
    pod.gated = false;
    pod.hold = undefined;
    if (!this.#lever.binds) this.agenda.after(this.times.watchMs, () => this.scheduler.add(pod));
  }

  podChanged(pod: SimPod): void {
    pod.touch();
    this.#lever.podChanged(pod);
  }

  nodeChanged(node: SimNode): void {
    node.touch();
    this.#lever.nodeChanged(node);
  }

  /** Puts the fence up on a cordoned node. */
  raiseFence(node: SimNode, value: string): void {
    if (node.fence || !node.unschedulable) return;
    node.fence = { value, sinceMs: this.agenda.nowMs };
    this.#fences.set(value, node);
    this.nodeChanged(node);
  }

  /** The leader's note on the node. */
  noteOpening(node: SimNode, note: OpenedNote): void {
    node.openedNote = note;
    this.nodeChanged(node);
  }

  /** Lifts the node's fence. */
  unfence(node: SimNode, steered = false): void {
    if (!node.fence) return;
    this.#fences.delete(node.fence.value);
    node.fence = undefined;
    node.steered = steered;
    this.nodeChanged(node);
    this.agenda.after(this.times.watchMs, () => {
      this.#schedulerSees(node);
      for (const workload of this.#workloads) this.#ensureDaemon(workload, node);
    });
  }

  /** Puts the soft taint of young nodes on the node, or takes it off. */
  steer(node: SimNode, steered: boolean): void {
    node.steered = steered;
    this.nodeChanged(node);
  }

  /** A cordon takes the fence's place: the DaemonSet controller creates what does not tolerate the fence. */
  beginRollCall(node: SimNode): void {
    if (!node.fence || node.unschedulable) return;
    node.fence = { ...node.fence, rollCall: { state: "open", sinceMs: this.agenda.nowMs } };
    this.nodeChanged(node);
    this.agenda.after(this.times.watchMs, () => {
      for (const workload of this.#workloads) this.#ensureDaemon(workload, node);
    });
  }

  /** The fence takes the cordon's place again. */
  endRollCall(node: SimNode): void {
    const { fence } = node;
    const rollCall = openRollCall(node);
    if (!fence || !rollCall) return;
    node.fence = { ...fence, rollCall: { ...rollCall, state: "done" } };
    this.nodeChanged(node);
    this.agenda.after(this.times.watchMs, () => this.#schedulerSees(node));
  }

  /** Cordons the node, or ends that. */
  cordon(node: SimNode, cordoned: boolean): void {
    node.cordoned = cordoned;
    this.nodeChanged(node);
    this.agenda.after(this.times.watchMs, () => this.#schedulerSees(node));
  }

  /** The node is down from now on. */
  goDown(node: SimNode, losesImages: boolean): void {
    if (!node.ready) return;
    this.drive(node);
    node.goDown(this.agenda.nowMs, losesImages);
    this.nodeChanged(node);
    this.agenda.after(this.times.watchMs, () => this.#schedulerSees(node));
  }

  /** The node has booted: the kubelet restarts what is bound there, all at once. */
  comeUp(node: SimNode): void {
    if (!node.down) return;
    const { nowMs } = this.agenda;
    node.comeUp(nowMs);
    for (const workload of this.#readyWorkloads) node.model.dependencyReady(workload, nowMs);
    for (const pod of this.podsOn(node)) node.model.addPod(pod.model(), nowMs);
    this.#becomesReady(node);
  }

  /** The driver of the node's devices reports them. */
  reportDevices(node: SimNode): void {
    node.reportDevices();
    this.rooms.reportDevices(node);
    this.nodeChanged(node);
    this.agenda.after(this.times.watchMs, () => this.scheduler.retryAll());
  }

  /** Runs the node's model up to now, and records its events. */
  drive(node: SimNode): void {
    const { nowMs } = this.agenda;
    for (const event of node.model.advanceTo(nowMs)) {
      if (event.kind === "images") node.imagesChanged = true;
      else if (event.kind === "failure") this.tally.failed(event.fingerprint);
      else if (event.kind === "status") this.#nodeSays(node, event.uid, event.status, event.atMs);
    }
    node.peakAwaitMs = Math.max(node.peakAwaitMs, node.model.awaitMs);
    this.#wake(node);
  }

  #wake(node: SimNode): void {
    const next = node.model.nextEventMs() ?? Infinity;
    if (next >= node.wakeMs || next === Infinity) return;
    node.wakeMs = next;
    this.agenda.at(next, () => {
      if (node.wakeMs !== next) return;
      node.wakeMs = Infinity;
      this.drive(node);
    });
  }

  #announce(): void {
    for (const spec of this.scenario.nodes) {
      const readyMs = secondsToMs(spec.joinSeconds);
      for (let count = 0; count < spec.count; count += 1) {
        this.#expect(readyMs - this.times.registerMs, () => this.join(spec, readyMs));
      }
    }
    for (const workload of this.#workloads) {
      this.#expect(secondsToMs(workload.spec.createdSeconds), () => this.#create(workload));
    }
  }

  #expect(atMs: number, run: () => void): void {
    this.#upcoming += 1;
    this.agenda.at(atMs, () => {
      this.#upcoming -= 1;
      run();
    });
  }

  #becomesReady(node: SimNode): void {
    node.ready = true;
    this.nodeChanged(node);
    this.agenda.after(this.times.watchMs, () => this.#schedulerSees(node));
    this.drive(node);
  }

  #schedulerSees(node: SimNode): void {
    if (!node.ready) this.scheduler.closed(node);
    else if (node.cordoned) {
      this.scheduler.closed(node);
      this.scheduler.retryAll(); // pods of DaemonSets tolerate a cordon
    } else if (node.fence) this.scheduler.openedToTolerant(node.fence.value);
    else this.scheduler.opened(node);
  }

  #keepReportingImages(node: SimNode): void {
    this.agenda.after(this.times.nodeStatusMs, () => {
      if (node.reportImages()) this.nodeChanged(node);
      if (this.unfinished) this.#keepReportingImages(node);
    });
  }

  #create(workload: WorkloadPlan): void {
    if (workload.spec.kind === "DaemonSet") {
      this.#lever.daemonSetCreated?.(workload);
      for (const node of this.nodes) this.#ensureDaemon(workload, node);
      return;
    }
    const replicas = workload.spec.replicas ?? 1;
    if (replicas === 0) return;
    this.#unready += replicas;
    let created = 0;
    const next = () => {
      this.#createPod(workload, undefined);
      this.#unready -= 1;
      created += 1;
      if (created < replicas) this.agenda.after(this.times.createPodMs, next);
    };
    next();
  }

  /**
   * Creates the DaemonSet's pod on the node if it is missing. Like the DaemonSet controller, it skips a node whose
   * taint repels the pod, and looks at no cordon.
   */
  #ensureDaemon(workload: WorkloadPlan, node: SimNode): void {
    const { kind, toleratesEverything, createdSeconds } = workload.spec;
    if (kind !== "DaemonSet" || node.spec.pods === 0 || (isUp(node) && !toleratesEverything)) return;
    if (secondsToMs(createdSeconds) > this.agenda.nowMs || node.daemons.has(workload.index)) return;
    node.daemons.add(workload.index);
    this.#owedDaemons -= 1;
    this.#createPod(workload, node);
  }

  #createPod(workload: WorkloadPlan, pinned: SimNode | undefined): void {
    const pod = new SimPod(this.pods.length, workload, pinned, this.agenda.nowMs);
    this.pods.push(pod);
    this.#podsByUid.set(pod.uid, pod);
    if (pod.awaited) this.#unready += 1;
    this.#lever.podAdmission(pod);
    this.podChanged(pod);
    if (!pod.gated && !this.#lever.binds) this.agenda.after(this.times.watchMs, () => this.scheduler.add(pod));
  }

  #markUnschedulable(pod: SimPod): void {
    if (pod.unschedulable) return;
    pod.unschedulable = true;
    this.agenda.after(this.writeMs(), () => this.podChanged(pod));
  }

  #kubeletSees(pod: SimPod): void {
    const { node } = pod;
    if (!node || node.down) return; // a node that is down sees its pods when it is up
    node.model.addPod(pod.model(), this.agenda.nowMs);
    this.drive(node);
  }

  #nodeSays(node: SimNode, uid: string, view: PodView, atMs: number): void {
    const pod = this.pod(uid);
    if (!pod) return;
    if (view.started && pod.startedMs === undefined) {
      pod.startedMs = atMs;
      node.inStartup -= 1;
    }
    if (view.ready && pod.readyMs === undefined) {
      pod.readyMs = atMs;
      if (pod.awaited) this.#unready -= 1;
      this.#tellDependents(pod.workload.spec.name);
    }
    this.#statuses.push({ pod, view, atMs });
  }

  /** Init containers that wait for the workload see it a watch later, as through its Service. */
  #tellDependents(workload: string): void {
    if (this.#readyWorkloads.has(workload) || !this.#awaitedWorkloads.has(workload)) return;
    this.#readyWorkloads.add(workload);
    this.agenda.after(this.times.watchMs, () => {
      for (const node of this.nodes) {
        node.model.dependencyReady(workload, this.agenda.nowMs);
        this.drive(node);
      }
    });
  }

  #statusArrives(pod: SimPod, view: PodView, atMs: number): void {
    pod.learn(view, atMs);
    this.podChanged(pod);
  }
}

/** The start, a little before the first pod. Nodes that join earlier exist from the start. */
function startMs({ workloads }: Scenario): number {
  const first = workloads.reduce((least, workload) => Math.min(least, workload.createdSeconds), 0);
  return secondsToMs(first) - 2 * engineDefaults.registerMs;
}

function surroundings(scenario: Scenario, assumptions: Partial<Assumptions> | undefined) {
  return {
    images: scenario.images,
    kubelet: scenario.kubelet,
    runtimeFlushes: scenario.runtime.flushes,
    registryMibPerSecond: scenario.registry.mibPerSecond,
    assumptions,
  };
}
