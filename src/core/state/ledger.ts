/**
 * The ledger: which pod uses a slot where. It is derived from the API server's objects alone, so that every replica and
 * the next leader come to the same one. Only offers (offers.ts) are a replica's own.
 */
import { LRUCache } from "lru-cache";
import type { NodeFacts, PodFacts, PodShape, Resources } from "../facts.ts";
import type { ImageName, NodeName, PodUID } from "../ids.ts";
import { Gangs } from "./gangs.ts";
import { Kinds } from "./kinds.ts";
import { neededNote, nextOpening, openingOf } from "./opening.ts";
import { UnboundPods } from "./unbound-pods.ts";

/**
 * How many deleted pods and nodes are remembered, so that the late answer to one of our own writes does not bring one
 * back. A write takes seconds at most; 10,000 deletions take longer.
 */
const TOMBSTONES = 10_000;

/**
 * Most nodes on which one pod reserves a slot. Each needs a toleration on the pod, and keeps its slot from others until
 * the pod is bound. Assumed: more than there are zones, and more than one pod needs to find a host without its like.
 */
export const MOST_NODES = 16;

/** What is recorded of one node. Exists as soon as a pod or the Node itself names it. */
export interface NodeEntry {
  readonly name: NodeName;
  /** Undefined while only pods speak of the node. */
  facts: NodeFacts | undefined;
  /** Bound pods that are not terminal. */
  readonly bound: Map<PodUID, PodFacts>;
  /** Of these, the ones that have not started (stuck ones included: that depends on the time). */
  readonly starting: Map<PodUID, PodFacts>;
  /** Unbound pods that carry a reservation for this node (expired ones included). */
  readonly reserved: Map<PodUID, PodFacts>;
  /** Sum of the requests of bound pods. */
  readonly requested: Record<string, number>;
  /** Images of pods that have started here, with how many of them: present whatever `node.status.images` shows. */
  readonly startedImages: Map<ImageName, number>;
  /** Bound pods by their shape, with how many of them: replicas are spread over nodes. */
  readonly shapes: Map<PodShape, number>;
  /** Bound pods with host ports. */
  readonly portHolders: Map<PodUID, PodFacts>;
  /** Grows with every change of what is recorded here. */
  changes: number;
}

/** A change from which a node's limit learns. */
export type LedgerChange =
  | { readonly kind: "started"; readonly pod: PodFacts; readonly node: NodeName }
  | { readonly kind: "failed"; readonly pod: PodFacts; readonly node: NodeName };

export type StartedWhen = "ContainersStarted" | "Ready";

/** Pods and nodes as recorded. Applying a fact twice, or an older one later, changes nothing. */
export class Ledger {
  readonly nodes = new Map<NodeName, NodeEntry>();
  readonly pods = new Map<PodUID, PodFacts>();
  /** Unbound pods that carry our gate. */
  readonly gated = new UnboundPods();
  /** Unbound pods without any gate: the scheduler's queue. */
  readonly pending = new UnboundPods();
  readonly gangs = new Gangs();
  /** How many bound pods there are of each shape. */
  readonly boundAlike = new Map<PodShape, number>();
  /** Nodes of which a new leader could not tell when they opened. */
  readonly unnoted = new Set<NodeName>();
  /** Grows whenever room may have appeared anywhere: a node came or changed, a pod went. */
  roomGeneration = 0;
  /** Uids of deleted pods, and of nodes that are deleted or replaced. */
  readonly #gone = new LRUCache<string, true>({ max: TOMBSTONES });
  #until: StartedWhen;
  readonly #kinds = new Kinds();
  /** Label keys that rules name since the last {@link tellApart}. */
  readonly #newlyNamed = new Set<string>();

  constructor(until: StartedWhen) {
    this.#until = until;
  }

  /**
   * Changes when a pod counts as started, and which labels tell pods apart whatever their rules. Records pods anew that
   * this may concern.
   */
  setPolicy(until: StartedWhen, labels: ReadonlySet<string>): void {
    const mayDiffer = this.#kinds.keep(labels);
    if (until === this.#until && !mayDiffer) return;
    this.#recordAnew(
      () => (this.#until = until),
      () => true,
    );
  }

  /** The pod, with the shape that it shares with those that are like it. */
  asKind(pod: PodFacts): PodFacts {
    return this.#kinds.of(pod);
  }

  /** Pods that are alike but for labels that rules have named since the last call are told apart from now on. */
  tellApart(): void {
    if (this.#newlyNamed.size === 0) return;
    const keys = [...this.#newlyNamed];
    this.#newlyNamed.clear();
    const carries = ({ labels, interPodRules }: PodShape) =>
      interPodRules && keys.some((key) => Object.hasOwn(labels, key));
    this.#recordAnew(
      () => {},
      (pod) => carries(pod.givenShape ?? pod.shape),
    );
  }

  started(pod: PodFacts): boolean {
    return this.#until === "Ready" ? pod.ready : pod.containersStarted || pod.ready;
  }

  /** Records a pod; returns what is to be learnt from the change, or undefined. */
  upsertPod(given: PodFacts): LedgerChange | undefined {
    if (this.#gone.has(given.uid)) return undefined;
    const before = this.pods.get(given.uid);
    if (before && !isNewer(given.resourceVersion, before.resourceVersion)) return undefined;
    for (const key of this.#kinds.note(given.shape)) this.#newlyNamed.add(key);
    const pod = this.#kinds.of(given);
    if (before) this.#drop(before, pod);
    this.pods.set(pod.uid, pod);
    this.#record(pod);
    if (before && occupies(before) && !occupies(pod)) this.roomGeneration += 1;
    return this.#change(before, pod);
  }

  deletePod(uid: PodUID): PodFacts | undefined {
    this.#gone.set(uid, true);
    const pod = this.pods.get(uid);
    if (!pod) return undefined;
    this.#drop(pod);
    this.pods.delete(uid);
    this.roomGeneration += 1;
    return pod;
  }

  /** True for a node that was deleted, or that another one of its name has replaced. */
  isGone({ uid }: NodeFacts): boolean {
    return this.#gone.has(uid);
  }

  upsertNode(facts: NodeFacts, nowMs: number): void {
    if (this.isGone(facts)) return;
    const entry = this.entry(facts.name);
    const before = entry.facts;
    if (before?.uid === facts.uid && !isNewer(facts.resourceVersion, before.resourceVersion)) return;
    if (before && before.uid !== facts.uid) this.#gone.set(before.uid, true);
    const known = before?.uid === facts.uid ? before : undefined;
    const opening = known ? nextOpening(known, facts, nowMs) : openingOf(facts, nowMs);
    entry.facts = { ...facts, opening };
    if (neededNote(entry.facts, nowMs)) this.unnoted.add(facts.name);
    else this.unnoted.delete(facts.name);
    if (!before || !sameRoom(before, facts)) this.roomGeneration += 1;
  }

  deleteNode(name: NodeName): void {
    const entry = this.nodes.get(name);
    if (!entry) return;
    if (entry.facts) this.#gone.set(entry.facts.uid, true);
    entry.facts = undefined;
    this.unnoted.delete(name);
    this.#forgetIfEmpty(entry);
  }

  /** The node's entry, made when it is new. */
  entry(name: NodeName): NodeEntry {
    const known = this.nodes.get(name);
    if (known) return known;
    const entry = emptyEntry(name);
    this.nodes.set(name, entry);
    return entry;
  }

  #recordAnew(change: () => void, which: (pod: PodFacts) => boolean): void {
    const pods = [...this.pods.values()].filter(which);
    for (const pod of pods) this.#drop(pod);
    change();
    for (const pod of pods) {
      const now = this.#kinds.of(pod);
      this.pods.set(now.uid, now);
      this.#record(now);
    }
  }

  #change(before: PodFacts | undefined, pod: PodFacts): LedgerChange | undefined {
    if (pod.node === undefined) return undefined;
    const failures = pod.overloadFailures - (before?.overloadFailures ?? 0);
    if (failures > 0) return { kind: "failed", pod, node: pod.node };
    if (before?.node !== undefined && !this.started(before) && this.started(pod)) {
      return { kind: "started", pod, node: pod.node };
    }
    return undefined;
  }

  #record(pod: PodFacts): void {
    this.gangs.add(pod);
    if (pod.node === undefined) this.#recordUnbound(pod);
    else if (!pod.terminal) this.#recordBound(pod, this.entry(pod.node));
  }

  #recordUnbound(pod: PodFacts): void {
    this.#waitsIn(pod)?.add(pod);
    if (!pod.reservation || pod.gated || pod.terminal || pod.deleting) return;
    for (const node of nodesOf(pod.reservation)) {
      const entry = this.entry(node);
      entry.reserved.set(pod.uid, pod);
      entry.changes += 1;
    }
  }

  #waitsIn(pod: PodFacts): UnboundPods | undefined {
    if (pod.node !== undefined || pod.terminal || pod.deleting) return undefined;
    if (pod.gated) return this.gated;
    return pod.gatedByOthers ? undefined : this.pending;
  }

  #recordBound(pod: PodFacts, entry: NodeEntry): void {
    entry.bound.set(pod.uid, pod);
    entry.changes += 1;
    addTo(entry.requested, pod.shape.requests, 1);
    count(entry.shapes, pod.shape, 1);
    count(this.boundAlike, pod.shape, 1);
    if (pod.shape.hostPorts.length > 0) entry.portHolders.set(pod.uid, pod);
    if (this.started(pod)) for (const image of pod.shape.images) count(entry.startedImages, image, 1);
    else entry.starting.set(pod.uid, pod);
  }

  /** @param next the same pod as it is recorded next. */
  #drop(pod: PodFacts, next?: PodFacts): void {
    this.gangs.remove(pod);
    if (pod.node === undefined) this.#dropUnbound(pod, next);
    else this.#dropBound(pod, pod.node);
  }

  #dropUnbound(pod: PodFacts, next: PodFacts | undefined): void {
    const room = this.#waitsIn(pod);
    if (!next || this.#waitsIn(next) !== room) room?.remove(pod);
    for (const node of pod.reservation ? nodesOf(pod.reservation) : []) {
      const entry = this.nodes.get(node);
      if (!entry) continue;
      entry.reserved.delete(pod.uid);
      entry.changes += 1;
      this.#forgetIfEmpty(entry);
    }
  }

  #dropBound(pod: PodFacts, name: NodeName): void {
    const entry = this.nodes.get(name);
    if (!entry?.bound.delete(pod.uid)) return;
    entry.changes += 1;
    addTo(entry.requested, pod.shape.requests, -1);
    count(entry.shapes, pod.shape, -1);
    count(this.boundAlike, pod.shape, -1);
    entry.portHolders.delete(pod.uid);
    if (!entry.starting.delete(pod.uid)) for (const image of pod.shape.images) count(entry.startedImages, image, -1);
    this.#forgetIfEmpty(entry);
  }

  #forgetIfEmpty(entry: NodeEntry): void {
    if (!entry.facts && entry.bound.size === 0 && entry.reserved.size === 0) this.nodes.delete(entry.name);
  }
}

function emptyEntry(name: NodeName): NodeEntry {
  return {
    name,
    facts: undefined,
    bound: new Map(),
    starting: new Map(),
    reserved: new Map(),
    requested: {},
    startedImages: new Map(),
    shapes: new Map(),
    portHolders: new Map(),
    changes: 0,
  };
}

/** Every node on which the reservation keeps a slot. */
export const nodesOf = ({ node, others = [] }: NonNullable<PodFacts["reservation"]>): readonly NodeName[] => [
  node,
  ...others,
];

const occupies = (pod: PodFacts) => pod.node !== undefined && !pod.terminal;

/**
 * resourceVersions are decimal and grow (guaranteed by the API machinery since 1.35); anything else counts as newer.
 */
function isNewer(version: string, than: string): boolean {
  if (version === than) return version === "";
  if (version.length !== than.length) return version.length > than.length;
  return version > than;
}

function addTo(sum: Record<string, number>, amounts: Resources, sign: 1 | -1): void {
  for (const resource in amounts) sum[resource] = (sum[resource] ?? 0) + sign * (amounts[resource] ?? 0);
}

function count<Key>(counts: Map<Key, number>, key: Key, step: 1 | -1): void {
  const next = (counts.get(key) ?? 0) + step;
  if (next > 0) counts.set(key, next);
  else counts.delete(key);
}

/** Can the same pods fit both states of a node? Heartbeats must not look like new room. */
function sameRoom(a: NodeFacts, b: NodeFacts): boolean {
  return (
    a.unschedulable === b.unschedulable &&
    (a.readySinceMs === undefined) === (b.readySinceMs === undefined) &&
    a.fence?.value === b.fence?.value &&
    a.steered === b.steered &&
    a.fence?.rollCall?.state === b.fence?.rollCall?.state &&
    JSON.stringify([a.labels, a.taints, a.allocatable]) === JSON.stringify([b.labels, b.taints, b.allocatable])
  );
}
