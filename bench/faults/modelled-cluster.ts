/**
 * The modelled world around the API server: nodes and their kubelets, a scheduler, tenants, an operator. Each acts on
 * the API server directly and at once; what reaches Paceline of it, and when, is the network's affair.
 */
import {
  POLICY_CONFIG_MAP,
  POLICY_KEY,
  FENCE_TAINT_KEY,
  HOLD_ANNOTATION,
  RESERVATION_ANNOTATION,
} from "../../src/api/names.ts";
import type { ExtenderArgs, ExtenderFilterResult } from "../../src/api/extender.ts";
import { recordOf, recordsOf, textOf, type KubeObject } from "../../src/kube/parse/kube-json.ts";
import type { FakeApiServer } from "./api-server/api-server.ts";
import { GANG_LABEL, KUEUE_GATE, OTHER_SCHEDULER } from "./others-pods.ts";
import { NAMESPACE } from "./replica.ts";
import {
  NODES,
  SETTLED_NODES,
  type Closing,
  type ForgedAtCreation,
  type PodKind,
  type PolicyDraft,
  type Step,
} from "./steps.ts";
import type { VirtualTime } from "./virtual-time.ts";

export const TENANT = "team";
const DAEMON_SET = "agent";
/** Settled nodes are small, so that most pods need a young one. In millicores. */
const CPU_OF_SETTLED = 2_000;
const CPU_PER_NODE = 8_000;
const CPU_PER_POD = 500;
const SCHEDULER_TICK_MS = 250;
/** Between two attempts for a pod that the scheduler has refused, ms. */
const BACK_OFF_MS = { first: 1_000, longest: 10_000 };
const POD_GC_MS = 4_000;

export interface ModelledClusterOptions {
  readonly server: FakeApiServer;
  readonly time: VirtualTime;
  readonly random: () => number;
  readonly policy: PolicyDraft;
  /** Asks the extender of some replica; undefined: none answers, and the scheduler goes on without. */
  readonly askExtender: (args: ExtenderArgs) => ExtenderFilterResult | undefined;
}

type Facts = Readonly<Record<string, unknown>>;
export const specOf = (raw: KubeObject): Facts => recordOf(raw["spec"]);
export const statusOf = (raw: KubeObject): Facts => recordOf(raw["status"]);
export const podPath = ({ metadata = {} }: KubeObject) =>
  `/api/v1/namespaces/${textOf(metadata.namespace)}/pods/${textOf(metadata.name)}`;
const nodePath = (name: string) => `/api/v1/nodes/${name}`;
export const nameOfNode = (node: number) => `n${node}`;
const numberOfNode = (name: string) => Number(name.slice(1));

export function policyText(draft: PolicyDraft): string {
  return JSON.stringify({
    apiVersion: "paceline.dev/v1alpha1",
    kind: "PacingPolicy",
    mode: draft.mode,
    maxHoldSeconds: draft.maxHoldSeconds,
    youngForSeconds: draft.youngForSeconds,
    startup: { deadlineSeconds: 60 },
    nodeClasses: [{ name: "all", slots: { initial: draft.slots, min: draft.slots, max: draft.slots } }],
    gate: { enabled: draft.gateEnabled },
    fence: { enabled: draft.fenceEnabled, maxSeconds: draft.fenceMaxSeconds, bindSeconds: 15 },
    extender: { enabled: draft.extenderEnabled },
  });
}

export class ModelledCluster {
  readonly #options: ModelledClusterOptions;
  readonly #server: FakeApiServer;
  readonly #time: VirtualTime;
  /** The policy as the operator last wrote it. */
  policy: PolicyDraft;
  /** True while another program's webhook refuses every update of pods. */
  refusesUpdates = 0;
  readonly #troubled = new Set<string>();
  readonly #startMs = new Map<string, number>();
  readonly #notBefore = new Map<string, { readonly atMs: number; readonly failures: number; readonly seen: string }>();
  #deleteWritten = { count: 0, afterMs: 0 };
  #leaveWritten: (Extract<Step, { kind: "leaveWritten" }> & { readonly untilMs: number }) | undefined;
  #serial = 0;
  #boots = 0;
  #stopped = false;

  constructor(options: ModelledClusterOptions) {
    this.#options = options;
    this.#server = options.server;
    this.#time = options.time;
    this.policy = options.policy;
  }

  /** Before anything else: the policy, the DaemonSet of the pods to come, the settled nodes, the Lease's place. */
  begin(): void {
    this.#server.create(`/api/v1/namespaces/${NAMESPACE}/configmaps`, {
      metadata: { name: POLICY_CONFIG_MAP },
      data: { [POLICY_KEY]: policyText(this.policy) },
    });
    this.#server.create(`/apis/apps/v1/namespaces/${TENANT}/daemonsets`, {
      metadata: { name: DAEMON_SET },
      spec: { template: { spec: podSpec("daemon") } },
    });
    this.#schedule();
  }

  /** The nodes that were there long before. */
  settle(standby: number): void {
    for (let node = 0; node < SETTLED_NODES; node++) this.#join({ node, readyMs: 0, foreignFence: false });
    for (let node = NODES; node < NODES + standby; node++) {
      this.#join({ node, readyMs: 0, foreignFence: false });
      this.#server.patch(`${nodePath(nameOfNode(node))}/status`, { status: { images: IMAGES } }, "merge");
    }
  }

  /** The scheduler's timer ends with the run. */
  stop(): void {
    this.#stopped = true;
  }

  get pods(): readonly KubeObject[] {
    return this.#server.list("/api/v1/pods").items;
  }

  /** Carries out an event of the world; false if it is none of the world's. */
  act(step: Step): boolean {
    return this.#actAsTenant(step) || this.#actOnNode(step) || this.#actAsOperator(step);
  }

  #actAsTenant(step: Step): boolean {
    // eslint-disable-next-line @typescript-eslint/switch-exhaustiveness-check -- the others are others' affair
    switch (step.kind) {
      case "pods":
        this.#createPods(step);
        return true;
      case "rollout":
        this.#rollOut(step);
        return true;
      case "strictPods":
        this.#createStrict(step);
        return true;
      case "stubbornPods":
        this.#createStubborn(step);
        return true;
      case "deletePods":
        this.#deletePods(step);
        return true;
      case "deleteWritten":
        this.#deleteWritten = { ...step };
        return true;
      case "forge":
        this.#forge(step);
        return true;
      default:
        return false;
    }
  }

  #actOnNode(step: Step): boolean {
    // eslint-disable-next-line @typescript-eslint/switch-exhaustiveness-check -- as above
    switch (step.kind) {
      case "leaveWritten":
        this.#leaveWritten = { ...step, untilMs: this.#time.now() + LEAVES_WITHIN_MS };
        return true;
      case "join":
        this.#join(step);
        return true;
      case "close":
        this.#close(nameOfNode(step.node), step.how, step.forMs);
        return true;
      case "reboot":
        this.#reboot(nameOfNode(step.node), step.downMs, step.forMs);
        return true;
      case "resource":
        this.#patchStatus(nameOfNode(step.node), { allocatable: { [GPU]: "64" } });
        return true;
      case "flap":
        this.#flap(nameOfNode(step.node), step.forMs);
        return true;
      case "leave":
        this.#leave(step.node, step.backAfterMs);
        return true;
      case "pullTrouble":
        this.#pullTrouble(nameOfNode(step.node), step.forMs);
        return true;
      default:
        return false;
    }
  }

  #actAsOperator(step: Step): boolean {
    // eslint-disable-next-line @typescript-eslint/switch-exhaustiveness-check -- as above
    switch (step.kind) {
      case "policy":
        this.policy = { ...this.policy, ...step.set };
        this.#writePolicy(policyText(this.policy));
        return true;
      case "badPolicy":
        this.#bypassWebhooks(() => this.#writePolicy("maxHoldSeconds: many"));
        return true;
      case "otherWebhookRefuses":
        this.refusesUpdates += 1;
        this.#time.setTimer(() => (this.refusesUpdates -= 1), step.forMs);
        return true;
      default:
        return false;
    }
  }

  /** The operator repairs what it has broken. */
  repairPolicy(): void {
    this.policy = { ...this.policy, mode: "enforce" };
    this.#writePolicy(policyText(this.policy));
  }

  #writePolicy(text: string): void {
    const path = `/api/v1/namespaces/${NAMESPACE}/configmaps/${POLICY_CONFIG_MAP}`;
    this.#server.patch(path, { data: { [POLICY_KEY]: text } }, "merge");
  }

  #bypassWebhooks(run: () => void): void {
    const { webhooks } = this.#server;
    this.#server.webhooks = [];
    run();
    this.#server.webhooks = webhooks;
  }

  // Tenants

  #createPods(step: Extract<Step, { kind: "pods" }>): void {
    const everyMs = step.spreadMs / step.count;
    for (let index = 0; index < step.count; index++) {
      const more = step.what === "gang" ? { labels: { [GANG_LABEL]: `gang-${step.atMs}` } } : {};
      if (everyMs === 0) this.#createPod(step, more);
      else this.#time.setTimer(() => this.#createPod(step, more), index * everyMs);
    }
  }

  #createPod(step: Extract<Step, { kind: "pods" }>, more: MorePod = {}): KubeObject {
    const { what, node, startMs, forged, letGoMs = 0 } = step;
    const name = `${what}-${this.#serial++}`;
    const annotations = forged && this.#forgedAnnotations(forged, node);
    const pod = this.#server.create(
      `/api/v1/namespaces/${namespaceOf(what)}/pods`,
      podBody(name, what, node, this.#serial, { ...more, ...(annotations && { annotations }) }),
    );
    this.#startMs.set(textOf(pod.metadata?.uid), startMs * (0.5 + this.#options.random()));
    if (what === "kueue") this.#time.setTimer(() => this.#takeOffKueuesGate(pod), letGoMs);
    return pod;
  }

  #takeOffKueuesGate(pod: KubeObject): void {
    const now = this.#server.find(podPath(pod));
    if (now?.metadata?.uid !== pod.metadata?.uid) return;
    const schedulingGates = recordsOf(specOf(now ?? {})["schedulingGates"]).filter(({ name }) => name !== KUEUE_GATE);
    this.#bypassWebhooks(() => this.#server.patch(podPath(pod), { spec: { schedulingGates } }, "merge"));
  }

  #forgedAnnotations(forged: ForgedAtCreation, node: number): Readonly<Record<string, string>> {
    const [nowMs, name] = [this.#time.now(), nameOfNode(node)];
    return {
      futureReservation: { [RESERVATION_ANNOTATION]: reservation(name, nowMs + 86_400_000) },
      hugeReservation: { [RESERVATION_ANNOTATION]: reservation(name, nowMs) },
      pastHold: { [HOLD_ANNOTATION]: hold(nowMs - 86_400_000) },
    }[forged];
  }

  /** Each new pod replaces an old one, as long as there is one. */
  #rollOut(step: Extract<Step, { kind: "rollout" }>): void {
    const image = `registry.example/plain:tag-${this.#serial}`;
    const isOld = (pod: KubeObject) => isBound(pod) && !JSON.stringify(specOf(pod)["containers"]).includes(image);
    const everyMs = step.spreadMs / step.count;
    const one = () => {
      this.#createPod({ ...step, kind: "pods", what: "plain", node: 0 }, { image });
      const [old] = this.#some((pod) => isOld(pod) && textOf(pod.metadata?.name).startsWith("plain"), 1);
      if (old) this.#time.setTimer(() => this.#deletePod(old), step.startMs + 2_000);
    };
    for (let index = 0; index < step.count; index++) {
      if (everyMs === 0) one();
      else this.#time.setTimer(one, index * everyMs);
    }
  }

  #createStubborn(step: Extract<Step, { kind: "stubbornPods" }>): void {
    const labels = { [STUBBORN_LABEL]: String(step.code) };
    for (let index = 0; index < step.count; index++) {
      const pod = this.#createPod({ ...step, kind: "pods", what: "plain", startMs: 1_000, spreadMs: 0 }, { labels });
      this.#time.setTimer(() => this.#deletePod(pod), step.forMs);
    }
  }

  #createStrict(step: Extract<Step, { kind: "strictPods" }>): void {
    const labels = { [STRICT_LABEL]: String(step.code) };
    const pods: Extract<Step, { kind: "pods" }> = { ...step, kind: "pods", what: "plain", startMs: 1_000, spreadMs: 0 };
    for (let index = 0; index < step.count; index++) this.#createPod(pods, { labels });
  }

  /** Paceline has written to a pod or a node. */
  wroteTo(raw: KubeObject): void {
    const name = textOf(raw.metadata?.name);
    if (raw.metadata?.namespace === undefined) this.#wroteToNode(name);
    else if (this.#deleteWritten.count > 0) {
      this.#deleteWritten.count -= 1;
      this.#time.setTimer(() => this.#deletePod(raw), this.#deleteWritten.afterMs);
    }
  }

  #wroteToNode(name: string): void {
    const step = this.#leaveWritten;
    if (!step || this.#time.now() > step.untilMs) return;
    this.#leaveWritten = undefined;
    this.#time.setTimer(() => this.#leave(numberOfNode(name), step.backAfterMs), step.afterMs);
  }

  #some(wanted: (pod: KubeObject) => boolean, count: number): KubeObject[] {
    const found = this.pods.filter((pod) => pod.metadata?.namespace === TENANT && wanted(pod));
    return found.sort((a, b) => (textOf(a.metadata?.uid) < textOf(b.metadata?.uid) ? -1 : 1)).slice(0, count);
  }

  #deletePods({ which, count }: Extract<Step, { kind: "deletePods" }>): void {
    const isWanted = (pod: KubeObject) =>
      which === "bound" ? isBound(pod) : !isBound(pod) && isGated(pod) === (which === "gated");
    for (const pod of this.#some(isWanted, count)) this.#deletePod(pod);
  }

  #deletePod(pod: KubeObject): void {
    const { uid } = pod.metadata ?? {};
    if (this.#server.find(podPath(pod))?.metadata?.uid !== uid) return;
    this.#server.delete(podPath(pod));
    const left = this.#server.find(podPath(pod));
    if (left?.metadata?.uid === uid) this.#time.setTimer(() => this.#removeNow(pod), 1_500);
  }

  #removeNow(pod: KubeObject): void {
    const left = this.#server.find(podPath(pod));
    if (left?.metadata?.uid === pod.metadata?.uid) this.#server.delete(podPath(pod), { gracePeriodSeconds: 0 });
  }

  #forge({ what, count }: Extract<Step, { kind: "forge" }>): void {
    const nowMs = this.#time.now();
    const forged = {
      laterHold: { [HOLD_ANNOTATION]: hold(nowMs + 3_600_000) },
      earlierHold: { [HOLD_ANNOTATION]: hold(nowMs - 3_600_000) },
      garbage: { [HOLD_ANNOTATION]: "{", [RESERVATION_ANNOTATION]: "[]" },
      reservation: { [RESERVATION_ANNOTATION]: reservation(nameOfNode(NODES - 1), nowMs + 3_600_000) },
    }[what];
    for (const pod of this.#some((one) => !isBound(one), count)) {
      try {
        this.#server.patch(podPath(pod), { metadata: { annotations: forged } }, "merge");
      } catch {
        // Another program's webhook refuses it.
      }
    }
  }

  // Nodes and their kubelets

  #join({
    node,
    readyMs,
    foreignFence,
    closed,
    forMs = 0,
  }: Omit<Extract<Step, { kind: "join" }>, "kind" | "atMs">): void {
    const name = nameOfNode(node);
    if (this.#server.find(nodePath(name))) return;
    const settled = readyMs === 0;
    const taints = foreignFence ? [{ key: FENCE_TAINT_KEY, value: "", effect: "NoSchedule" }] : [];
    const raw = this.#server.create("/api/v1/nodes", {
      metadata: { name, labels: { "kubernetes.io/hostname": name } },
      spec: { taints: closed === "taint" ? [...taints, STARTUP] : taints, ...(closed === "cordon" && CORDONED) },
      status: {
        ...nodeStatus(settled, this.#time.now()),
        allocatable: { cpu: `${cpuOf(name)}m`, memory: "32Gi", pods: "110" },
        nodeInfo: { bootID: this.#newBoot(name) },
      },
    });
    const uid = raw.metadata?.uid;
    if (settled) this.#setReady(name, uid, true);
    else this.#time.setTimer(() => this.#setReady(name, uid, true), readyMs);
    if (closed) this.#time.setTimer(() => this.#open(name, uid, closed), forMs);
  }

  #newBoot(name: string): string {
    return `${name}-boot-${this.#boots++}`;
  }

  #isThere(name: string, uid: string | undefined): boolean {
    return uid !== undefined && this.#server.find(nodePath(name))?.metadata?.uid === uid;
  }

  #setReady(name: string, uid: string | undefined, ready: boolean, bootID?: string): void {
    if (!this.#isThere(name, uid)) return;
    const nodeInfo = bootID !== undefined && { nodeInfo: { bootID } };
    this.#patchStatus(name, { ...nodeStatus(ready, this.#time.now()), ...nodeInfo });
    this.#setTaint(name, NOT_READY, !ready);
  }

  #patchStatus(name: string, status: object): void {
    if (this.#server.find(nodePath(name))) this.#server.patch(`${nodePath(name)}/status`, { status }, "merge");
  }

  #setTaint(name: string, taint: Facts, on: boolean): void {
    const raw = this.#server.find(nodePath(name));
    const others = recordsOf(specOf(raw ?? {})["taints"]).filter(({ key }) => key !== taint["key"]);
    this.#server.patch(nodePath(name), { spec: { taints: on ? [...others, taint] : others } }, "merge");
  }

  #flap(name: string, forMs: number): void {
    const uid = this.#server.find(nodePath(name))?.metadata?.uid;
    this.#setReady(name, uid, false);
    this.#time.setTimer(() => this.#setReady(name, uid, true), forMs);
  }

  #close(name: string, how: Closing, forMs: number): void {
    const uid = this.#server.find(nodePath(name))?.metadata?.uid;
    if (uid === undefined) return;
    if (how === "taint") this.#setTaint(name, STARTUP, true);
    else this.#server.patch(nodePath(name), { spec: CORDONED }, "merge");
    this.#time.setTimer(() => this.#open(name, uid, how), forMs);
  }

  #open(name: string, uid: string | undefined, how: Closing): void {
    if (!this.#isThere(name, uid)) return;
    if (how === "taint") this.#setTaint(name, STARTUP, false);
    else this.#server.patch(nodePath(name), { spec: { unschedulable: null } }, "merge");
  }

  #reboot(name: string, downMs: number, forMs: number): void {
    const uid = this.#server.find(nodePath(name))?.metadata?.uid;
    this.#close(name, "cordon", forMs);
    this.#setReady(name, uid, false);
    this.#time.setTimer(() => this.#setReady(name, uid, true, this.#newBoot(name)), downMs);
  }

  #leave(node: number, backAfterMs: number): void {
    const name = nameOfNode(node);
    if (!this.#server.find(nodePath(name))) return;
    this.#server.delete(nodePath(name));
    const left = this.pods.filter((pod) => specOf(pod)["nodeName"] === name);
    this.#time.setTimer(() => left.forEach((pod) => this.#removeNow(pod)), POD_GC_MS);
    this.#time.setTimer(() => this.#join({ node, readyMs: 3_000, foreignFence: false }), backAfterMs);
  }

  #pullTrouble(name: string, forMs: number): void {
    this.#troubled.add(name);
    this.#time.setTimer(() => {
      this.#troubled.delete(name);
      for (const pod of this.pods) if (specOf(pod)["nodeName"] === name && !hasStarted(pod)) this.#startLater(pod);
    }, forMs);
  }

  #startLater(pod: KubeObject): void {
    const uid = textOf(pod.metadata?.uid);
    this.#time.setTimer(() => this.#start(podPath(pod), uid), this.#startMs.get(uid) ?? 1_000);
  }

  #start(path: string, uid: string): void {
    const pod = this.#server.find(path);
    if (pod?.metadata?.uid !== uid || hasStarted(pod)) return;
    const name = textOf(specOf(pod)["nodeName"]);
    if (!this.#server.find(nodePath(name))) return; // its node is gone
    const isTroubled = this.#troubled.has(name);
    const scheduled = recordsOf(statusOf(pod)["conditions"]).filter(({ type }) => type === "PodScheduled");
    const ready = { type: "Ready", status: isTroubled ? "False" : "True", lastTransitionTime: this.#timestamp() };
    const state = isTroubled ? { waiting: { reason: "ImagePullBackOff" } } : { running: {} };
    const container = { name: "main", started: !isTroubled, ready: !isTroubled, restartCount: 0, state };
    const status = {
      phase: isTroubled ? "Pending" : "Running",
      conditions: [...scheduled, ready],
      containerStatuses: [container],
    };
    this.#server.patch(`${path}/status`, { status }, "merge");
  }

  #timestamp(): string {
    return `${new Date(this.#time.now()).toISOString().slice(0, 19)}Z`;
  }

  // The scheduler

  #schedule(): void {
    if (this.#stopped) return;
    this.#time.setTimer(() => this.#schedule(), SCHEDULER_TICK_MS);
    const nowMs = this.#time.now();
    const pending = this.pods.filter((pod) => !isBound(pod) && recordsOf(specOf(pod)["schedulingGates"]).length === 0);
    if (pending.length === 0) return;
    const nodes = this.#server.list("/api/v1/nodes").items;
    const used = this.#usedCpu();
    for (const pod of pending) {
      if (pod.metadata?.deletionTimestamp !== undefined) continue;
      const uid = textOf(pod.metadata?.uid);
      const seen = `${textOf(pod.metadata?.["generation"])} ${nodes.map(({ metadata }) => metadata?.resourceVersion).join()}`;
      const wait = this.#notBefore.get(uid);
      if (wait && nowMs < wait.atMs && wait.seen === seen) continue;
      const node = this.#choose(pod, nodes, used);
      if (node !== undefined) {
        this.#bind(pod, node);
        used.set(node, (used.get(node) ?? 0) + CPU_PER_POD);
      } else {
        const failures = (wait?.failures ?? 0) + 1;
        const waitMs = Math.min(BACK_OFF_MS.first * 2 ** (failures - 1), BACK_OFF_MS.longest);
        this.#notBefore.set(uid, { atMs: nowMs + waitMs, failures, seen });
        this.#markUnschedulable(pod);
      }
    }
  }

  #usedCpu(): Map<string, number> {
    const used = new Map<string, number>();
    for (const pod of this.pods) {
      const name = textOf(specOf(pod)["nodeName"]);
      if (name !== "") used.set(name, (used.get(name) ?? 0) + CPU_PER_POD);
    }
    return used;
  }

  #choose(pod: KubeObject, nodes: readonly KubeObject[], used: ReadonlyMap<string, number>): string | undefined {
    const fitting = nodes
      .filter((node) => fits(pod, node, used.get(textOf(node.metadata?.name)) ?? 0))
      .map(({ metadata }) => textOf(metadata?.name));
    if (fitting.length === 0) return undefined;
    const isTheirs = specOf(pod)["schedulerName"] === OTHER_SCHEDULER;
    const answer =
      this.policy.extenderEnabled && !isTheirs
        ? this.#options.askExtender({ Pod: pod as unknown as ExtenderArgs["Pod"], NodeNames: fitting })
        : undefined;
    const accepted = [...(answer?.NodeNames ?? fitting)];
    return accepted.sort((a, b) => (used.get(a) ?? 0) - (used.get(b) ?? 0) || (a < b ? -1 : 1))[0];
  }

  #bind(pod: KubeObject, node: string): void {
    this.#server.bind(podPath(pod), node);
    const bound = this.#server.find(podPath(pod));
    if (bound) this.#startLater(bound);
  }

  #markUnschedulable(pod: KubeObject): void {
    const conditions = recordsOf(statusOf(pod)["conditions"]);
    const { generation } = pod.metadata ?? {};
    const isMarked = conditions.some(
      (one) => one["reason"] === "Unschedulable" && one["observedGeneration"] === generation,
    );
    if (isMarked) return;
    const condition = {
      ...{ type: "PodScheduled", status: "False", reason: "Unschedulable", message: "0 nodes are available" },
      ...{ lastTransitionTime: this.#timestamp(), observedGeneration: generation },
    };
    this.#server.patch(`${podPath(pod)}/status`, { status: { conditions: [condition] } }, "merge");
  }
}

/** A fault that waits for a write to a node is over by then, so that the end of a run is free of faults, ms. */
const LEAVES_WITHIN_MS = 30_000;

const settledNames = new Set(Array.from({ length: SETTLED_NODES }, (_, node) => nameOfNode(node)));
const cpuOf = (name: string) => (settledNames.has(name) ? CPU_OF_SETTLED : CPU_PER_NODE);

const CORDON = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" };
const NOT_READY = { key: "node.kubernetes.io/not-ready", effect: "NoSchedule" };
/** Of a node that an agent of the cluster's has not prepared yet. */
export const STARTUP_TAINT_KEY = "startup-taint.cluster-autoscaler.kubernetes.io/agent";
const STARTUP = { key: STARTUP_TAINT_KEY, effect: "NoSchedule" };
const CORDONED = { unschedulable: true };
const GPU = "example.com/gpu";

/** Another program's webhook refuses all updates of pods with this label, with the code that is its value. */
export const STUBBORN_LABEL = "refuses-updates";

/** The same of updates that give them tolerations. */
export const STRICT_LABEL = "refuses-tolerations";

/** What a pod has beside what its kind says. */
interface MorePod {
  readonly image?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** What settled nodes with room have pulled long ago. */
const IMAGES = ["plain", "daemon", "urgent"].map((what) => ({
  names: [`registry.example/${what}:1`],
  sizeBytes: 200 * 1_024 * 1_024,
}));

export const isBound = (pod: KubeObject) => textOf(specOf(pod)["nodeName"]) !== "";
export const isGated = (pod: KubeObject) => recordsOf(specOf(pod)["schedulingGates"]).length > 0;
const hasStarted = (pod: KubeObject) =>
  recordsOf(statusOf(pod)["containerStatuses"]).some(({ started }) => started === true);

const hold = (sinceMs: number) => JSON.stringify({ reason: "AwaitingRelease", since: new Date(sinceMs).toISOString() });
const reservation = (node: string, atMs: number) => JSON.stringify({ node, at: new Date(atMs).toISOString() });

const APART = {
  podAntiAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: [
      { topologyKey: "zone", labelSelector: { matchLabels: { a: "b" } } },
    ],
  },
};

const namespaceOf = (what: PodKind) => (what === "exempt" ? "kube-system" : TENANT);

/** @param serial every third plain pod has a rule about other pods. Here the scheduler lets it go anywhere. */
function podBody(name: string, what: PodKind, node: number, serial: number, more: MorePod): object {
  const hasRule = what === "plain" && serial % 3 === 0;
  const isDaemon = what === "daemon";
  const owner = isDaemon ? { kind: "DaemonSet", name: DAEMON_SET } : { kind: "ReplicaSet", name: "web" };
  const pinned = { key: "metadata.name", operator: "In", values: [nameOfNode(node)] };
  const nodeSelectorTerms = [{ matchFields: [pinned] }];
  const nodeAffinity = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } };
  return {
    metadata: {
      name,
      ...(more.labels && { labels: more.labels }),
      ...(more.annotations && { annotations: more.annotations }),
      ownerReferences: [
        { apiVersion: "apps/v1", uid: "00000000-0000-0000-0000-000000000000", controller: true, ...owner },
      ],
    },
    spec: {
      ...podSpec(what, more.image),
      ...(isDaemon && { affinity: { nodeAffinity } }),
      ...(hasRule && { affinity: APART }),
    },
  };
}

/** What the template of its owner says. */
function podSpec(what: PodKind, image = `registry.example/${what}:1`): object {
  const gpu = what === "gpu" && { [GPU]: "1" };
  const requests = { cpu: what === "huge" ? "999" : `${CPU_PER_POD}m`, ...gpu };
  return {
    containers: [{ name: "main", image, resources: { requests, ...(gpu && { limits: gpu }) } }],
    ...(what === "critical" && { priorityClassName: "system-cluster-critical" }),
    ...(what === "theirs" && { schedulerName: OTHER_SCHEDULER }),
    ...(what === "kueue" && { schedulingGates: [{ name: KUEUE_GATE }] }),
    ...(what === "urgent" && { priorityClassName: "urgent" }),
    ...(what === "daemon" && { tolerations: [NOT_READY, CORDON].map(({ key }) => ({ key, operator: "Exists" })) }),
  };
}

function nodeStatus(ready: boolean, sinceMs: number): object {
  const lastTransitionTime = `${new Date(sinceMs).toISOString().slice(0, 19)}Z`;
  return { conditions: [{ type: "Ready", status: ready ? "True" : "False", lastTransitionTime }] };
}

/** As kube-scheduler's filters, as far as the modelled pods ask for them. */
function fits(pod: KubeObject, node: KubeObject, usedCpu: number): boolean {
  if (usedCpu + CPU_PER_POD > cpuOf(textOf(node.metadata?.name))) return false;
  const spec = specOf(pod);
  const requests = recordOf(recordOf(recordsOf(spec["containers"])[0]?.["resources"])["requests"]);
  // Of extended resources a node that has them has enough for all that its cores have room for.
  if (requests["cpu"] === "999" || (GPU in requests && !(GPU in recordOf(statusOf(node)["allocatable"])))) return false;
  const toleratesCordon = recordsOf(spec["tolerations"]).some((one) => tolerates(one, CORDON));
  if (specOf(node)["unschedulable"] === true && !toleratesCordon) return false;
  const affinity = recordOf(recordOf(spec["affinity"])["nodeAffinity"]);
  const terms = recordsOf(recordOf(affinity["requiredDuringSchedulingIgnoredDuringExecution"])["nodeSelectorTerms"]);
  const names = terms.flatMap((term) => recordsOf(term["matchFields"]).flatMap(({ values }) => values as string[]));
  if (terms.length > 0 && !names.includes(textOf(node.metadata?.name))) return false;
  const tolerations = recordsOf(spec["tolerations"]);
  return recordsOf(specOf(node)["taints"]).every(
    (taint) => taint["effect"] === "PreferNoSchedule" || tolerations.some((one) => tolerates(one, taint)),
  );
}

function tolerates(toleration: Facts, taint: Facts): boolean {
  const { key = "", operator = "Equal", value = "", effect = "" } = toleration;
  if (effect !== "" && effect !== taint["effect"]) return false;
  if (key === "") return operator === "Exists";
  return key === taint["key"] && (operator === "Exists" || value === (taint["value"] ?? ""));
}
