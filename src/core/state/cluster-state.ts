/** All that a replica knows when it decides: policy, ledger, what it learnt of disks, what it offered. */
import { nodeClassFor, pacesNode } from "../../policy/resolve.ts";
import type { NodeClass, PacingPolicy } from "../../policy/schema.ts";
import type { NodeFacts, NodeSample, PodFacts } from "../facts.ts";
import type { NodeName } from "../ids.ts";
import { SECOND_MS } from "../measures.ts";
import { exemptLabels } from "../rules/exempt.ts";
import { initialLimit, type Limit } from "../rules/limit.ts";
import type { DonePulls } from "../rules/pull-budget.ts";
import { AdmissionClaims } from "./admission-claims.ts";
import { DaemonSets } from "./daemon-sets.ts";
import { ImageCatalogue } from "./image-catalogue.ts";
import { Ledger } from "./ledger.ts";
import { type Deadlines, nodeLoad, type NodeLoad } from "./load.ts";
import { LoadCache } from "./load-cache.ts";
import { NearCapReleases } from "./near-cap-releases.ts";
import { Namespaces } from "./namespaces.ts";
import { Offers } from "./offers.ts";
import { SCHEDULER_BATCH, SCHEDULER_LOOKS_MS } from "./scheduler-batch.ts";

const NO_PULLS: readonly DonePulls[] = [];
const NO_PODS: readonly PodFacts[] = [];

export class ClusterState {
  readonly ledger: Ledger;
  readonly catalogue = new ImageCatalogue();
  readonly daemonSets = new DaemonSets();
  readonly namespaces = new Namespaces();
  readonly offers = new Offers();
  /** What admission of this replica has given away. */
  readonly admitted = new AdmissionClaims();
  /** Of pods that the policy's cap holds for, and of those with a lower one of their own. */
  readonly nearCap = { common: new NearCapReleases(), own: new NearCapReleases() };
  readonly #loads = new LoadCache(this.catalogue);
  readonly #samples = new Map<NodeName, NodeSample>();
  readonly #limits = new Map<NodeName, Limit>();
  readonly #classes = new Map<NodeName, NodeClass>();
  readonly #leftOut = new Map<NodeName, boolean>();
  /** Image pulls of pods that have started lately. They are lost with the replica, which is worth seconds. */
  readonly #donePulls = new Map<NodeName, readonly DonePulls[]>();
  /** When nodes that kept DaemonSet pods out were seen to open, epoch ms. Lost with the replica: worth seconds. */
  readonly opened = new Map<NodeName, number>();
  #initialLimits = new WeakMap<NodeFacts, Limit>();
  #policy: PacingPolicy;
  #deadlines: Deadlines;

  constructor(policy: PacingPolicy) {
    this.#policy = policy;
    this.#deadlines = deadlinesOf(policy);
    this.ledger = new Ledger(policy.startup.until);
    this.ledger.setPolicy(policy.startup.until, exemptLabels(policy));
  }

  get policy(): PacingPolicy {
    return this.#policy;
  }

  setPolicy(policy: PacingPolicy): void {
    this.#policy = policy;
    this.#deadlines = deadlinesOf(policy);
    this.#classes.clear();
    this.#leftOut.clear();
    this.#initialLimits = new WeakMap();
    this.#loads.clear();
    this.ledger.setPolicy(policy.startup.until, exemptLabels(policy));
  }

  get deadlines(): Deadlines {
    return this.#deadlines;
  }

  classOf(facts: NodeFacts): NodeClass {
    const known = this.#classes.get(facts.name);
    if (known) return known;
    const found = nodeClassFor(this.policy, facts.labels);
    this.#classes.set(facts.name, found);
    return found;
  }

  /** The policy does not pace the node at all. */
  isLeftOut(facts: NodeFacts): boolean {
    let answer = this.#leftOut.get(facts.name);
    if (answer === undefined) this.#leftOut.set(facts.name, (answer = !pacesNode(this.policy, facts.labels)));
    return answer;
  }

  /** The node's labels have changed. */
  forgetClass(node: NodeName): void {
    this.#classes.delete(node);
    this.#leftOut.delete(node);
    this.#loads.forget(node);
  }

  limitOf(facts: NodeFacts): Limit {
    return this.#limits.get(facts.name) ?? this.#initialLimit(facts);
  }

  /** Limits that have moved. */
  get limits(): ReadonlyMap<NodeName, Limit> {
    return this.#limits;
  }

  setLimit(node: NodeName, limit: Limit): void {
    this.#limits.set(node, limit);
    this.#loads.forget(node);
  }

  /** The node's last sample, however old. */
  sampleOf(node: NodeName): NodeSample | undefined {
    return this.#samples.get(node);
  }

  /** The node's last sample while it is fresh. A stale one means "unknown", never "idle". */
  freshSample(node: NodeName, nowMs: number): NodeSample | undefined {
    const sample = this.#samples.get(node);
    return sample && nowMs < this.#staleAtMs(sample) ? sample : undefined;
  }

  setSample(node: NodeName, sample: NodeSample): void {
    this.#samples.set(node, sample);
    this.#loads.forget(node);
  }

  donePullsOf(node: NodeName): readonly DonePulls[] {
    return this.#donePulls.get(node) ?? NO_PULLS;
  }

  setDonePulls(node: NodeName, donePulls: readonly DonePulls[]): void {
    this.#donePulls.set(node, donePulls);
    this.#loads.forget(node);
  }

  forgetNode(node: NodeName): void {
    const { opened } = this;
    for (const map of [this.#limits, this.#samples, this.#donePulls, opened]) map.delete(node);
    this.forgetClass(node);
  }

  /**
   * Sums up a node of which the Node object is known; most of the time from memory.
   * @param planned pods that a plan in the making releases to it.
   */
  loadOf(facts: NodeFacts, nowMs: number, planned: readonly PodFacts[] = NO_PODS): NodeLoad {
    const offers = this.offers.livePods(facts.name, this.offerMs, nowMs);
    const created = this.admitted.seenPods(facts.name, nowMs);
    const given = offers.length + created.length + planned.length;
    if (given > 0) return this.#sumUp(facts, nowMs, [...offers, ...created, ...planned]);
    const known = this.#loads.get(facts, nowMs);
    if (known) return known;
    const load = this.#sumUp(facts, nowMs, NO_PODS);
    this.#loads.set(load, nowMs, load.sample ? this.#staleAtMs(load.sample) : Infinity);
    return load;
  }

  /**
   * True while kube-scheduler has a long queue of pods that it has not looked at and that were not released to a node.
   */
  schedulerIsBehind(nowMs: number): boolean {
    const { count, sinceMs } = this.ledger.pending.untried(this.policy.schedulerNames);
    return count >= SCHEDULER_BATCH && nowMs >= sinceMs + SCHEDULER_LOOKS_MS;
  }

  #sumUp(facts: NodeFacts, nowMs: number, offers: readonly PodFacts[]): NodeLoad {
    const inputs = {
      nodeClass: this.classOf(facts),
      limit: this.limitOf(facts),
      sample: this.freshSample(facts.name, nowMs),
      donePulls: this.donePullsOf(facts.name),
      offers,
      deadlines: this.#deadlines,
      until: this.#policy.startup.until,
      catalogue: this.catalogue,
    };
    return nodeLoad(this.ledger.entry(facts.name), facts, inputs, nowMs);
  }

  #initialLimit(facts: NodeFacts): Limit {
    const known = this.#initialLimits.get(facts);
    if (known) return known;
    const initial = initialLimit(this.classOf(facts), facts);
    this.#initialLimits.set(facts, initial);
    return initial;
  }

  #staleAtMs({ atMs }: NodeSample): number {
    return atMs + this.#policy.telemetry.staleSeconds * SECOND_MS;
  }

  /** How long an offer of the extender uses a slot, ms. */
  get offerMs(): number {
    return this.#policy.extender.offerSeconds * SECOND_MS;
  }
}

const deadlinesOf = ({ startup, fence }: PacingPolicy): Deadlines => ({
  deadlineMs: startup.deadlineSeconds * SECOND_MS,
  reservationMs: fence.bindSeconds * SECOND_MS,
});
