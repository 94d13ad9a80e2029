/**
 * `paceline`: webhooks, fence and release loop around the real decision core and the real dispatcher. Nothing is
 * decided here: the core is told what its watches would tell it, and what it plans is written with the times that
 * writes take.
 */
import { createPacer, type Pacer } from "../../core/pacer.ts";
import { fenceValue, fenceVerdict } from "../../core/rules/node-fence.ts";
import type { NodeFacts, NodeSample, PodFacts } from "../../core/facts.ts";
import type { FenceAction, Plan, Release } from "../../core/verdict.ts";
import { nodeName, type NodeName } from "../../core/ids.ts";
import type { PacingPolicy } from "../../policy/schema.ts";
import { Dispatcher } from "../../release/dispatcher.ts";
import type { Work } from "../../release/work.ts";
import { DelayLine } from "./agenda.ts";
import type { Cluster } from "./cluster.ts";
import type { Lever } from "./lever.ts";
import type { SimNode } from "./node.ts";
import { ALL_FENCES, NO_FENCES, type SimPod, type WorkloadPlan } from "./pod.ts";
import { SECOND_MS } from "../model/constants.ts";

/** One replica that leads and sees everything. */
const LEADER = { synced: true, leaderAlive: true } as const;

export class PacelineLever implements Lever {
  readonly binds = false;
  readonly holds = true;
  readonly pacer: Pacer;
  readonly #cluster: Cluster;
  readonly #policy: PacingPolicy;
  readonly #podFeed: DelayLine<PodFacts>;
  readonly #nodeFeed: DelayLine<NodeFacts>;
  readonly #nodes = new Map<NodeName, SimNode>();
  /** Without jitter of retries: there is one replica. */
  readonly #dispatcher: Dispatcher;
  readonly #beganMs: number;
  /** When the dispatcher looks next, as far as the agenda knows. */
  #timerMs: number | undefined;
  /** The end of the plan that is being made, or of the last one. */
  #planEndsMs = -Infinity;
  #cursor = 0;

  /** @param known images that the rest of the cluster lists, with their sizes in bytes. */
  constructor(cluster: Cluster, policy: PacingPolicy, known: NodeFacts["images"] = new Map()) {
    this.#cluster = cluster;
    this.#policy = forAllNamespaces(policy);
    this.#beganMs = cluster.agenda.nowMs;
    this.pacer = createPacer(this.#policy);
    this.pacer.daemonSetsListed();
    this.#dispatcher = new Dispatcher(() => 0.5);
    const { agenda, times } = cluster;
    if (known.size > 0) this.pacer.upsertNode(restOfCluster(known), agenda.nowMs);
    this.#podFeed = new DelayLine(agenda, times.watchMs, (pod) => {
      this.pacer.upsertPod(pod, agenda.nowMs);
      this.#poke();
    });
    this.#nodeFeed = new DelayLine(agenda, times.watchMs, (node) => {
      this.pacer.upsertNode(node, agenda.nowMs);
      this.#poke();
    });
  }

  podAdmission(pod: SimPod): void {
    const { nowMs } = this.#cluster.agenda;
    const verdict = this.pacer.admit(pod.facts(), LEADER, nowMs);
    if (verdict.kind === "allow") return;
    pod.gated = true;
    pod.hold = { node: verdict.node, reason: verdict.reason, sinceMs: nowMs };
  }

  nodeAdmission(node: SimNode): NodeFacts["fence"] {
    if (fenceVerdict(node.labels, this.#policy, LEADER) !== "fence") return undefined;
    return { value: fenceValue(node.name), sinceMs: this.#cluster.agenda.nowMs };
  }

  podChanged(pod: SimPod): void {
    this.#podFeed.push(pod.facts());
  }

  nodeChanged(node: SimNode): void {
    const { nowMs } = this.#cluster.agenda;
    this.#nodes.set(node.name, node);
    // What is there when the scenario begins has been seen long ago.
    if (nowMs === this.#beganMs) this.pacer.upsertNode(node.facts(), nowMs);
    this.#nodeFeed.push(node.facts());
  }

  daemonSetCreated({ shape, spec: { toleratesEverything } }: WorkloadPlan): void {
    const { namespace, ownerName: name } = shape;
    const fencesTolerated = toleratesEverything ? ALL_FENCES : NO_FENCES;
    this.pacer.upsertDaemonSet({ namespace, name, shape, pinnedTo: undefined, fencesTolerated, deleting: false });
  }

  /** Young and hot nodes in each round, the others once per rotation. */
  readonly sampled = (): readonly SimNode[] => {
    const { nodes, agenda } = this.#cluster;
    const paced = this.pacer.watchedNodes(agenda.nowMs).flatMap((name) => this.#nodes.get(name) ?? []);
    if (paced.length === nodes.length) return paced;
    const others = new Set(nodes);
    for (const node of paced) others.delete(node);
    const rest = [...others];
    const { telemetry } = this.#policy;
    const share = "rotationSeconds" in telemetry ? telemetry.intervalMs / (telemetry.rotationSeconds * SECOND_MS) : 1;
    const count = Math.ceil(rest.length * share);
    const turn = Array.from({ length: count }, (_, at) => rest[(this.#cursor + at) % rest.length]);
    this.#cursor = (this.#cursor + count) % rest.length;
    return [...paced, ...turn.filter((node) => node !== undefined)];
  };

  sampleTaken(node: SimNode, sample: NodeSample): void {
    this.pacer.observeSample(node.name, sample, this.#cluster.agenda.nowMs);
    this.#poke();
  }

  limitOf(node: SimNode): number | undefined {
    const { nowMs } = this.#cluster.agenda;
    return this.pacer.status(nowMs).nodes.find(({ name }) => name === node.name)?.limit;
  }

  /** What comes while a plan is made waits for its end, as in the service's one thread. */
  #poke(): void {
    this.#dispatcher.poke(Math.max(this.#cluster.agenda.nowMs, this.#planEndsMs));
    this.#setTimer();
  }

  #setTimer(): void {
    const { agenda } = this.#cluster;
    const atMs = this.#dispatcher.lookAtMs;
    if (atMs === Infinity || atMs === this.#timerMs) return;
    this.#timerMs = atMs;
    agenda.at(atMs, () => {
      if (this.#timerMs !== atMs) return; // another one was set instead
      this.#timerMs = undefined;
      if (this.#dispatcher.look(agenda.nowMs)) this.#planAndApply();
      this.#setTimer();
    });
  }

  /** Notes to held pods are left out: they change no decision, and they write slowly. */
  #planAndApply(): void {
    const { agenda } = this.#cluster;
    const { nowMs } = agenda;
    const plan = this.pacer.plan(nowMs);
    const tookMs = this.#planMs(plan);
    this.#planEndsMs = nowMs + tookMs;
    this.#dispatcher.planned({ ...plan, held: [] }, { wallMs: nowMs, steadyMs: nowMs }, tookMs);
    this.#beginWrites();
  }

  #planMs({ held, releases }: Plan): number {
    const { times, scheduler } = this.#cluster;
    const waiting = held.length + releases.length + scheduler.unschedulable.size;
    return times.planPerPodMs * waiting + times.planPerNodeMs * this.#nodes.size;
  }

  #beginWrites(): void {
    for (let work = this.#dispatcher.next(); work; work = this.#dispatcher.next()) this.#begin(work);
  }

  #begin(work: Work): void {
    const { agenda } = this.#cluster;
    const askedMs = agenda.nowMs;
    agenda.after(this.#cluster.writeMs(), () => {
      this.#dispatcher.ended(work, { kind: this.#write(work, askedMs) }, agenda.nowMs);
      this.#beginWrites();
      this.#poke();
    });
  }

  /** The write reaches the API server, and the core learns its answer. */
  #write(work: Work, askedMs: number): "changed" | "unchanged" | "gone" {
    switch (work.kind) {
      case "release":
        return this.#release(work.release, askedMs);
      case "fence":
        return this.#changeFence(work.action);
      case "hold":
        return "unchanged";
    }
  }

  #release({ pod: { uid }, node, fence, note }: Release, askedMs: number): "changed" | "unchanged" | "gone" {
    const { agenda, times, scheduler } = this.#cluster;
    const pod = this.#cluster.pod(uid);
    if (!pod) return "gone";
    if (pod.node) return "unchanged"; // placed already
    if (node !== undefined) pod.reservation = { node, atMs: askedMs };
    if (pod.gated) pod.preferred = node; // other pods' affinity cannot change
    if (fence !== undefined) pod.addFence(fence);
    pod.release = note;
    pod.letGoMs ??= agenda.nowMs;
    if (pod.gated) this.#cluster.ungated(pod);
    else agenda.after(times.watchMs, () => scheduler.podChanged(pod));
    this.#cluster.podChanged(pod);
    this.pacer.upsertPod(pod.facts(), agenda.nowMs);
    return "changed";
  }

  /** Modelled nodes have no fence but ours, so there is none to adopt. */
  #changeFence(action: FenceAction): "changed" | "unchanged" | "gone" {
    const { kind } = action;
    const node = this.#nodes.get(action.node.name);
    if (!node) return "gone";
    if (kind === "adopt") return "unchanged";
    if (kind === "beginRollCall") this.#cluster.beginRollCall(node);
    else if (kind === "endRollCall") this.#cluster.endRollCall(node);
    else if (kind === "lift") this.#cluster.unfence(node, action.steer !== undefined);
    else if (kind === "raise") this.#cluster.raiseFence(node, action.value);
    else if (kind === "note") this.#cluster.noteOpening(node, action.note);
    else this.#cluster.steer(node, kind === "steer");
    this.pacer.upsertNode(node.facts(), this.#cluster.agenda.nowMs);
    return "changed";
  }
}

/** The nodes that a scenario does not tell of, as one: it takes no pods, and shows the images that run there. */
function restOfCluster(images: NodeFacts["images"]): NodeFacts {
  return {
    name: nodeName("rest-of-cluster"),
    uid: "uid-rest-of-cluster",
    resourceVersion: "1",
    labels: {},
    address: undefined,
    createdAtMs: -Infinity,
    readySinceMs: -Infinity,
    notReadySinceMs: undefined,
    unschedulable: false,
    taints: [],
    fence: undefined,
    allocatable: {},
    images,
  };
}

/** Scenarios know no labels of namespaces: their pods are those that the policy paces. */
function forAllNamespaces(policy: PacingPolicy): PacingPolicy {
  const { namespaceSelector: _out, ...exempt } = policy.exempt;
  return { ...policy, namespaces: {}, exempt };
}
