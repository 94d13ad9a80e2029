/**
 * What the API server has seen so far: its objects now, and who wrote what when. Invariants look at nothing else,
 * except for what the run itself knows of its faults (true time, wrong clocks, replicas that believe to lead).
 */
import { FENCED_AT_ANNOTATION, GATE, LEADER_LEASE, RESERVATION_ANNOTATION } from "../../src/api/names.ts";
import type { NodeFacts, PodFacts } from "../../src/core/facts.ts";
import type { ImageName } from "../../src/core/ids.ts";
import { exempt } from "../../src/core/rules/exempt.ts";
import { Namespaces } from "../../src/core/state/namespaces.ts";
import type { ApiClient } from "../../src/kube/client/api-client.ts";
import { nodesOf } from "../../src/core/state/ledger.ts";
import { parseReservation } from "../../src/kube/parse/annotations.ts";
import { nodeFacts, podFacts } from "../../src/kube/parse/facts.ts";
import { recordOf, recordsOf, textOf, timeOf, type KubeObject } from "../../src/kube/parse/kube-json.ts";
import { createShapeInterner } from "../../src/kube/parse/shape-interner.ts";
import { defaultPolicy } from "../../src/policy/parse.ts";
import type { FakeApiServer } from "./api-server/api-server.ts";
import { specOf, STRICT_LABEL, STUBBORN_LABEL } from "./modelled-cluster.ts";
import { Openings } from "./openings.ts";
import { NAMESPACE, replicaOf, type Judged, type Replica } from "./replica.ts";
import type { PolicyDraft } from "./steps.ts";
import type { VirtualTime } from "./virtual-time.ts";

export const JANITOR = "janitor";
const LEASE_PATH = `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases/${LEADER_LEASE}`;

/** A write that changed a pod or a node. */
export interface Change {
  readonly actor: string;
  readonly atMs: number;
  readonly path: string;
  readonly before: KubeObject | undefined;
  readonly after: KubeObject | undefined;
  /** The holder of the Lease at that moment, "" for none. */
  readonly holder: string;
}

/** The slots that a leader has reserved for a pod, one on each of several nodes where it has the choice. */
export interface Lever {
  readonly nodes: readonly string[];
  readonly actor: string;
  readonly atMs: number;
  /** From when its reservation counts, by the leader's clock. */
  readonly datedMs: number;
  /** Of `nodes`, the settled ones that have its images: there it needs no free slot (docs/adr/0012). */
  readonly free: readonly string[];
}

/** A pod since its creation. */
export interface PodBook {
  readonly uid: string;
  readonly createdAtMs: number;
  /** The API server let Paceline's gate in with it. */
  readonly cameGated: boolean;
  readonly isExempt: boolean;
  /** Every reservation that replicas wrote for it, oldest first. */
  readonly levers: Lever[];
  /** Its gate was taken off by these, oldest first. */
  readonly ungatedBy: { readonly actor: string; readonly atMs: number }[];
  boundAtMs: number | undefined;
  /** It waited for something that pacing cannot help, so it gave its slot back for a while. */
  everStuck: boolean;
  /** The scheduler refused it, as it was then. */
  everRefused: boolean;
  /** A tenant wrote Paceline's annotations. */
  forged: boolean;
}

export interface PolicyInForce {
  readonly sinceMs: number;
  readonly draft: PolicyDraft;
  readonly valid: boolean;
}

export class Witness {
  readonly server: FakeApiServer;
  readonly time: VirtualTime;
  readonly replicas: readonly Replica[];
  readonly books = new Map<string, PodBook>();
  /** When nodes opened. */
  readonly openings = new Openings();
  /** Changes since the last check. */
  fresh: Change[] = [];
  /** Answers of admission since the last check. */
  judged: Judged[] = [];
  readonly policies: PolicyInForce[] = [];
  readonly internalErrors: string[] = [];
  /** When the last fault, or event of the world, ended. */
  busyUntilMs: number;
  /** When the last fault that hits Paceline, not its world, ended. */
  blindUntilMs: number;
  /** When another program's webhook last refused updates. */
  refusedUntilMs = -Infinity;
  /** Until then a replica may believe to lead though it does not: its steady clock stood still. */
  stoodStillUntilMs = -Infinity;
  ended = false;
  /** When a pod or a node last changed. */
  lastChangeMs = -Infinity;
  readonly #interner = createShapeInterner();
  readonly #podFacts = new WeakMap<KubeObject, PodFacts>();
  readonly #nodeFacts = new WeakMap<KubeObject, NodeFacts>();

  constructor(server: FakeApiServer, time: VirtualTime, replicas: readonly Replica[]) {
    this.server = server;
    this.time = time;
    this.replicas = replicas;
    this.busyUntilMs = time.now();
    this.blindUntilMs = time.now();
  }

  get nowMs(): number {
    return this.time.now();
  }

  get quietForMs(): number {
    return this.nowMs - this.busyUntilMs;
  }

  get pods(): readonly PodFacts[] {
    return this.server.list("/api/v1/pods").items.map((raw) => this.podFactsOf(raw));
  }

  get nodes(): readonly NodeFacts[] {
    return this.server.list("/api/v1/nodes").items.map((raw) => this.nodeFactsOf(raw));
  }

  get holder(): string {
    return replicaOf(textOf(recordOf(this.server.find(LEASE_PATH)?.["spec"])["holderIdentity"]));
  }

  /** For how long nobody has renewed the Lease, ms. */
  get leaseAgeMs(): number {
    const renewed = this.server.find(LEASE_PATH);
    return renewed === undefined ? Infinity : this.nowMs - (this.#leaseSeenMs(renewed) ?? -Infinity);
  }

  podFactsOf(raw: KubeObject): PodFacts {
    let facts = this.#podFacts.get(raw);
    if (!facts) this.#podFacts.set(raw, (facts = podFacts(raw, this.#interner)));
    return facts;
  }

  nodeFactsOf(raw: KubeObject): NodeFacts {
    let facts = this.#nodeFacts.get(raw);
    if (!facts) this.#nodeFacts.set(raw, (facts = nodeFacts(raw, this.#interner)));
    return facts;
  }

  /** Another program's webhook refuses its every update, so Paceline can do nothing for it. */
  isStubborn = ({ shape }: PodFacts): boolean => STUBBORN_LABEL in shape.labels;

  /** Another program's webhook refuses tolerations for it, so Paceline cannot let it past a fence. */
  isStrict = ({ shape }: PodFacts): boolean => STRICT_LABEL in shape.labels;

  /** Policies that were in force within this time, ms. */
  policiesWithin(ms: number): readonly PolicyInForce[] {
    const since = this.nowMs - ms;
    return this.policies.filter((_, index) => (this.policies[index + 1]?.sinceMs ?? Infinity) >= since);
  }

  /**
   * The client of one actor: the API server itself, with every write on record.
   * @param onWrite gets pods and nodes that it has changed
   */
  client(actor: string, onWrite: (raw: KubeObject) => void = () => undefined): ApiClient {
    const client = this.server.client(actor);
    const recorded = <Answer>(path: string, send: () => Promise<Answer>): Promise<Answer> => {
      const before = this.server.find(path);
      const answer = send(); // carried out at once, answered later
      const after = this.server.find(path);
      if (this.note(actor, path, before, after) && after) onWrite(after);
      return answer;
    };
    return {
      ...client,
      patch: (path, ...rest) => recorded(path, () => client.patch(path, ...rest)),
      remove: (path, ...rest) => recorded(path, () => client.remove(path, ...rest)),
    };
  }

  /** @returns true if it was a change of a pod or a node */
  note(actor: string, path: string, before: KubeObject | undefined, after: KubeObject | undefined): boolean {
    if (before === after || before?.metadata?.resourceVersion === after?.metadata?.resourceVersion) return false;
    if (path.includes("/leases/")) {
      this.#leaseRenewals.set(textOf(after?.metadata?.resourceVersion), this.nowMs);
      return false;
    }
    this.lastChangeMs = this.nowMs;
    if (actor === "tenant" && after?.metadata?.namespace === undefined && after?.["kind"] === "Node")
      this.openings.note(before, after, this.nowMs);
    this.fresh.push({ actor, atMs: this.nowMs, path, before, after, holder: this.holder });
    return true;
  }

  readonly #leaseRenewals = new Map<string, number>();

  #leaseSeenMs(lease: KubeObject): number | undefined {
    return (
      this.#leaseRenewals.get(textOf(lease.metadata?.resourceVersion)) ?? timeOf(recordOf(lease["spec"])["renewTime"])
    );
  }

  /** True once for each change of pods and nodes, and at the end: for what is too costly to check at every step. */
  isNewMoment(): boolean {
    if (this.#lookedAtMs === this.lastChangeMs && !this.ended) return false;
    this.#lookedAtMs = this.lastChangeMs;
    return true;
  }

  #lookedAtMs = -Infinity;

  /** Everything so far has been checked. */
  forgetFresh(): void {
    this.fresh = [];
    this.judged = [];
  }

  /** Brings the books up to the API server's state. */
  update(): void {
    const nowMs = this.nowMs;
    for (const raw of this.server.list("/api/v1/pods").items) this.#bookPod(raw, nowMs);
    for (const change of this.fresh) this.#bookChange(change);
  }

  #bookPod(raw: KubeObject, nowMs: number): void {
    const facts = this.podFactsOf(raw);
    let book = this.books.get(facts.uid);
    if (!book) {
      book = {
        uid: facts.uid,
        createdAtMs: nowMs,
        cameGated: facts.gated,
        isExempt: exempt(facts.shape, defaultPolicy(), new Namespaces()),
        ...{
          levers: [],
          ungatedBy: [],
          boundAtMs: undefined,
          everStuck: false,
          everRefused: false,
          forged: isForged(raw),
        },
      };
      this.books.set(facts.uid, book);
    }
    if (facts.node !== undefined) book.boundAtMs ??= nowMs;
    if (facts.waitingOn !== undefined) book.everStuck = true;
    if (facts.refused) book.everRefused = true;
  }

  /** The node is settled, and a pod of the same images has started there; or it is gone, and nothing starts there. */
  #bringsNothing({ shape: { images } }: PodFacts, name: string, atMs: number): boolean {
    const youngMs = 1_000 * Math.min(...this.policies.map(({ draft }) => draft.youngForSeconds));
    const node = this.nodes.find((one) => one.name === name);
    if (!node) return true;
    if (node.fence || atMs + MOST_OFF_MS < (this.openings.openedMs(node.uid) ?? Infinity) + youngMs) return false;
    return images.every((image) => this.hasImage(node, image));
  }

  /** The node lists it, or a pod that uses it has started there. */
  hasImage({ name, images }: NodeFacts, image: ImageName): boolean {
    const isUsed = ({ node, containersStarted, ready, shape }: PodFacts) =>
      node === name && (containersStarted || ready) && shape.images.includes(image);
    return images.has(image) || this.pods.some(isUsed);
  }

  // eslint-disable-next-line complexity -- one condition after another, each with its reason
  #bookChange({ actor, atMs, before, after }: Change): void {
    const book = this.books.get(textOf((after ?? before)?.metadata?.uid));
    if (!book || !before || !after) return;
    const reserved = after.metadata?.annotations?.[RESERVATION_ANNOTATION];
    if (reserved !== undefined && reserved !== before.metadata?.annotations?.[RESERVATION_ANNOTATION]) {
      const note = parseReservation(reserved);
      if (actor === "tenant") book.forged = true;
      else if (note) {
        const nodes = nodesOf(note);
        const free = nodes.filter((node) => this.#bringsNothing(this.podFactsOf(after), node, atMs));
        book.levers.push({ nodes, actor, atMs, datedMs: note.atMs, free });
      }
    }
    if (carriesGate(before) && !carriesGate(after)) book.ungatedBy.push({ actor, atMs });
  }
}

/** How far ahead of the API server a replica's time may be, ms: answers are dated by whole seconds. */
const MOST_OFF_MS = 1_000;

export const carriesGate = (raw: KubeObject) =>
  recordsOf(specOf(raw)["schedulingGates"]).some(({ name }) => name === GATE);

/** A pod that nothing of Paceline has written to yet. */
const isForged = ({ metadata }: KubeObject) => metadata?.annotations?.[RESERVATION_ANNOTATION] !== undefined;

export const hasFencedAt = (raw: KubeObject) => raw.metadata?.annotations?.[FENCED_AT_ANNOTATION] !== undefined;
