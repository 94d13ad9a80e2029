/** All that a replica knows when it decides: policy, ledger, what it learnt of disks, what it offered. */
import { nodeClassFor } from "../../policy/resolve.ts";
import type { NodeClass, PacingPolicy } from "../../policy/schema.ts";
import type { NodeFacts, NodeSample, PodFacts, Resources } from "../facts.ts";
import type { Room } from "../placement/fit.ts";
import { ImageCatalogue } from "./image-catalogue.ts";
import { Ledger, type NodeEntry } from "./ledger.ts";
import type { Limit } from "../rules/limit.ts";
import { initialLimit } from "../rules/limit.ts";
import type { NodeLoad, Patience } from "./load.ts";
import { nodeLoad, reservationCounts } from "./load.ts";
import { LoadMemo } from "./load-cache.ts";
import { Offers } from "./offers.ts";
import type { DonePulls } from "../rules/pull-budget.ts";
import { StartTimes } from "./start-times.ts";
import type { NodeName } from "../ids.ts";
import { SECOND_MS } from "../ids.ts";

export class Books {
  readonly ledger: Ledger;
  readonly catalogue = new ImageCatalogue();
  readonly startTimes = new StartTimes();
  readonly offers = new Offers();
  readonly #loads = new LoadMemo(this.catalogue);
  readonly #samples = new Map<NodeName, NodeSample>();
  readonly #limits = new Map<NodeName, Limit>();
  readonly #classes = new Map<NodeName, NodeClass>();
  /** Image pulls of pods that have started lately; lost with the replica, which is worth seconds. */
  readonly #donePulls = new Map<NodeName, readonly DonePulls[]>();
  readonly #initialLimits = new WeakMap<NodeClass, Limit>();
  #policy: PacingPolicy;
  #patience: Patience;

  constructor(policy: PacingPolicy) {
    this.#policy = policy;
    this.#patience = patienceOf(policy);
    this.ledger = new Ledger(policy.startup.until);
  }

  get policy(): PacingPolicy {
    return this.#policy;
  }

  setPolicy(policy: PacingPolicy): void {
    this.#policy = policy;
    this.#patience = patienceOf(policy);
    this.#classes.clear();
    this.#loads.clear();
    this.ledger.setUntil(policy.startup.until);
  }

  classOf(facts: NodeFacts): NodeClass {
    const known = this.#classes.get(facts.name);
    if (known) return known;
    const found = nodeClassFor(this.policy, facts.labels);
    this.#classes.set(facts.name, found);
    return found;
  }

  /** The node's labels have changed. */
  forgetClass(node: NodeName): void {
    this.#classes.delete(node);
    this.#loads.forget(node);
  }

  limitOf(facts: NodeFacts): Limit {
    return this.#limits.get(facts.name) ?? this.#initialLimit(this.classOf(facts));
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
    for (const map of [this.#limits, this.#samples, this.#classes, this.#donePulls]) map.delete(node);
    this.#loads.forget(node);
  }

  /**
   * Sums up a node of which the Node object is known; most of the time from memory.
   * @param planned pods that a plan in the making lets go to it.
   */
  loadOf(facts: NodeFacts, nowMs: number, planned: readonly PodFacts[] = NO_PODS): NodeLoad {
    const offers = this.offers.to(facts.name, offerMs(this), nowMs);
    if (offers.length + planned.length > 0) return this.#sumUp(facts, nowMs, [...offers, ...planned]);
    const known = this.#loads.get(facts, nowMs);
    if (known) return known;
    const load = this.#sumUp(facts, nowMs, NO_PODS);
    this.#loads.keep(load, nowMs, load.sample ? staleAtMs(this, load.sample) : Infinity);
    return load;
  }

  #sumUp(facts: NodeFacts, nowMs: number, offers: readonly PodFacts[]): NodeLoad {
    const given = {
      nodeClass: this.classOf(facts),
      limit: this.limitOf(facts),
      sample: freshSample(this, facts.name, nowMs),
      donePulls: this.donePullsOf(facts.name),
      ...{ offers, patience: this.patience, catalogue: this.catalogue },
    };
    return nodeLoad(this.ledger.entry(facts.name), facts, given, nowMs);
  }

  /** One for all nodes of a class of which nothing is known yet. */
  #initialLimit(nodeClass: NodeClass): Limit {
    const known = this.#initialLimits.get(nodeClass);
    if (known) return known;
    const initial = initialLimit(nodeClass);
    this.#initialLimits.set(nodeClass, initial);
    return initial;
  }

  get patience(): Patience {
    return this.#patience;
  }

  /** Does kube-scheduler have a long queue of pods that it has not looked at and nobody let go? */
  schedulerIsBehind(nowMs: number): boolean {
    const { count, sinceMs } = this.ledger.pending.untried;
    return count >= MANY_UNTRIED && nowMs >= sinceMs + SCHEDULER_BEHIND_MS;
  }
}

const NO_PULLS: readonly DonePulls[] = [];
const NO_PODS: readonly PodFacts[] = [];

const patienceOf = ({ startup, fence }: PacingPolicy): Patience => ({
  deadlineMs: startup.deadlineSeconds * SECOND_MS,
  reservationMs: fence.bindSeconds * SECOND_MS,
});

/**
 * So many pending pods without a first look, the first of them for so long (ms), show that the scheduler is behind. Assumed:
 * with 700 pods a second at best (scheduler_perf), about a second's work.
 */
const MANY_UNTRIED = 500;
const SCHEDULER_BEHIND_MS = 5_000;

export type Pace = "young" | "hot" | "settled";

/** Young: Ready (or created, until then) for less than youngForSeconds. Hot: its disk was, within the last seconds. */
export function paceOf(books: Books, facts: NodeFacts, nowMs: number): Pace {
  if (nowMs < youngUntilMs(books, facts)) return "young";
  return nowMs < (books.limits.get(facts.name)?.hotUntilMs ?? -Infinity) ? "hot" : "settled";
}

/** When a node stops being young, epoch ms. */
export function youngUntilMs({ policy }: Books, facts: NodeFacts): number {
  return (facts.readySinceMs ?? facts.createdAtMs) + policy.youngForSeconds * SECOND_MS;
}

/** The node's last sample while it is fresh; a stale one is unknown, never idle. */
export function freshSample(books: Books, node: NodeName, nowMs: number): NodeSample | undefined {
  const sample = books.sampleOf(node);
  return sample && nowMs < staleAtMs(books, sample) ? sample : undefined;
}

const staleAtMs = ({ policy }: Books, { atMs }: NodeSample) => atMs + policy.telemetry.staleSeconds * SECOND_MS;

export const offerMs = ({ policy }: Books) => policy.extender.offerSeconds * SECOND_MS;

/**
 * What of a node is not spoken for.
 * @param claimants unbound pods that have a claim on it besides the ones bound there.
 */
export function roomOf(entry: NodeEntry, facts: NodeFacts, claimants: Iterable<PodFacts>): Room {
  const free: Record<string, number> = { ...facts.allocatable };
  const hostPorts = [...entry.portHolders.values()].flatMap((pod) => pod.shape.hostPorts);
  subtract(free, entry.requested);
  for (const pod of claimants) {
    subtract(free, pod.shape.requests);
    hostPorts.push(...pod.shape.hostPorts);
  }
  return { free, hostPorts };
}

/** Unbound pods with a promise for the node that still counts. */
export function promisedTo({ patience }: Books, { reserved }: NodeEntry, nowMs: number): PodFacts[] {
  return [...reserved.values()].filter((pod) => reservationCounts(pod, patience, nowMs));
}

/** Is the pod on its way to a node? A promise of a node that is gone is none. */
export function isPromised({ ledger, patience }: Books, pod: PodFacts, nowMs: number): boolean {
  const node = pod.reservation && ledger.nodes.get(pod.reservation.node);
  return node?.facts !== undefined && reservationCounts(pod, patience, nowMs);
}

function subtract(free: Record<string, number>, amounts: Resources): void {
  for (const resource in amounts) free[resource] = (free[resource] ?? 0) - (amounts[resource] ?? 0);
}
