/** Runs the pods that are bound to one node in its model, and writes their progress to the API server. */
import type { ApiClient } from "../../src/kube/client/api-client.ts";
import type { KubeObject } from "../../src/kube/parse/kube-json.ts";
import type { NodeModel } from "../../src/simulate/model/node-model.ts";
import type { Fingerprint, ModelPod, NodeEvent, PodView } from "../../src/simulate/model/types.ts";
import type { ModelClock } from "./model-clock.ts";
import { eventKey, eventObject } from "./pod-event.ts";
import type { ModelEvent } from "./pod-event.ts";
import { isOver, modelPod } from "./pod-order.ts";
import { apiTime, podStatusPatch } from "./pod-status.ts";
import type { ConditionTimes, PodPlace } from "./pod-status.ts";
import type { Writer } from "./writer.ts";

/** Shortest time between two turns of the model, in ms of wall time, so that a burst of events costs one turn. */
const LEAST_TURN_MS = 10;

export interface PodRunnerOptions {
  readonly client: ApiClient;
  readonly model: NodeModel;
  readonly clock: ModelClock;
  readonly writer: Writer;
  readonly node: string;
  readonly address: string;
  readonly imagesChanged: () => void;
}

/** What happened on the node so far. */
export interface RunnerReport {
  readonly failures: Readonly<Partial<Record<Fingerprint, number>>>;
  /** When each StartError was, epoch ms of the API server's clock. */
  readonly startErrorsAtMs: readonly number[];
  /** Restarts of the containers of the pods that are on the node now. */
  readonly restarts: number;
  /** Most pods at a time that were bound and had a container that was not started. */
  readonly peakInStartup: number;
  /** Most pods at a time that were bound and not Ready. */
  readonly peakUnready: number;
  readonly peakAwaitMs: number;
  /** Images of all pods that were ever on the node. */
  readonly imagesUsed: ReadonlySet<string>;
}

interface RunningPod {
  readonly pod: ModelPod;
  readonly place: PodPlace;
  readonly conditions: ConditionTimes;
  view: PodView | undefined;
}

/** Counted Events: name of the object, and how often it happened. */
interface CountedEvent {
  readonly name: string;
  count: number;
}

export class PodRunner {
  readonly #options: PodRunnerOptions;
  readonly #pods = new Map<string, RunningPod>();
  readonly #leaving = new Set<string>();
  readonly #events = new Map<string, CountedEvent>();
  readonly #failures: Partial<Record<Fingerprint, number>> = {};
  readonly #startErrorsAtMs: number[] = [];
  readonly #notStarted = new Set<string>();
  readonly #notReady = new Set<string>();
  readonly #imagesUsed = new Set<string>();
  #peakInStartup = 0;
  #peakUnready = 0;
  #peakAwaitMs = 0;
  #addresses = 0;
  #joined = false;
  #stopped = false;
  #cancelTurn: (() => void) | undefined;

  constructor(options: PodRunnerOptions) {
    this.#options = options;
  }

  /** The node is Ready: pods that were bound before start now. */
  join(): void {
    this.#joined = true;
    for (const { pod } of this.#pods.values()) this.#add(pod);
    this.#turn();
  }

  /** A pod as the API server has it, new or changed. */
  upsert(raw: KubeObject): void {
    const uid = raw.metadata?.uid ?? "";
    if (raw.metadata?.deletionTimestamp !== undefined) this.#terminate(raw);
    else if (!this.#pods.has(uid) && !isOver(raw)) this.#begin(modelPod(raw));
  }

  /** The pod is gone from the API server. */
  forget(uid: string): void {
    this.#leaving.delete(uid);
    this.#drop(uid);
  }

  report(): RunnerReport {
    const containers = [...this.#pods.values()].flatMap(({ view }) => view?.containers ?? []);
    return {
      failures: { ...this.#failures },
      startErrorsAtMs: [...this.#startErrorsAtMs],
      restarts: containers.reduce((sum, container) => sum + container.restartCount, 0),
      peakInStartup: this.#peakInStartup,
      peakUnready: this.#peakUnready,
      peakAwaitMs: this.#peakAwaitMs,
      imagesUsed: this.#imagesUsed,
    };
  }

  /** Stops everything. */
  stop(): void {
    this.#stopped = true;
    this.#cancelTurn?.();
  }

  #begin(pod: ModelPod): void {
    const { clock, address } = this.#options;
    const startedMs = clock.wallMs(clock.nowMs());
    const place = { hostIP: address, podIP: this.#podAddress(), startedMs, wallMs: (ms: number) => clock.wallMs(ms) };
    this.#pods.set(pod.uid, { pod, place, conditions: new Map(), view: undefined });
    this.#notStarted.add(pod.uid);
    this.#notReady.add(pod.uid);
    for (const container of pod.containers) this.#imagesUsed.add(container.image);
    this.#countPeaks();
    if (!this.#joined) return;
    this.#add(pod);
    this.#schedule();
  }

  #add(pod: ModelPod): void {
    const { model, clock } = this.#options;
    model.addPod(pod, clock.nowMs());
  }

  /** 10.x.y.z, where x.y are the node's own. */
  #podAddress(): string {
    const [, second = "0", third = "0"] = this.#options.address.split(".");
    return `10.${second}.${third}.${2 + (this.#addresses++ % 250)}`;
  }

  /** Processes what the model did until now, then sleeps until its next event. */
  #turn(): void {
    if (this.#stopped) return;
    const { model, clock } = this.#options;
    const nowMs = clock.nowMs();
    for (const event of model.advanceTo(nowMs)) this.#tell(event);
    this.#peakAwaitMs = Math.max(this.#peakAwaitMs, model.counters(nowMs).awaitMs);
    this.#schedule();
  }

  #schedule(): void {
    this.#cancelTurn?.();
    const nextMs = this.#options.model.nextEventMs();
    this.#cancelTurn =
      nextMs === undefined ? undefined : this.#options.clock.setTimer(() => this.#turn(), nextMs, LEAST_TURN_MS);
  }

  #tell(event: NodeEvent): void {
    switch (event.kind) {
      case "status":
        this.#tellStatus(event.uid, event.status, event.atMs);
        return;
      case "event":
        this.#tellEvent(event);
        return;
      case "failure":
        this.#failures[event.fingerprint] = (this.#failures[event.fingerprint] ?? 0) + 1;
        if (event.fingerprint === "StartError") this.#startErrorsAtMs.push(this.#options.clock.wallMs(event.atMs));
        return;
      case "images":
        this.#options.imagesChanged();
        return;
      default:
        event satisfies never;
    }
  }

  #tellStatus(uid: string, view: PodView, atMs: number): void {
    const running = this.#pods.get(uid);
    if (running === undefined) return;
    running.view = view;
    mark(this.#notStarted, uid, !view.started);
    mark(this.#notReady, uid, !view.ready);
    this.#countPeaks();
    const { pod, place, conditions } = running;
    const path = `${podsPath(pod.namespace)}/${pod.name}/status`;
    this.#options.writer.put(`pod/${uid}`, () =>
      this.#options.client.patch(path, podStatusPatch(uid, view, place, conditions, place.wallMs(atMs)), "strategic"),
    );
  }

  #tellEvent(event: ModelEvent): void {
    const running = this.#pods.get(event.uid);
    if (running === undefined) return;
    const { client, clock, writer, node } = this.#options;
    const path = `/api/v1/namespaces/${running.pod.namespace}/events`;
    const atMs = clock.wallMs(event.atMs);
    const key = eventKey(event);
    const before = this.#events.get(key);
    if (before === undefined) {
      const name = `${running.pod.name}.${Math.floor(event.atMs * 1_000).toString(16)}.${this.#events.size.toString(16)}`;
      this.#events.set(key, { name, count: 1 });
      writer.put(`event/${name}`, () => client.create(path, eventObject(event, running.pod, node, name, atMs)));
      return;
    }
    before.count += 1;
    const patch = { count: before.count, lastTimestamp: apiTime(atMs) };
    writer.put(`event/${before.name}/count`, () => client.patch(`${path}/${before.name}`, patch, "merge"));
  }

  /** Terminates a pod: its containers stop at once, then the object is deleted, once. */
  #terminate(raw: KubeObject): void {
    const { uid = "", name = "", namespace = "" } = raw.metadata ?? {};
    this.#drop(uid);
    if (this.#leaving.has(uid)) return;
    this.#leaving.add(uid);
    const { client, writer } = this.#options;
    writer.put(`pod/${uid}`, () =>
      client.remove(`${podsPath(namespace)}/${name}`, {}, { gracePeriodSeconds: 0, preconditions: { uid } }),
    );
  }

  #drop(uid: string): void {
    this.#notStarted.delete(uid);
    this.#notReady.delete(uid);
    if (!this.#pods.delete(uid)) return;
    for (const key of this.#events.keys()) if (key.startsWith(`${uid}\n`)) this.#events.delete(key);
    const { model, clock } = this.#options;
    model.removePod(uid, clock.nowMs());
    if (this.#joined) this.#schedule();
  }

  #countPeaks(): void {
    this.#peakInStartup = Math.max(this.#peakInStartup, this.#notStarted.size);
    this.#peakUnready = Math.max(this.#peakUnready, this.#notReady.size);
  }
}

const podsPath = (namespace: string): string => `/api/v1/namespaces/${namespace}/pods`;

function mark(set: Set<string>, uid: string, member: boolean): void {
  if (member) set.add(uid);
  else set.delete(uid);
}
