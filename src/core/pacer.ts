/**
 * The one decision core: one ledger, one verdict. Webhook, extender, release loop, status page and simulator all ask a
 * {@link Pacer}; none of them decides by itself. Pure: time is an argument, nothing is awaited.
 */
import type { PacingPolicy } from "../policy/schema.ts";
import { admit } from "./rules/pod-admission.ts";
import { Books } from "./state/cluster-state.ts";
import type { NodeFacts, NodeSample, PodFacts } from "./facts.ts";
import type { LedgerChange } from "./state/ledger.ts";
import { fetcherLimitOf } from "./rules/start-checks.ts";
import { afterFailure, afterSample, afterStart, boundLimit, type Limit, markUsed, type Start } from "./rules/limit.ts";
import { writesInFlight } from "./state/load.ts";
import { freshSample } from "./state/cluster-state.ts";
import { offer, score } from "./rules/node-offer.ts";
import { pacedPlaces, placeOf, SettledRoom } from "./placement/nodes-with-room.ts";
import { plan } from "./plan/plan.ts";
import { notePulls } from "./rules/pull-budget.ts";
import { status, type Judged } from "./status.ts";
import { SECOND_MS, type NodeName, type PodUID } from "./ids.ts";
import { keptOut } from "./plan/hold-reasons.ts";
import type { ClusterStatus, Held, LimitMove, Offer, Plan, ReplicaState, Verdict } from "./verdict.ts";

export interface Pacer {
  setPolicy(policy: PacingPolicy): void;
  /** Newer facts replace older ones; a lower or equal resourceVersion of the same object is ignored. */
  upsertPod(pod: PodFacts, nowMs: number): void;
  deletePod(uid: PodUID, nowMs: number): void;
  upsertNode(node: NodeFacts, nowMs: number): void;
  deleteNode(name: NodeName, nowMs: number): void;
  observeSample(node: NodeName, sample: NodeSample, nowMs: number): void;
  /** Pod admission: hold only what fits nowhere but on young or hot nodes. Spends no slot. */
  admit(pod: PodFacts, replica: ReplicaState, nowMs: number): Verdict;
  /** Extender filter: which of these nodes may this pod go to now? Spends a slot by offering. */
  offer(pod: PodFacts, nodes: readonly string[], replica: ReplicaState, nowMs: number): Offer;
  /** Extender prioritize: 0 (busy) to 10 (free) for each node, in the order asked. */
  score(pod: PodFacts, nodes: readonly string[], nowMs: number): readonly number[];
  /** The leader's next step. */
  plan(nowMs: number): Plan;
  /** Pods without a gate that nothing but a fence keeps waiting, with today's reason; the first few hundred. */
  keptOut(nowMs: number): readonly Held[];
  status(nowMs: number): ClusterStatus;
  /** What limits have moved since the last call, oldest first: for logs and metrics. */
  takeMoves(): readonly LimitMove[];
  /** Names of the nodes whose disk is worth watching closely now: young or hot ones. */
  pacedNodes(nowMs: number): readonly NodeName[];
}

/** Moves that nobody takes are forgotten beyond this, oldest first. */
const MOST_MOVES = 1_000;

/** A decision core with empty books. */
export function createPacer(policy: PacingPolicy): Pacer {
  return new BookPacer(policy);
}

class BookPacer implements Pacer {
  readonly #books: Books;
  readonly #settled = new SettledRoom();
  #judged: Judged | undefined;
  readonly #moves: LimitMove[] = [];

  constructor(policy: PacingPolicy) {
    this.#books = new Books(policy);
  }

  setPolicy(policy: PacingPolicy): void {
    const books = this.#books;
    books.setPolicy(policy);
    for (const [name, limit] of books.limits) {
      const facts = books.ledger.nodes.get(name)?.facts;
      if (facts) this.#move(name, () => boundLimit(limit, books.classOf(facts)));
    }
  }

  upsertPod(pod: PodFacts, nowMs: number): void {
    const change = this.#books.ledger.upsertPod(pod);
    if (pod.node !== undefined || pod.terminal || pod.deleting) this.#books.offers.resolve(pod.uid);
    if (change) this.#learn(change, nowMs);
    if (pod.node !== undefined) this.#noteUse(pod.node, nowMs);
  }

  deletePod(uid: PodUID, _nowMs: number): void {
    this.#books.offers.resolve(uid);
    this.#books.ledger.deletePod(uid);
  }

  upsertNode(node: NodeFacts, nowMs: number): void {
    const books = this.#books;
    const before = books.ledger.nodes.get(node.name)?.facts;
    if (before && before.uid !== node.uid) this.deleteNode(node.name, nowMs); // another machine of that name
    if (before?.labels !== node.labels) books.forgetClass(node.name);
    books.ledger.upsertNode(node);
    books.catalogue.learn(node.images);
  }

  deleteNode(name: NodeName, _nowMs: number): void {
    this.#books.ledger.deleteNode(name);
    this.#books.forgetNode(name);
  }

  observeSample(node: NodeName, sample: NodeSample, nowMs: number): void {
    this.#books.setSample(node, sample);
    const freshForMs = this.#books.policy.telemetry.staleSeconds * SECOND_MS;
    this.#move(node, (limit, facts) => {
      const load = this.#books.loadOf(facts, nowMs);
      return afterSample(limit, load.nodeClass, sample, writesInFlight(load), freshForMs);
    });
  }

  admit(pod: PodFacts, replica: ReplicaState, nowMs: number): Verdict {
    return admit(this.#books, this.#settled, pod, replica, nowMs);
  }

  offer(pod: PodFacts, nodes: readonly string[], replica: ReplicaState, nowMs: number): Offer {
    const books = this.#books;
    const answer = offer(books, pod, nodes, replica, nowMs);
    // Of the others none is fuller than it was.
    for (const name of answer.accepted as readonly NodeName[]) if (books.offers.anyTo(name)) this.#noteUse(name, nowMs);
    return answer;
  }

  score(_pod: PodFacts, nodes: readonly string[], nowMs: number): readonly number[] {
    return score(this.#books, nodes, nowMs);
  }

  plan(nowMs: number): Plan {
    const next = plan(this.#books, this.#settled, nowMs);
    this.#judged = { held: next.held, atMs: nowMs };
    return next;
  }

  keptOut(nowMs: number): readonly Held[] {
    return keptOut(this.#books, nowMs);
  }

  status(nowMs: number): ClusterStatus {
    return status(this.#books, this.#judged, nowMs);
  }

  takeMoves(): readonly LimitMove[] {
    return this.#moves.splice(0);
  }

  pacedNodes(nowMs: number): readonly NodeName[] {
    return pacedPlaces(this.#books, nowMs).map(({ facts }) => facts.name);
  }

  #learn(change: LedgerChange, nowMs: number): void {
    const { node, pod } = change;
    this.#move(node, (limit, facts) => {
      const nodeClass = this.#books.classOf(facts);
      if (change.kind === "started") return afterStart(limit, nodeClass, this.#start(pod, facts, nowMs), nowMs);
      return afterFailure(limit, nodeClass, `a container of ${pod.name} failed to start`, nowMs);
    });
  }

  /** What a start says. Books its pulls, of images that nobody had here before, or how long it took without any. */
  #start(pod: PodFacts, facts: NodeFacts, nowMs: number): Start {
    const books = this.#books;
    const { ledger, catalogue, startTimes } = books;
    const entry = ledger.entry(facts.name);
    const pulled = pod.shape.images.filter((image) => !facts.images.has(image) && entry.startedImages.get(image) === 1);
    const done = { atMs: nowMs, count: pulled.length };
    const tookMs = pod.scheduledAtMs === undefined ? undefined : nowMs - pod.scheduledAtMs;
    if (pulled.length === 0 && tookMs !== undefined) startTimes.learn(pod.shape, tookMs);
    const { nodeClass, bytesInFlight } = books.loadOf(facts, nowMs);
    books.setDonePulls(facts.name, notePulls(books.donePullsOf(facts.name), done, nodeClass.pullQPS));
    return {
      fetchedBytes: pulled.reduce((sum, image) => sum + catalogue.bytes(image), 0),
      leftBytes: bytesInFlight,
      tookMs,
      watched: freshSample(this.#books, facts.name, nowMs)?.utilisation !== undefined,
    };
  }

  /** The limit may grow only where it was really used. */
  #noteUse(node: NodeName, nowMs: number): void {
    const facts = placeOf(this.#books, node)?.facts;
    if (!facts || this.#books.limitOf(facts).used) return; // most nodes, most of the time
    const load = this.#books.loadOf(facts, nowMs);
    if (load.held >= load.limit.slots || load.fetchers >= fetcherLimitOf(load)) this.#move(node, markUsed);
  }

  #move(node: NodeName, step: (limit: Limit, facts: NodeFacts) => Limit): void {
    const facts = placeOf(this.#books, node)?.facts;
    if (!facts) return;
    const before = this.#books.limitOf(facts);
    const after = step(before, facts);
    this.#books.setLimit(node, after);
    this.#noteMove(node, before, after);
  }

  #noteMove(node: NodeName, { slots: from }: Limit, { slots: to, move: why }: Limit): void {
    if (from === to) return;
    this.#moves.push({ node, from, to, why });
    if (this.#moves.length > MOST_MOVES) this.#moves.shift();
  }
}
