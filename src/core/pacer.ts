/**
 * The door to the decision core: one ledger, one verdict. Webhook, extender, release loop, status page and simulator
 * ask a {@link Pacer}; none of them decides by itself. Pure: time is an argument, nothing is awaited.
 */
import type { PacingPolicy } from "../policy/schema.ts";
import type { DaemonSetFacts, NodeFacts, NodeSample, PodFacts, SandboxFailure } from "./facts.ts";
import type { NodeName, PodUID } from "./ids.ts";
import { leaderFigures, type LeaderFigures } from "./leader-figures.ts";
import { SECOND_MS } from "./measures.ts";
import { knownNode, watchedNodes } from "./placement/known-node.ts";
import { OpenNodes } from "./placement/open-nodes.ts";
import { SettledNodes } from "./placement/settled-nodes.ts";
import { keptOut } from "./plan/hold-reasons.ts";
import { makePlan } from "./plan/plan.ts";
import { exempt } from "./rules/exempt.ts";
import { CUT_BY_SANDBOX, podWithoutSandbox } from "./rules/failed-sandbox.ts";
import { afterFailure, afterSample, afterStart, boundLimit, type Limit, markUsed, type Start } from "./rules/limit.ts";
import { hasOpened } from "./rules/kept-room.ts";
import { offer, score } from "./rules/node-offer.ts";
import { admit } from "./rules/pod-admission.ts";
import { roomBehindPacing } from "./rules/preemption.ts";
import { notePulls } from "./rules/pull-budget.ts";
import { ClusterState } from "./state/cluster-state.ts";
import { asFreed } from "./state/freed.ts";
import { FirstReady } from "./state/first-ready.ts";
import type { LedgerChange } from "./state/ledger.ts";
import { LimitHistory } from "./state/limit-history.ts";
import { imageNeeds } from "./state/image-needs.ts";
import { writesInFlight } from "./state/load.ts";
import { WebhookSilence } from "./state/webhook-silence.ts";
import { type LimitAnswer, limitAnswer } from "./limit-answer.ts";
import { type PodAnswer, podAnswer } from "./pod-answer.ts";
import { type LastPlan, status } from "./status.ts";
import type {
  ClusterStatus,
  FailedStart,
  Held,
  LimitMove,
  Offer,
  Plan,
  ReadyPod,
  ReplicaState,
  SetAside,
  Verdict,
} from "./verdict.ts";

export interface Pacer {
  /** Whether replicas are asked about new pods. */
  readonly silence: WebhookSilence;
  setPolicy(policy: PacingPolicy, nowMs: number): void;
  /**
   * Newer facts replace older ones; a lower or equal resourceVersion of the same object is ignored, and so is an object
   * (by its uid) that was deleted.
   */
  upsertPod(pod: PodFacts, nowMs: number): void;
  deletePod(uid: PodUID, nowMs: number): void;
  upsertNode(node: NodeFacts, nowMs: number): void;
  deleteNode(name: NodeName, nowMs: number): void;
  /** True if plans may change by it. */
  upsertDaemonSet(daemonSet: DaemonSetFacts): boolean;
  /** @param key of {@link daemonSetKey}. */
  deleteDaemonSet(key: string): void;
  /** All DaemonSets have been listed. Until then a node may lack pods of unknown ones. */
  daemonSetsListed(): void;
  /** They may not be listed any more: as before the first list. */
  forgetDaemonSets(): void;
  /** True if plans may change by it. */
  upsertNamespace(name: string, labels: Readonly<Record<string, string>>): boolean;
  deleteNamespace(name: string): void;
  /** They may not be listed any more: as before the first list. */
  forgetNamespaces(): void;
  observeSample(node: NodeName, sample: NodeSample, nowMs: number): void;
  /** True if it counts: the ledger knows the pod as bound there, in startup and without a sandbox. */
  observeSandboxFailure(failure: SandboxFailure, nowMs: number): boolean;
  /**
   * Pod admission: holds a pod that fits nowhere but on young or hot nodes, or that brings images which no settled node
   * can feed now or a young one might get. Uses no slot of these.
   * @param dryRun nothing is counted as given.
   */
  admit(pod: PodFacts, replica: ReplicaState, nowMs: number, dryRun?: boolean): Verdict;
  /** Extender filter: which of these nodes may this pod go to now? An offer uses a slot. */
  offer(pod: PodFacts, nodes: readonly string[], replica: ReplicaState, nowMs: number): Offer;
  /**
   * Extender preempt: a node that has room for the pod and that only pacing keeps it from; undefined: pods may be
   * evicted for it.
   */
  roomBehindPacing(pod: PodFacts, replica: ReplicaState, nowMs: number): NodeName | undefined;
  /** Extender prioritize: 0 (busy) to 10 (free) for each node, in the order asked. */
  score(pod: PodFacts, nodes: readonly string[], nowMs: number): readonly number[];
  /**
   * The leader's next step.
   * @param aside they get no slot, and keep none from others.
   */
  plan(nowMs: number, aside?: SetAside): Plan;
  /** Pods without a gate that only a fence keeps waiting, with today's reason; the first few hundred. */
  keptOut(nowMs: number, aside?: SetAside): readonly Held[];
  status(nowMs: number): ClusterStatus;
  /** Why a pod waits and until when at the latest, or what else there is to say of it. */
  podAnswer(namespace: string, name: string, nowMs: number): PodAnswer;
  /** What the node's limit did in the last ten minutes, as this replica saw it; undefined: no such node is known. */
  limitAnswer(node: string, nowMs: number): LimitAnswer | undefined;
  /** What only the leader knows, for other replicas and the CLI. */
  leaderFigures(nowMs: number): LeaderFigures;
  /** What limits have moved since the last call, oldest first: for logs and metrics. */
  takeMoves(): readonly LimitMove[];
  /** Starts that have failed since the last call, oldest first. */
  takeFailedStarts(): readonly FailedStart[];
  /** Pods that have become Ready for the first time since the last call. */
  takeReady(): readonly ReadyPod[];
  /** Names of the nodes whose disk is worth watching closely now: young or hot ones, and those that fetch images. */
  watchedNodes(nowMs: number): readonly NodeName[];
  /** The policy does not pace the node at all. No for one that is not known. */
  isLeftOut(node: NodeName): boolean;
}

/** Moves and failed starts beyond this many that are not taken are forgotten, oldest first. */
const MOST_KEPT = 1_000;

/** A decision core that has seen nothing yet. */
export function createPacer(policy: PacingPolicy): Pacer {
  return new StatefulPacer(policy);
}

class StatefulPacer implements Pacer {
  readonly silence = new WebhookSilence();
  readonly #state: ClusterState;
  readonly #settled = new SettledNodes();
  readonly #open = new OpenNodes();
  #lastPlan: LastPlan | undefined;
  readonly #moves: LimitMove[] = [];
  readonly #failedStarts: FailedStart[] = [];
  readonly #history = new LimitHistory();
  readonly #ready = new FirstReady();

  constructor(policy: PacingPolicy) {
    this.#state = new ClusterState(policy);
  }

  setPolicy(policy: PacingPolicy, nowMs: number): void {
    const state = this.#state;
    state.setPolicy(policy);
    for (const [name, limit] of state.limits) {
      const facts = state.ledger.nodes.get(name)?.facts;
      if (facts) this.#move(name, nowMs, () => boundLimit(limit, state.classOf(facts)));
    }
  }

  upsertPod(given: PodFacts, nowMs: number): void {
    const before = this.#state.ledger.pods.get(given.uid);
    const pod = asFreed(given, before, nowMs);
    if (!before) this.silence.see(pod, () => this.#isPaced(pod), nowMs);
    const change = this.#state.ledger.upsertPod(pod);
    if (pod.node !== undefined && before?.node === undefined) this.#state.admitted.resolve(pod);
    else if (!before && !pod.gated) this.#state.admitted.see(pod);
    if (pod.node !== undefined || pod.terminal || pod.deleting) this.#state.offers.resolve(pod.uid);
    if (change) this.#learn(change, nowMs);
    this.#ready.see(this.#state, pod, nowMs);
    if (pod.node !== undefined) this.#noteUse(pod.node, nowMs);
  }

  deletePod(uid: PodUID, _nowMs: number): void {
    this.#state.offers.resolve(uid);
    this.#state.ledger.deletePod(uid);
    this.#ready.forget(uid);
  }

  upsertNode(node: NodeFacts, nowMs: number): void {
    const state = this.#state;
    if (state.ledger.isGone(node)) return;
    const before = state.ledger.nodes.get(node.name)?.facts;
    if (before?.labels !== node.labels) state.forgetClass(node.name);
    if (before && before.uid !== node.uid)
      this.deleteNode(node.name, nowMs); // another machine of that name
    else if (before && hasOpened(before, node)) state.opened.set(node.name, nowMs);
    state.ledger.upsertNode(node, nowMs);
    state.catalogue.learn(node.images);
  }

  deleteNode(name: NodeName, _nowMs: number): void {
    this.#state.ledger.deleteNode(name);
    this.#state.forgetNode(name);
    this.#history.forget(name);
  }

  upsertDaemonSet(daemonSet: DaemonSetFacts): boolean {
    return this.#state.daemonSets.upsert(daemonSet);
  }

  deleteDaemonSet(key: string): void {
    this.#state.daemonSets.delete(key);
  }

  daemonSetsListed(): void {
    this.#state.daemonSets.listed();
  }

  forgetDaemonSets(): void {
    this.#state.daemonSets.forget();
  }

  upsertNamespace(name: string, labels: Readonly<Record<string, string>>): boolean {
    return this.#state.namespaces.upsert(name, labels);
  }

  deleteNamespace(name: string): void {
    this.#state.namespaces.delete(name);
  }

  forgetNamespaces(): void {
    this.#state.namespaces.forget();
  }

  observeSample(node: NodeName, sample: NodeSample, nowMs: number): void {
    this.#state.setSample(node, sample);
    const freshForMs = this.#state.policy.telemetry.staleSeconds * SECOND_MS;
    this.#move(node, nowMs, (limit, facts) => {
      const load = this.#state.loadOf(facts, nowMs);
      const isFull = load.slotsInUse >= limit.slots;
      return afterSample(limit, load.nodeClass, sample, writesInFlight(load), freshForMs, isFull);
    });
  }

  observeSandboxFailure({ pod: uid, node, cause }: SandboxFailure, nowMs: number): boolean {
    const pod = podWithoutSandbox(this.#state, { pod: uid, node }, nowMs);
    if (!pod) return false;
    this.#noteFailure(node, pod, `Sandbox${cause}`);
    const words = CUT_BY_SANDBOX[cause]?.(pod.name);
    if (words !== undefined) this.#cut(node, words, nowMs);
    return true;
  }

  admit(given: PodFacts, replica: ReplicaState, nowMs: number, dryRun = false): Verdict {
    this.silence.asked(nowMs);
    const pod = this.#state.ledger.asKind(given);
    const asked = { state: this.#state, settled: this.#settled, open: this.#open, dryRun };
    return admit(asked, pod, replica, nowMs);
  }

  offer(given: PodFacts, nodes: readonly string[], replica: ReplicaState, nowMs: number): Offer {
    const state = this.#state;
    const pod = state.ledger.asKind(given);
    const answer = offer(state, pod, nodes, replica, nowMs);
    // No other node is fuller than it was.
    for (const name of answer.accepted as readonly NodeName[]) if (state.offers.anyTo(name)) this.#noteUse(name, nowMs);
    return answer;
  }

  roomBehindPacing(pod: PodFacts, replica: ReplicaState, nowMs: number): NodeName | undefined {
    return roomBehindPacing(this.#state, pod, replica, nowMs);
  }

  score(_pod: PodFacts, nodes: readonly string[], nowMs: number): readonly number[] {
    return score(this.#state, nodes, nowMs);
  }

  plan(nowMs: number, aside?: SetAside): Plan {
    const next = makePlan(this.#state, this.#settled, nowMs, aside);
    this.#lastPlan = { held: next.held, atMs: nowMs };
    return next;
  }

  keptOut(nowMs: number, aside?: SetAside): readonly Held[] {
    return keptOut(this.#state, nowMs, aside);
  }

  status(nowMs: number): ClusterStatus {
    return status(this.#state, this.#lastPlan, nowMs);
  }

  podAnswer(namespace: string, name: string, nowMs: number): PodAnswer {
    return podAnswer(this.#state, this.#lastPlan, { namespace, name }, nowMs);
  }

  limitAnswer(node: string, nowMs: number): LimitAnswer | undefined {
    return limitAnswer(this.#state, this.#history, node, nowMs);
  }

  leaderFigures(nowMs: number): LeaderFigures {
    return leaderFigures(this.#state, nowMs);
  }

  takeMoves(): readonly LimitMove[] {
    return this.#moves.splice(0);
  }

  takeFailedStarts(): readonly FailedStart[] {
    return this.#failedStarts.splice(0);
  }

  takeReady(): readonly ReadyPod[] {
    return this.#ready.take();
  }

  watchedNodes(nowMs: number): readonly NodeName[] {
    return watchedNodes(this.#state, nowMs);
  }

  isLeftOut(node: NodeName): boolean {
    const facts = knownNode(this.#state, node)?.facts;
    return facts !== undefined && this.#state.isLeftOut(facts);
  }

  #isPaced({ shape }: PodFacts): boolean {
    const { policy, namespaces } = this.#state;
    return policy.gate.enabled && !exempt(shape, policy, namespaces);
  }

  #learn(change: LedgerChange, nowMs: number): void {
    const { node, pod } = change;
    if (change.kind === "failed") {
      this.#noteFailure(node, pod, "Container");
      this.#cut(node, `a container of ${pod.name} failed to start`, nowMs);
      return;
    }
    this.#move(node, nowMs, (limit, facts) =>
      afterStart(limit, this.#state.classOf(facts), this.#start(pod, facts, nowMs), nowMs),
    );
  }

  #cut(node: NodeName, why: string, nowMs: number): void {
    this.#move(node, nowMs, (limit, facts) => afterFailure(limit, this.#state.classOf(facts), why, nowMs));
  }

  #noteFailure(node: NodeName, { namespace, name }: PodFacts, reason: FailedStart["reason"]): void {
    this.#failedStarts.push({ node, pod: `${namespace}/${name}`, reason });
    if (this.#failedStarts.length > MOST_KEPT) this.#failedStarts.shift();
  }

  /** What a start says. Notes its pulls. */
  #start(pod: PodFacts, facts: NodeFacts, nowMs: number): Start {
    const state = this.#state;
    const { ledger, catalogue } = state;
    const entry = ledger.entry(facts.name);
    const { missing, pulls } = imageNeeds(pod, { entry, facts }, catalogue);
    const done = { atMs: nowMs, count: pulls };
    const tookMs = pod.scheduledAtMs === undefined ? undefined : nowMs - pod.scheduledAtMs;
    const { nodeClass, bytesInFlight } = state.loadOf(facts, nowMs);
    state.setDonePulls(facts.name, notePulls(state.donePullsOf(facts.name), done, nodeClass.pullQPS));
    return {
      fetchedBytes: missing.reduce((sum, image) => sum + catalogue.bytes(image), 0),
      leftBytes: bytesInFlight,
      tookMs,
      watched: state.freshSample(facts.name, nowMs)?.utilisation !== undefined,
    };
  }

  /** The limit may grow only where it was really used. */
  #noteUse(node: NodeName, nowMs: number): void {
    const facts = knownNode(this.#state, node)?.facts;
    if (!facts || this.#state.limitOf(facts).used) return; // most nodes, most of the time
    const load = this.#state.loadOf(facts, nowMs);
    if (load.slotsInUse >= load.limit.slots) this.#move(node, nowMs, markUsed);
  }

  #move(node: NodeName, nowMs: number, step: (limit: Limit, facts: NodeFacts) => Limit): void {
    const facts = knownNode(this.#state, node)?.facts;
    if (!facts || this.#state.isLeftOut(facts)) return;
    const before = this.#state.limitOf(facts);
    const after = step(before, facts);
    this.#state.setLimit(node, after);
    this.#history.note(node, before, after, nowMs);
    this.#noteMove(node, before, after);
  }

  #noteMove(node: NodeName, { slots: from }: Limit, { slots: to, move: why }: Limit): void {
    if (from === to) return;
    this.#moves.push({ node, from, to, why });
    if (this.#moves.length > MOST_KEPT) this.#moves.shift();
  }
}
