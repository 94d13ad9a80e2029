/** A plan in the making: what it releases so far, what still waits, and what nodes carry with it. */
import type { ReleaseReason } from "../../api/reasons.ts";
import type { DaemonSetFacts, NodeFacts, PodFacts, PodShape } from "../facts.ts";
import type { NodeName, PodUID } from "../ids.ts";
import { SECOND_MS } from "../measures.ts";
import { type KnownNode, pacedNodes } from "../placement/known-node.ts";
import { missingDaemonSets } from "../placement/missing-daemon-sets.ts";
import type { Claimant } from "../placement/room.ts";
import type { Given, SettledRoom } from "../placement/settled-nodes.ts";
import { stillToCome } from "../placement/still-to-come.ts";
import { exempt } from "../rules/exempt.ts";
import { holdCapMs } from "../rules/hold-cap.ts";
import { roomKeptUntilMs } from "../rules/kept-room.ts";
import { fencesWork, toleratesFence } from "../rules/node-fence.ts";
import type { ClusterState } from "../state/cluster-state.ts";
import { heldBySinceMs, heldForMs } from "../state/held-since.ts";
import type { NodeLoad } from "../state/load.ts";
import { youngUntilMs } from "../state/pace.ts";
import { claimedFor, reservedFor } from "../state/reservations.ts";
import { EVERY_FENCE, type Opening, type Release, type SetAside } from "../verdict.ts";
import { InVain } from "./in-vain.ts";
import { Refusals } from "./refusals.ts";

/** What a pod near its hold cap is given more than others. */
export type PastLimits = Partial<Pick<Release, "fence" | "note" | "overLimit">>;

/** Does the pod need a toleration for the node's fence? Then the fence's value. */
const fenceInTheWay = (pod: PodFacts, { fence }: NodeFacts) =>
  fence && !toleratesFence(pod, fence.value) ? fence.value : undefined;

/** What a plan gives away of one settled node. */
interface SettledClaims {
  readonly pods: PodFacts[];
  /** Of these, the ones that are to start there: they bring images, and the node can feed them. */
  readonly starting: PodFacts[];
  load: NodeLoad | undefined;
}

const NONE_ASIDE: SetAside = new Map();
const NO_PODS: readonly PodFacts[] = [];

const openingOf = (pod: PodFacts, node: NodeFacts): Opening => ({
  node: node.name,
  fence: fenceInTheWay(pod, node),
  ...(node.steered && { steered: true }),
});

export class PlanBuilder {
  readonly state: ClusterState;
  readonly nowMs: number;
  readonly aside: SetAside;
  readonly releases: Release[] = [];
  /** Gated pods that this plan may still release. */
  readonly waiting = new Map<PodUID, PodFacts>();
  /** Gated pods that others gate as well: they cannot go yet, so they lay claim to nothing, and their time stands. */
  readonly blocked: PodFacts[] = [];
  /** Gangs of which this plan releases a pod to a node. */
  readonly begun = new Set<string>();
  /** Young, hot and fenced nodes. */
  readonly paced: readonly KnownNode[];
  /** Settled nodes that waiting pods bring images to: they are given slots like the paced ones. */
  readonly settledTargets = new Map<NodeName, KnownNode>();
  readonly schedulerIsBehind: boolean;
  readonly #released = new Set<PodUID>();
  /** Shapes of pods that this plan releases to nodes. */
  readonly #tried = new Set<PodShape>();
  readonly #planned = new Map<NodeName, PodFacts[]>();
  /** Pods that wait, or are released without a slot, and are to go to a settled node. */
  readonly #settledClaims = new Map<NodeName, SettledClaims>();
  /** Nodes whose roll call begins with this plan. */
  readonly #callsRoll = new Set<NodeName>();
  readonly #missingDaemonSets = new Map<NodeName, readonly DaemonSetFacts[]>();
  readonly #stillToCome = new Map<NodeName, readonly Claimant[]>();
  readonly #refusals: Refusals;
  readonly inVain: InVain;
  #notReleasable: ReadonlySet<PodShape> | undefined;
  #pinnedWaiting: ReadonlyMap<NodeName | undefined, readonly PodFacts[]> | undefined;
  /** Of nodes to which the extender offers pods, or this plan releases some. */
  readonly #loads = new Map<NodeName, NodeLoad>();
  readonly #exempt = new Map<PodShape, boolean>();
  #onTheirWayBefore: number | undefined;
  #releasedToNodes = 0;
  #wakeAtMs = Infinity;

  /** @param aside pods that this plan neither releases nor counts. */
  constructor(state: ClusterState, nowMs: number, aside: SetAside = NONE_ASIDE) {
    this.state = state;
    this.aside = aside;
    this.nowMs = nowMs;
    this.paced = pacedNodes(state, nowMs);
    this.#refusals = new Refusals(state, nowMs);
    this.inVain = new InVain(state, nowMs);
    this.schedulerIsBehind = state.schedulerIsBehind(nowMs);
  }

  /** Whether pods of this shape are never held; asked for every waiting pod. */
  isExempt(shape: PodShape): boolean {
    const known = this.#exempt.get(shape);
    if (known !== undefined) return known;
    const answer = exempt(shape, this.state.policy, this.state.namespaces);
    this.#exempt.set(shape, answer);
    return answer;
  }

  /** What a release adds for a pod that no fence may hold any more. */
  get pastFences(): PastLimits {
    return fencesWork(this.state.policy) ? { fence: EVERY_FENCE } : {};
  }

  get maxHoldMs(): number {
    return this.state.policy.maxHoldSeconds * SECOND_MS;
  }

  /** Has the scheduler just refused a pod of this shape on the node, where a slot was reserved for it? */
  isRefused(shape: PodShape, node: NodeFacts): boolean {
    const untilMs = this.#refusals.untilMs(shape, node);
    this.wake(untilMs ?? Infinity);
    return untilMs !== undefined;
  }

  /**
   * Is the first pod of this shape on its way, and none bound yet? Whether its rules let it go anywhere shows in a
   * moment, and if they do not, one pod has taken slots in vain, not as many as there are.
   */
  awaitsFirst(shape: PodShape): boolean {
    if (!shape.interPodRules || this.state.ledger.boundAlike.has(shape)) return false;
    return this.#tried.has(shape) || this.#refusals.anyOnTheWay(shape);
  }

  /**
   * Is the release of a pod of this shape refused time and again? No pod of it gets a toleration then: what refuses one
   * (PodTolerationRestriction, a policy engine) refuses those that are like it.
   */
  cannotRelease(shape: PodShape): boolean {
    this.#notReleasable ??= new Set(
      [...(this.aside.refused ?? [])].flatMap((uid) => this.state.ledger.pods.get(uid)?.shape ?? []),
    );
    return this.#notReleasable.has(shape);
  }

  /** A pod of this shape that the scheduler has refused on every paced node with room for it. */
  refusedEverywhere(shape: PodShape): PodFacts | undefined {
    return this.#refusals.everywhere(shape, this.paced);
  }

  /** When the plan changes by the mere passing of time, epoch ms; undefined where only events change it. */
  get wakeAtMs(): number | undefined {
    return this.#wakeAtMs === Infinity ? undefined : this.#wakeAtMs;
  }

  /** The plan may change at that time. Times that have passed count for nothing. */
  wake(atMs: number): void {
    if (atMs > this.nowMs) this.#wakeAtMs = Math.min(this.#wakeAtMs, atMs);
  }

  /** The first of these times that is still to come, epoch ms; Infinity where all have passed. */
  soonest(...timesMs: readonly number[]): number {
    return Math.min(...timesMs.filter((atMs) => atMs > this.nowMs));
  }

  /** Releases a pod without a slot. */
  release(pod: PodFacts, reason: ReleaseReason, message: string, past: PastLimits = {}): void {
    this.#leave(pod);
    const heldMs = heldForMs(pod, this.nowMs);
    this.releases.push({ pod, node: undefined, fence: undefined, reason, message, ...this.#noted(pod, heldMs, past) });
  }

  /** Releases a pod to a node, and reserves its slot there. It may take one of `others` instead: as many slots more. */
  releaseTo(
    pod: PodFacts,
    node: NodeFacts,
    reason: ReleaseReason,
    message: string,
    { others = [], ...past }: PastLimits & { readonly others?: readonly NodeFacts[] } = {},
  ): void {
    this.#leave(pod);
    const openings = [node, ...others].map((one) => openingOf(pod, one));
    const [first = openingOf(pod, node), ...rest] = openings;
    const heldMs = Math.max(0, this.nowMs - heldBySinceMs(pod, node, this.nowMs));
    const also = rest.length > 0 && { others: rest };
    const open = pod.gang !== undefined && this.pastFences;
    this.releases.push({ pod, ...first, ...also, reason, message, ...open, ...this.#noted(pod, heldMs, past) });
    if (pod.gang !== undefined) this.begun.add(pod.gang);
    for (const opening of openings) {
      this.#planned.set(opening.node, [...this.plannedFor(opening.node), pod]);
      this.#loads.delete(opening.node);
    }
    this.#tried.add(pod.shape);
    this.#releasedToNodes += 1;
  }

  /** What a release says of a pod that was held for so long, ms. */
  #noted(pod: PodFacts, heldMs: number, past: PastLimits) {
    const note = { ...(past.note ?? { atMs: this.nowMs, heldMs }), ...(pod.gated && { ungated: true as const }) };
    return { ...past, note, capMs: this.nowMs - note.heldMs + holdCapMs(pod.shape, this.maxHoldMs) };
  }

  /** Pods that were released to paced nodes and are not bound yet, this plan's included. */
  get onTheirWay(): number {
    this.#onTheirWayBefore ??= this.#countReserved();
    return this.#onTheirWayBefore + this.#releasedToNodes;
  }

  /**
   * Pods that were released to other paced nodes and are not bound yet. Were this node open, kube-scheduler could take
   * it instead of the one that has a slot for them.
   */
  *onTheirWayElsewhere(node: KnownNode): Generator<PodFacts> {
    for (const { entry, facts } of this.paced) {
      if (facts.name === node.facts.name) continue;
      for (const pod of this.plannedFor(facts.name)) if (pod.pinnedTo === undefined) yield pod;
      if (entry.reserved.size === 0) continue;
      for (const pod of reservedFor(this.state, entry, this.nowMs)) if (pod.pinnedTo === undefined) yield pod;
    }
  }

  /** True if this plan releases the pod. */
  hasReleased(pod: PodFacts): boolean {
    return this.#released.has(pod.uid);
  }

  /** Pods that this plan releases to the node. */
  plannedFor(node: NodeName): readonly PodFacts[] {
    return this.#planned.get(node) ?? [];
  }

  /** Counts the pod on a settled node, so that others look further. */
  claimSettled(pod: PodFacts, { node, bringsImages, saturated }: SettledRoom): void {
    const { name } = node.facts;
    const claims = this.#settledClaims.get(name) ?? { pods: [], starting: [], load: undefined };
    this.#settledClaims.set(name, claims);
    claims.pods.push(pod);
    if (!bringsImages || saturated) return;
    claims.starting.push(pod);
    claims.load = undefined;
  }

  /** What this plan gives away of settled nodes. */
  readonly given: Given = {
    claimants: (node) => this.#settledClaims.get(node)?.pods ?? NO_PODS,
    load: (facts) => {
      const claims = this.#settledClaims.get(facts.name);
      if (!claims) return this.state.loadOf(facts, this.nowMs);
      return (claims.load ??= this.state.loadOf(facts, this.nowMs, claims.starting));
    },
  };

  /** DaemonSets whose pod a young node still lacks. */
  missingDaemonSets(node: KnownNode): readonly DaemonSetFacts[] {
    const { facts } = node;
    const known = this.#missingDaemonSets.get(facts.name);
    if (known) return known;
    const missing = this.#isYoung(facts) ? missingDaemonSets(this.state, node) : [];
    this.#missingDaemonSets.set(facts.name, missing);
    return missing;
  }

  /** Those of them for which the node's room is still kept. */
  #awaited(node: KnownNode): readonly DaemonSetFacts[] {
    const openedMs = this.state.opened.get(node.facts.name);
    return this.missingDaemonSets(node).filter((daemonSet) => {
      const untilMs = roomKeptUntilMs(daemonSet, node.facts, openedMs);
      this.wake(untilMs);
      return this.nowMs < untilMs;
    });
  }

  /**
   * What a young node's room is kept free for beside {@link waitingOnlyFor}. Complete once those of them that find no
   * room there have left.
   */
  stillToCome(node: KnownNode): readonly Claimant[] {
    const { name } = node.facts;
    let kept = this.#stillToCome.get(name);
    if (!kept) {
      kept = this.#isYoung(node.facts)
        ? stillToCome(this.state, node, this.waitingOnlyFor(name), this.#awaited(node), this.nowMs)
        : [];
      this.#stillToCome.set(name, kept);
    }
    return kept.filter(({ uid }) => uid === undefined || !this.#released.has(uid));
  }

  /**
   * Gated pods that may run on no other node, {@link blocked} ones included: their room is kept free there. Complete
   * once all of {@link waiting} is.
   */
  waitingOnlyFor(node: NodeName): readonly PodFacts[] {
    this.#pinnedWaiting ??= Map.groupBy([...this.waiting.values(), ...this.blocked], ({ pinnedTo }) => pinnedTo);
    return (this.#pinnedWaiting.get(node) ?? []).filter(({ uid }) => !this.#released.has(uid));
  }

  beginRollCall(node: NodeName): void {
    this.#callsRoll.add(node);
  }

  beginsRollCall(node: NodeName): boolean {
    return this.#callsRoll.has(node);
  }

  /** What the node carries, with what this plan releases to it. */
  load(facts: NodeFacts): NodeLoad {
    const known = this.#loads.get(facts.name);
    if (known) return known;
    const load = this.state.loadOf(facts, this.nowMs, this.plannedFor(facts.name));
    if (load.offered.length > 0) this.#loads.set(facts.name, load); // the state remembers the others
    return load;
  }

  #isYoung(facts: NodeFacts): boolean {
    return this.nowMs < youngUntilMs(this.state, facts);
  }

  #countReserved(): number {
    let count = 0;
    for (const { entry } of this.paced)
      if (entry.reserved.size > 0) count += claimedFor(this.state, entry, this.nowMs).length;
    return count;
  }

  #leave(pod: PodFacts): void {
    this.waiting.delete(pod.uid);
    this.#released.add(pod.uid);
  }
}
