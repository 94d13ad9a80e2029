/** 1,000 bare nodes and 3,000 waiting pods, and a watch for the moment when the scheduler has bound them all. */
import type { ApiClient } from "../../src/kube/client/api-client.ts";
import { systemClock } from "../../src/kube/clock.ts";
import { silentLog } from "../../src/kube/log.ts";
import { startReflector } from "../../src/kube/watch/reflector.ts";
import { forEachOf } from "../progress.ts";

export interface HerdSize {
  readonly nodes: number;
  readonly pods: number;
}

const AT_A_TIME = 32;
const PODS = "/api/v1/namespaces/default/pods";
const nameAt = (index: number) => `node-${String(index).padStart(4, "0")}`;

/** Nodes that have been Ready since `readySinceMs` (epoch), without the taint of those that are not ready yet. */
export async function createNodes(client: ApiClient, { nodes }: HerdSize, readySinceMs: number): Promise<void> {
  const lastTransitionTime = new Date(readySinceMs).toISOString();
  const resources = { cpu: "16", memory: "64Gi", "ephemeral-storage": "100Gi", pods: "110" };
  const ready = { type: "Ready", status: "True", reason: "KubeletReady", lastTransitionTime };
  await forEachOf("creating nodes", { count: nodes, atATime: AT_A_TIME }, async (index) => {
    const name = nameAt(index);
    const labels = { "kubernetes.io/hostname": name, "topology.kubernetes.io/zone": `zone-${index % 3}` };
    await client.create("/api/v1/nodes", { metadata: { name, labels } });
    const status = { capacity: resources, allocatable: resources, conditions: [ready] };
    await client.patch(`/api/v1/nodes/${name}/status`, { status }, "merge");
    const taint = { key: "node.kubernetes.io/not-ready" };
    const { spec } = await client.get(`/api/v1/nodes/${name}`);
    const taints = ((spec as { taints?: { key: string }[] }).taints ?? []).filter(({ key }) => key !== taint.key);
    await client.patch(`/api/v1/nodes/${name}`, { spec: { taints: taints.length === 0 ? null : taints } }, "merge");
  });
}

/** Pods of 30 Deployments. They wait while there is no scheduler. */
export async function createWaitingPods(client: ApiClient, { pods }: HerdSize): Promise<void> {
  await forEachOf("creating pods", { count: pods, atATime: AT_A_TIME }, async (index) => {
    const app = `app-${index % 30}`;
    const resources = { requests: { cpu: "100m", memory: "128Mi" } };
    const ownerReferences = [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: app, uid: app, controller: true }];
    await client.create(PODS, {
      metadata: { name: `${app}-${index}`, labels: { app }, ownerReferences },
      spec: { containers: [{ name: "main", image: `registry.example/${app}:1`, resources }] },
    });
  });
}

/** How many nodes have a taint, and how many pods a gate: both must be 0 before the scheduler is measured. */
export async function obstacles(client: ApiClient): Promise<{ readonly tainted: number; readonly gated: number }> {
  const nodes = await client.list("/api/v1/nodes");
  const pods = await client.list(PODS);
  const count = (items: typeof nodes.items, field: string) =>
    items.filter((item) => ((item["spec"] as Record<string, unknown[] | undefined>)[field] ?? []).length > 0).length;
  return { tainted: count(nodes.items, "taints"), gated: count(pods.items, "schedulingGates") };
}

export interface Bindings extends AsyncDisposable {
  /** Resolves with the time from the first to the last binding, ms. @throws when it takes longer than `withinMs` */
  last(withinMs: number): Promise<number>;
}

/**
 * Watches for bound pods. It uses a reflector, because a busy API server ends the watch of a slow client: a reflector
 * continues from its last position.
 */
export async function watchBindings(client: ApiClient, { pods }: HerdSize): Promise<Bindings> {
  const bound = new Set<string>();
  let [firstMs, lastMs] = [0, 0];
  const done = Promise.withResolvers<number>();
  const reflector = startReflector({
    client,
    path: PODS,
    query: { fieldSelector: "spec.nodeName!=" },
    clock: systemClock,
    log: silentLog,
    random: Math.random,
    parse: ({ metadata }) => metadata?.uid,
    onUpsert(uid) {
      if (bound.has(uid)) return;
      bound.add(uid);
      lastMs = performance.now();
      if (bound.size === 1) firstMs = lastMs;
      if (bound.size === pods) done.resolve(lastMs - firstMs);
    },
    onDelete: () => undefined,
  });
  await reflector.synced;
  return {
    async last(withinMs) {
      const late = () => done.reject(new Error(`${bound.size} of ${pods} pods are bound after ${withinMs} ms`));
      const timer = setTimeout(late, withinMs);
      return done.promise.finally(() => clearTimeout(timer));
    },
    [Symbol.asyncDispose]: () => reflector.stop(),
  };
}
