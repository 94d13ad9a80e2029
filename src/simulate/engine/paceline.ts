/**
 * `paceline`: webhooks, fence and release loop around the real decision core. Nothing is decided here: the core is told
 * what its watches would tell it, and what it plans is written with the times that writes take.
 */
import { createPacer, type Pacer } from "../../core/pacer.ts";
import { fenceValue, fenceVerdict } from "../../core/rules/node-fence.ts";
import type { NodeFacts, NodeSample, PodFacts } from "../../core/facts.ts";
import type { FenceAction, Plan, Release } from "../../core/verdict.ts";
import { nodeName, type NodeName } from "../../core/ids.ts";
import type { PacingPolicy } from "../../policy/schema.ts";
import { DelayLine } from "./agenda.ts";
import type { Cluster } from "./cluster.ts";
import type { Lever } from "./lever.ts";
import type { SimNode } from "./node.ts";
import type { SimPod } from "./pod.ts";
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
  /** Writes on their way: pods and nodes by uid or name, and releases per node. */
  readonly #inFlight = new Set<string>();
  readonly #releasing = new Map<NodeName, number>();
  readonly #beganMs: number;
  #queue: (Release | FenceAction)[] = [];
  #poked = false;
  #wakeMs = Infinity;
  /** Time that the last plan took, and the rest after it. */
  #restMs = 0;
  #cursor = 0;

  /** @param known images that the rest of the cluster lists, with their sizes in bytes. */
  constructor(cluster: Cluster, policy: PacingPolicy, known: NodeFacts["images"] = new Map()) {
    this.#cluster = cluster;
    this.#policy = policy;
    this.#beganMs = cluster.agenda.nowMs;
    this.pacer = createPacer(policy);
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

  /** Young and hot nodes in each round, the others once per rotation. */
  readonly sampled = (): readonly SimNode[] => {
    const { nodes, agenda } = this.#cluster;
    const paced = this.pacer.pacedNodes(agenda.nowMs).flatMap((name) => this.#nodes.get(name) ?? []);
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

  #poke(): void {
    if (this.#poked) return;
    this.#poked = true;
    this.#cluster.agenda.after(Math.max(this.#cluster.times.coalesceMs, this.#restMs), () => {
      this.#poked = false;
      this.#plan();
    });
  }

  #plan(): void {
    const { agenda, times } = this.#cluster;
    const plan = this.pacer.plan(agenda.nowMs);
    const waiting = plan.held.length + plan.releases.length + this.#cluster.scheduler.unschedulable.size;
    const tookMs = times.planPerPodMs * waiting + times.planPerNodeMs * this.#nodes.size;
    this.#restMs = tookMs + Math.max(tookMs, Math.min(times.longestRestMs, 4 * tookMs));
    this.#queue = this.#startable(plan);
    this.#pump();
    if (this.#cluster.unfinished) this.#wakeAt(Math.min(plan.wakeAtMs ?? Infinity, agenda.nowMs + times.recheckMs));
  }

  #wakeAt(atMs: number): void {
    const { agenda } = this.#cluster;
    if (this.#wakeMs > agenda.nowMs && this.#wakeMs <= atMs) return; // an earlier look is due already
    this.#wakeMs = atMs;
    agenda.at(atMs, () => {
      if (this.#wakeMs !== atMs) return;
      this.#wakeMs = Infinity;
      this.#poke();
    });
  }

  /** As the release loop: a node gets as many new releases as the plan has room for, less those on their way to it. */
  #startable({ releases, fences }: Plan): (Release | FenceAction)[] {
    const room = new Map<NodeName, number>();
    for (const { node } of releases) if (node !== undefined) room.set(node, (room.get(node) ?? 0) + 1);
    for (const [node, count] of this.#releasing) room.set(node, (room.get(node) ?? 0) - count);
    const free = releases.filter(({ pod, node }) => {
      if (this.#inFlight.has(pod.uid)) return false;
      if (node === undefined) return true;
      const left = room.get(node) ?? 0;
      room.set(node, left - 1);
      return left > 0;
    });
    return [...free, ...fences.filter(({ node }) => !this.#inFlight.has(node.name))];
  }

  #pump(): void {
    let at = 0;
    for (; at < this.#queue.length && this.#inFlight.size < this.#cluster.times.writesInFlight; at += 1) {
      const work = this.#queue[at];
      if (work === undefined) break;
      if ("pod" in work) this.#release(work);
      else this.#changeFence(work);
    }
    this.#queue = this.#queue.slice(at);
  }

  #release(release: Release): void {
    const pod = this.#cluster.pod(release.pod.uid);
    if (!pod || this.#inFlight.has(pod.uid)) return;
    const askedMs = this.#cluster.agenda.nowMs;
    const { node } = release;
    this.#write(pod.uid, () => {
      if (node !== undefined) this.#releasing.set(node, (this.#releasing.get(node) ?? 1) - 1);
      if (pod.node) return; // placed already: nothing to do
      if (node !== undefined) pod.reservation = { node, atMs: askedMs };
      if (release.fence !== undefined) pod.addFence(release.fence);
      pod.letGoMs ??= this.#cluster.agenda.nowMs;
      if (pod.gated) this.#cluster.ungated(pod);
      else this.#cluster.agenda.after(this.#cluster.times.watchMs, () => this.#cluster.scheduler.podChanged(pod));
      this.#cluster.podChanged(pod);
      this.pacer.upsertPod(pod.facts(), this.#cluster.agenda.nowMs);
    });
    if (node !== undefined) this.#releasing.set(node, (this.#releasing.get(node) ?? 0) + 1);
  }

  #changeFence(action: FenceAction): void {
    const node = this.#nodes.get(action.node.name);
    if (!node || this.#inFlight.has(node.name) || action.kind === "adopt") return;
    this.#write(node.name, () => {
      this.#cluster.unfence(node);
      this.pacer.upsertNode(node.facts(), this.#cluster.agenda.nowMs);
    });
  }

  #write(key: string, done: () => void): void {
    this.#inFlight.add(key);
    this.#cluster.agenda.after(this.#cluster.writeMs(), () => {
      this.#inFlight.delete(key);
      done();
      this.#pump();
      this.#poke();
    });
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
    unschedulable: true,
    taints: [],
    fence: undefined,
    allocatable: {},
    images,
  };
}
