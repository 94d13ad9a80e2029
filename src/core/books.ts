/** All that a replica knows when it decides: policy, ledger, what it learnt of disks, what it offered. */
import { nodeClassFor } from "../policy/resolve.ts";
import type { NodeClass, PacingPolicy } from "../policy/schema.ts";
import type { NodeFacts, NodeSample, PodFacts, Resources } from "./facts.ts";
import type { Room } from "./fit.ts";
import { ImageCatalogue } from "./images.ts";
import { Ledger, type NodeEntry } from "./ledger.ts";
import type { Limit } from "./limit.ts";
import { initialLimit } from "./limit.ts";
import type { NodeLoad, Patience } from "./load.ts";
import { nodeLoad, reservationCounts } from "./load.ts";
import { LoadMemo } from "./load-memo.ts";
import { Offers } from "./offers.ts";
import type { DonePulls } from "./pulls.ts";
import { StartTimes } from "./start-times.ts";
import type { NodeName } from "./units.ts";
import { SECOND_MS } from "./units.ts";

export class Books {
  policy: PacingPolicy;
  readonly ledger: Ledger;
  readonly catalogue = new ImageCatalogue();
  readonly startTimes = new StartTimes();
  readonly offers = new Offers();
  readonly samples = new Map<NodeName, NodeSample>();
  readonly limits = new Map<NodeName, Limit>();
  readonly classes = new Map<NodeName, NodeClass>();
  /** Image pulls of pods that have started lately; lost with the replica, which is worth seconds. */
  readonly donePulls = new Map<NodeName, readonly DonePulls[]>();
  readonly loads = new LoadMemo();
  readonly #initialLimits = new WeakMap<NodeClass, Limit>();
  #patience: { readonly policy: PacingPolicy; readonly patience: Patience } | undefined;

  constructor(policy: PacingPolicy) {
    this.policy = policy;
    this.ledger = new Ledger(policy.startup.until);
  }

  classOf(facts: NodeFacts): NodeClass {
    const known = this.classes.get(facts.name);
    if (known) return known;
    const found = nodeClassFor(this.policy, facts.labels);
    this.classes.set(facts.name, found);
    return found;
  }

  limitOf(facts: NodeFacts): Limit {
    return this.limits.get(facts.name) ?? this.#initialLimit(this.classOf(facts));
  }

  /** One for all nodes of a class of which nothing is known yet. */
  #initialLimit(nodeClass: NodeClass): Limit {
    const known = this.#initialLimits.get(nodeClass);
    if (known) return known;
    const initial = initialLimit(nodeClass);
    this.#initialLimits.set(nodeClass, initial);
    return initial;
  }

  /** The same object for as long as the policy is the same. */
  get patience(): Patience {
    const { policy } = this;
    if (this.#patience?.policy !== policy) {
      const deadlineMs = policy.startup.deadlineSeconds * SECOND_MS;
      const reservationMs = policy.fence.bindSeconds * SECOND_MS;
      this.#patience = { policy, patience: { deadlineMs, reservationMs } };
    }
    return this.#patience.patience;
  }

  /** Does kube-scheduler have a long queue of pods that it has not looked at and nobody let go? */
  schedulerIsBehind(nowMs: number): boolean {
    const { count, sinceMs } = this.ledger.pending.untried;
    return count >= MANY_UNTRIED && nowMs >= sinceMs + SCHEDULER_BEHIND_MS;
  }
}

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
  const sample = books.samples.get(node);
  const staleAtMs = (sample?.atMs ?? -Infinity) + books.policy.telemetry.staleSeconds * SECOND_MS;
  return nowMs < staleAtMs ? sample : undefined;
}

/** One for all, so that it compares as the same. */
const NO_PULLS: readonly DonePulls[] = [];

/**
 * Sums up a node of which the Node object is known.
 * @param planned pods that the plan in the making lets go to it.
 */
export function loadOf(books: Books, facts: NodeFacts, nowMs: number, planned: readonly PodFacts[] = []): NodeLoad {
  const entry = books.ledger.entry(facts.name);
  const offers = books.offers.to(facts.name, offerMs(books), nowMs);
  const given = {
    nodeClass: books.classOf(facts),
    limit: books.limitOf(facts),
    sample: freshSample(books, facts.name, nowMs),
    donePulls: books.donePulls.get(facts.name) ?? NO_PULLS,
    offers: planned.length === 0 ? offers : [...offers, ...planned],
    patience: books.patience,
    catalogue: books.catalogue,
  };
  if (given.offers.length === 0) return books.loads.load(entry, facts, given, nowMs);
  return nodeLoad(entry, facts, given, nowMs);
}

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
