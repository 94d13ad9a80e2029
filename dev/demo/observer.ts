/**
 * Observes a herd from outside, by its pods and Events in the API server and not by Paceline's own reports. The paced
 * and the unpaced run are observed in the same way.
 */
import type { ApiClient } from "../../src/kube/client/api-client.ts";
import { systemClock } from "../../src/kube/clock.ts";
import { type KubeObject, recordOf, recordsOf, textOf, timeOf } from "../../src/kube/parse/kube-json.ts";
import { type Reflector, startReflector } from "../../src/kube/watch/reflector.ts";
import { eventFailure, type FailureKind, startFailures } from "./failures.ts";

/** The course of one pod; times in epoch ms. */
export interface PodRecord {
  readonly name: string;
  readonly images: readonly string[];
  readonly createdAtMs: number;
  node: string | undefined;
  boundAtMs: number | undefined;
  startedAtMs: number | undefined;
  readyAtMs: number | undefined;
  ready: boolean;
  /** True if it was once created or held with a scheduling gate. */
  gated: boolean;
  /** True if the scheduler once found no node for it. */
  tried: boolean;
  restarts: number;
}

export interface Observer {
  readonly pods: ReadonlyMap<string, PodRecord>;
  /** Failed starts, each counted once, by fingerprint. */
  failures(): Readonly<Partial<Record<FailureKind, number>>>;
  /** The most pods that were bound to one of these nodes and not started at one moment; of all nodes by default. */
  peakInStartup(isCounted?: (node: string) => boolean): number;
  /** Resolves when `expected` pods exist and all are Ready; rejects when the signal aborts. */
  allReady(expected: () => number, signal: AbortSignal): Promise<void>;
  stop(): void;
}

/** Watches the pods and Events of one namespace. */
export function observe(client: ApiClient, namespace: string): Observer {
  const pods = new Map<string, PodRecord>();
  const failures = new Map<string, FailureKind>();
  const counts = new Map<string, number>();
  const listeners = new Set<() => void>();
  const peaks = new Map<string, number>();
  const onPod = (raw: KubeObject) => {
    const record = updated(pods, raw, Date.now());
    for (const { key, kind } of startFailures(raw)) failures.set(key, kind);
    if (record.node) peaks.set(record.node, Math.max(peaks.get(record.node) ?? 0, inStartup(pods, record.node)));
    for (const listener of listeners) listener();
  };
  const onEvent = (raw: KubeObject) => {
    const failure = eventFailure(raw);
    if (failure) counts.set(`${failure.kind} ${failure.key}`, failure.count);
  };
  const reflectors = [
    follow(client, `/api/v1/namespaces/${namespace}/pods`, onPod, (uid) => pods.delete(uid)),
    follow(client, `/api/v1/namespaces/${namespace}/events`, onEvent, () => undefined),
  ];
  return {
    pods,
    failures: () => tally(failures, counts),
    peakInStartup: (isCounted = () => true) =>
      Math.max(0, ...[...peaks].filter(([node]) => isCounted(node)).map(([, peak]) => peak)),
    allReady: (expected, signal) => allReady(pods, listeners, expected, signal),
    stop: () => reflectors.forEach((reflector) => void reflector.stop()),
  };
}

function follow(client: ApiClient, path: string, onUpsert: (raw: KubeObject) => void, onDelete: (key: string) => void) {
  const quiet = () => undefined;
  const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };
  const options = { client, path, parse: (raw: KubeObject) => raw, onUpsert, onDelete, clock: systemClock, log };
  return startReflector({ ...options, random: Math.random }) satisfies Reflector;
}

function updated(pods: Map<string, PodRecord>, raw: KubeObject, nowMs: number): PodRecord {
  const uid = raw.metadata?.uid ?? "";
  const record = pods.get(uid) ?? newRecord(raw, nowMs);
  pods.set(uid, record);
  const statuses = recordsOf(recordOf(raw["status"])["containerStatuses"]);
  const started = statuses.length > 0 && statuses.every((status) => status["started"] === true);
  record.node = textOf(recordOf(raw["spec"])["nodeName"]) || undefined;
  record.boundAtMs ??= record.node === undefined ? undefined : nowMs;
  record.startedAtMs ??= started ? nowMs : undefined;
  record.ready = isReady(raw);
  record.gated ||= recordsOf(recordOf(raw["spec"])["schedulingGates"]).length > 0;
  record.tried ||= isUnschedulable(raw);
  record.readyAtMs ??= record.ready ? nowMs : undefined;
  record.restarts = statuses.reduce((sum, status) => sum + Number(status["restartCount"] ?? 0), 0);
  return record;
}

function newRecord(raw: KubeObject, nowMs: number): PodRecord {
  const containers = recordsOf(recordOf(raw["spec"])["containers"]);
  return {
    name: raw.metadata?.name ?? "",
    images: containers.map((container) => textOf(container["image"])),
    createdAtMs: timeOf(raw.metadata?.creationTimestamp) ?? nowMs,
    node: undefined,
    boundAtMs: undefined,
    startedAtMs: undefined,
    readyAtMs: undefined,
    ready: false,
    gated: false,
    tried: false,
    restarts: 0,
  };
}

const conditions = (raw: KubeObject) => recordsOf(recordOf(raw["status"])["conditions"]);
const isReady = (raw: KubeObject) => conditions(raw).some(({ type, status }) => type === "Ready" && status === "True");
const isUnschedulable = (raw: KubeObject) =>
  conditions(raw).some(({ type, reason }) => type === "PodScheduled" && reason === "Unschedulable");

function inStartup(pods: ReadonlyMap<string, PodRecord>, node: string): number {
  let count = 0;
  for (const pod of pods.values()) if (pod.node === node && pod.startedAtMs === undefined) count += 1;
  return count;
}

function tally(failures: ReadonlyMap<string, FailureKind>, counts: ReadonlyMap<string, number>) {
  const sums: Partial<Record<FailureKind, number>> = {};
  const add = (kind: FailureKind, count: number) => (sums[kind] = (sums[kind] ?? 0) + count);
  for (const kind of failures.values()) add(kind, 1);
  for (const [key, count] of counts) add(key.split(" ")[0] as FailureKind, count);
  return sums;
}

function allReady(
  pods: ReadonlyMap<string, PodRecord>,
  listeners: Set<() => void>,
  expected: () => number,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const check = () => {
      if (pods.size < expected() || ![...pods.values()].every(({ ready }) => ready)) return;
      listeners.delete(check);
      resolve();
    };
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
    listeners.add(check);
    check();
  });
}
