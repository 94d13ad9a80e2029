/**
 * One run: a herd comes in two waves to a cluster that an autoscaler enlarges, with some of Paceline's levers or
 * without Paceline. The first wave is pending before its nodes exist. The second one finds young nodes with room for a
 * part of it.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Child } from "../../dev/control-plane/child.ts";
import { type ControlPlane, startControlPlane } from "../../dev/control-plane/control-plane.ts";
import { startClusterAutoscaler } from "../../dev/autoscalers/cluster-autoscaler.ts";
import { createPool, startKarpenter } from "../../dev/autoscalers/karpenter.ts";
import { type Kubelets, startKubelets } from "../../dev/autoscalers/kubelets.ts";
import { observe, type Observer } from "../../dev/demo/observer.ts";
import { installAccess, installWebhooks, type PolicyBody } from "../../dev/install.ts";
import { startModelledNode } from "../../dev/modelled-node/modelled-node.ts";
import { modelAnnotations } from "../../dev/modelled-node/pod-order.ts";
import { startServiceProcess } from "../../dev/service.ts";
import { FENCE_TAINT_KEY, YOUNG_TAINT_KEY } from "../../src/api/names.ts";
import type { ApiClient } from "../../src/kube/client/api-client.ts";

export const autoscalers = ["karpenter", "cluster-autoscaler"] as const;
export type Autoscaler = (typeof autoscalers)[number];

export const levers = ["none", "fence", "gate", "steer", "all"] as const;
/** Which of Paceline's levers are on; none: without Paceline. */
export type Levers = (typeof levers)[number];

export interface RunOptions {
  readonly autoscaler: Autoscaler;
  readonly levers: Levers;
  /** When the second wave comes: once the first has started, or once its first node is Ready. */
  readonly secondWave?: "afterwards" | "meanwhile";
  /** Karpenter: false leaves the fence out of the NodePool's startupTaints. */
  readonly namesFence?: boolean;
  /** Karpenter's `consolidateAfter`. */
  readonly consolidateAfter?: string;
  /** Kill it once its first node runs a pod, and start it again. */
  readonly restarts?: boolean;
  readonly herd?: Herd;
}

/** A herd whose first wave needs `machines` nodes, less the room for `spare` pods; the second one fills that room. */
export interface Herd {
  readonly machines: number;
  /** Pods that fit a node. */
  readonly perMachine: number;
  readonly cpu: string;
  readonly spare: number;
  /** How many more nodes the second wave needs. */
  readonly moreMachines: number;
  /** How long a pod takes to be Ready, in s. */
  readonly readySeconds: number;
}

/** The machine's 4 cores, less the 100m that Karpenter's simulated cloud keeps for the kubelet, hold 8 of its pods. */
const smallHerd: Herd = { machines: 3, perMachine: 8, cpu: "450m", spare: 4, moreMachines: 2, readySeconds: 1.5 };
/** Each node takes two pods, and the second one waits at its fence until the first is Ready. */
export const fiftyNodes: Herd = {
  machines: 50,
  perMachine: 2,
  cpu: "1900m",
  spare: 0,
  moreMachines: 2,
  readySeconds: 40,
};

export interface RunResult {
  /** Nodes launched until the first wave had started, or until the second one came. */
  readonly firstNodes: number;
  readonly allNodes: number;
  readonly removedNodes: number;
  /** From the second wave to the first node that it got, in s; NaN where it got none. */
  readonly demandSeconds: number;
  readonly readySeconds: number;
}

const NAMESPACE = "herd";
const READY_WITHIN_MS = 300_000;
/** After the last pod is Ready: by then, what the autoscaler still had in mind is launched, or is being removed. */
const AFTERMATH_MS = 15_000;

const image = "registry.example/app:1";
/** The image is on the settled node, and is pulled on others. */
const pulling = { images: [{ name: image, mib: 20, layers: 2 }] };

const policyOf = (on: Levers): PolicyBody => ({
  nodeClasses: [{ name: "one", slots: { initial: 1, min: 1, max: 1 } }],
  startup: { until: "Ready" },
  gate: { enabled: on === "gate" || on === "all" },
  fence: { enabled: on === "fence" || on === "all" },
  steer: { enabled: on === "steer" || on === "all" },
});

export async function run(options: RunOptions): Promise<RunResult> {
  await using plane = await startControlPlane();
  const { client } = plane;
  if (options.levers !== "none") await installPaceline(plane, options.levers);
  await using settled = await startModelledNode({
    ...pulling,
    client,
    name: "settled",
    cores: 1,
    readyForSeconds: 3_600,
    presentImages: [image],
  });
  await settled.ready;
  await using kubelets = startKubelets(client, { ...pulling, joinSeconds: 2 });
  const autoscaler = await startAutoscaler(plane, options);
  await client.create("/api/v1/namespaces", { metadata: { name: NAMESPACE } });
  const seen = observe(client, NAMESPACE);
  try {
    const restart = async () => {
      await autoscaler.kill();
      await startAgain(plane, options.autoscaler);
    };
    return await bothWaves({ client, kubelets, seen, restart }, options);
  } finally {
    seen.stop();
  }
}

async function installPaceline(plane: ControlPlane, on: Levers): Promise<void> {
  await installAccess(plane.client, policyOf(on));
  const service = await startServiceProcess(plane);
  await installWebhooks(plane.client, { url: service.url, caBundle: plane.caCert });
}

const startAgain = (plane: ControlPlane, autoscaler: Autoscaler) =>
  autoscaler === "karpenter" ? startKarpenter(plane) : startClusterAutoscaler(plane);

async function startAutoscaler(plane: ControlPlane, options: RunOptions): Promise<Child> {
  const { autoscaler, levers: on, namesFence = true, consolidateAfter } = options;
  const child = await startAgain(plane, autoscaler);
  if (autoscaler === "cluster-autoscaler") return child;
  const fence = { key: FENCE_TAINT_KEY, effect: "NoSchedule" };
  const young = { key: YOUNG_TAINT_KEY, effect: "PreferNoSchedule" };
  const has = (lever: Levers) => on === lever || on === "all";
  const startupTaints = [...(has("fence") && namesFence ? [fence] : []), ...(on === "steer" ? [young] : [])];
  await createPool(plane.client, { startupTaints, ...(consolidateAfter !== undefined && { consolidateAfter }) });
  return child;
}

interface Scene {
  readonly client: ApiClient;
  readonly kubelets: Kubelets;
  readonly seen: Observer;
  readonly restart: () => Promise<void>;
}

async function bothWaves({ client, kubelets, seen, restart }: Scene, options: RunOptions): Promise<RunResult> {
  const { machines } = kubelets;
  const { herd = smallHerd } = options;
  const settledRoom = herd === smallHerd ? 2 : 0;
  const first = settledRoom + herd.machines * herd.perMachine - herd.spare;
  const second = herd.spare + herd.moreMachines * herd.perMachine;
  const beganMs = Date.now();
  const signal = AbortSignal.timeout(READY_WITHIN_MS);
  await createWave(client, "first", first, herd);
  if (options.restarts === true || options.secondWave === "meanwhile") await someOnMachine(seen, signal);
  if (options.restarts === true) await restart();
  if (options.secondWave !== "meanwhile") await seen.allReady(() => first, signal);
  const firstNodes = machines.size;
  const secondMs = Date.now();
  await createWave(client, "second", second, herd);
  await seen.allReady(() => first + second, signal);
  const readySeconds = (Date.now() - beganMs) / 1_000;
  await delay(AFTERMATH_MS);
  const all = [...machines.values()];
  const later = all.map(({ launchedMs }) => launchedMs).filter((ms) => ms > secondMs);
  return {
    firstNodes,
    allNodes: all.length,
    removedNodes: all.filter(({ removedMs }) => removedMs !== undefined).length,
    demandSeconds: later.length === 0 ? Number.NaN : (Math.min(...later) - secondMs) / 1_000,
    readySeconds,
  };
}

/** A pod of the herd is bound to a machine of the autoscaler. */
async function someOnMachine(seen: Observer, signal: AbortSignal): Promise<void> {
  while (![...seen.pods.values()].some(({ node }) => node !== undefined && node !== "settled")) {
    await delay(100, undefined, { signal });
  }
}

async function createWave(client: ApiClient, name: string, replicas: number, { cpu, readySeconds }: Herd) {
  const labels = { app: name };
  const { startCpuSeconds, readySeconds: ready } = modelAnnotations;
  const annotations = { [startCpuSeconds]: "0.2", [ready]: String(readySeconds) };
  const resources = { requests: { cpu, memory: "40Mi" } };
  const containers = [{ name: "main", image, imagePullPolicy: "IfNotPresent", resources }];
  await client.create(`/apis/apps/v1/namespaces/${NAMESPACE}/deployments`, {
    kind: "Deployment",
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels, annotations }, spec: { containers, terminationGracePeriodSeconds: 1 } },
    },
  });
}
