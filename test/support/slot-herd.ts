/**
 * A herd that the webhook has gated for one node, and a witness that watches it independently and acts as its kubelet.
 */
import type { ApiClient } from "../../src/kube/client/api-client.ts";
import { GATE } from "../../src/api/names.ts";
import { systemClock } from "../../src/kube/clock.ts";
import { podFacts } from "../../src/kube/parse/facts.ts";
import { silentLog } from "../../src/kube/log.ts";
import { startReflector } from "../../src/kube/watch/reflector.ts";
import type { Reflector } from "../../src/kube/watch/reflector.ts";
import { createShapeInterner } from "../../src/kube/parse/shape-interner.ts";
import type { PodFacts } from "../../src/core/facts.ts";

/** A Ready node of the moment, without taints and with room for any herd. */
export async function createRoomyNode(client: ApiClient, name: string): Promise<void> {
  await client.create("/api/v1/nodes", { metadata: { name } });
  await client.patch(`/api/v1/nodes/${name}`, { spec: { taints: null } }, "merge");
  const status = {
    allocatable: { cpu: "64", memory: "64Gi", pods: "1000" },
    capacity: { cpu: "64", memory: "64Gi", pods: "1000" },
    conditions: [{ type: "Ready", status: "True", reason: "Ready", lastTransitionTime: new Date().toISOString() }],
  };
  await client.patch(`/api/v1/nodes/${name}/status`, { status }, "merge");
}

/** Pods as the DaemonSet controller makes them and the webhook gates them. */
export async function createGatedHerd(
  client: ApiClient,
  node: string,
  count: number,
  { prefix = node, labels = {} }: { readonly prefix?: string; readonly labels?: Readonly<Record<string, string>> } = {},
): Promise<void> {
  const term = { matchFields: [{ key: "metadata.name", operator: "In", values: [node] }] };
  const required = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] } };
  for (let index = 0; index < count; index++) {
    await client.create("/api/v1/namespaces/default/pods", {
      metadata: { name: `${prefix}-${index}`, labels },
      spec: {
        containers: [{ name: "app", image: "app:1" }],
        schedulingGates: [{ name: GATE }],
        affinity: { nodeAffinity: required },
      },
    });
  }
}

/** Watches one node's pods independently, and acts as its kubelet. */
export interface SlotWitness extends AsyncDisposable {
  readonly pods: ReadonlyMap<string, PodFacts>;
  /** The most pods with a slot at a time. */
  readonly peak: number;
  /** Milliseconds from a freed slot to the next release, as seen by the watch. */
  readonly delaysMs: readonly number[];
  started(): number;
}

/** @param startMs how long a pod takes from its binding until it has started, in ms */
export function witnessSlots(client: ApiClient, node: string, startMs: number): SlotWitness {
  const interner = createShapeInterner();
  const pods = new Map<string, PodFacts>();
  const starting = new Set<string>();
  const delaysMs: number[] = [];
  const freedAtMs: number[] = [];
  let peak = 0;
  const start = async (pod: PodFacts) => {
    await new Promise((resolve) => setTimeout(resolve, startMs));
    const now = new Date().toISOString();
    const status = {
      phase: "Running",
      conditions: [{ type: "Ready", status: "True", lastTransitionTime: now }],
      containerStatuses: [{ name: "app", image: "app:1", imageID: "", started: true, ready: true, restartCount: 0 }],
    };
    freedAtMs.push(performance.now());
    await client.patch(`/api/v1/namespaces/default/pods/${pod.name}/status`, { status }, "strategic");
  };
  const onUpsert = (pod: PodFacts) => {
    const before = pods.get(pod.uid);
    pods.set(pod.uid, pod);
    if (before?.gated === true && !pod.gated) {
      const freed = freedAtMs.shift();
      if (freed !== undefined) delaysMs.push(performance.now() - freed);
    }
    peak = Math.max(peak, [...pods.values()].filter((one) => !one.gated && !one.containersStarted).length);
    if (pod.node !== undefined && !starting.has(pod.uid)) {
      starting.add(pod.uid);
      void start(pod);
    }
  };
  const reflector: Reflector = startReflector({
    client,
    path: "/api/v1/namespaces/default/pods",
    parse: (raw) => {
      const pod = podFacts(raw, interner);
      return pod.pinnedTo === node ? pod : undefined;
    },
    onUpsert,
    onDelete: (uid) => void pods.delete(uid),
    clock: systemClock,
    random: Math.random,
    log: silentLog,
  });
  return {
    pods,
    delaysMs,
    get peak() {
      return peak;
    },
    started: () => [...pods.values()].filter((pod) => pod.containersStarted).length,
    [Symbol.asyncDispose]: () => reflector.stop(),
  };
}
