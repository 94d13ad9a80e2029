/**
 * The herd of issue #1651, with its three kinds of pods: Deployments that wait for room before the nodes join,
 * DaemonSets that meet the joining nodes, and a Deployment that is scaled up while they are young. Images differ in
 * size and share nothing.
 */
import type { ApiClient } from "../../src/kube/client/api-client.ts";
import { GIB } from "../../src/simulate/model/constants.ts";
import { modelAnnotations } from "../modelled-node/pod-order.ts";
import type { ImageSpec } from "../../src/simulate/model/types.ts";

export const NAMESPACE = "shop";
export const NODES = 3;
/** A small, common instance: a t3.medium has 4 GiB, of which a fifth may be dirty page cache; its disk is a gp3. */
export const NODE = { cores: 4, memoryBytes: 4 * GIB } as const;
/** Parallel pulls, as many clusters set them. Pull QPS and burst have their defaults of 5 and 10. */
export const KUBELET = { serializeImagePulls: false } as const;

/**
 * Unpacked MiB and layers of the images of the pending Deployments: every third is large. One replica for each node.
 */
const LARGE = { mib: 280, layers: 2 } as const;
const SMALL = { mib: 70, layers: 1 } as const;
const WAITING = Array.from({ length: 38 }, (_, index) => (index % 3 === 0 ? LARGE : SMALL));
const DAEMONS = [SMALL, SMALL, SMALL];
const LATE_REPLICAS = 12;

/** The work of every pod from the start of its container until it is Ready. */
export const START = { startCpuSeconds: 0.5, readySeconds: 0.5 } as const;

interface Workload {
  readonly kind: "Deployment" | "DaemonSet";
  readonly name: string;
  readonly replicas: number;
  readonly mib: number;
  readonly layers: number;
}

const waiting: readonly Workload[] = WAITING.map((image, index) => ({
  kind: "Deployment",
  name: `app-${index + 1}`,
  replicas: NODES,
  ...image,
}));
const daemons: readonly Workload[] = DAEMONS.map((image, index) => ({
  kind: "DaemonSet",
  name: `agent-${index + 1}`,
  replicas: NODES,
  ...image,
}));
const late: readonly Workload[] = [{ kind: "Deployment", name: "checkout", replicas: LATE_REPLICAS, ...SMALL }];

const imageOf = ({ name }: Workload) => `registry.example/${name}:1`;

/** The images, for the modelled nodes. */
export const images: readonly ImageSpec[] = [...waiting, ...daemons, ...late].map((workload) => ({
  name: imageOf(workload),
  mib: workload.mib,
  layers: workload.layers,
}));

const count = (workloads: readonly Workload[]) => workloads.reduce((sum, { replicas }) => sum + replicas, 0);
export const WAITING_PODS = count(waiting);
export const ALL_PODS = count([...waiting, ...daemons, ...late]);

/** Created before the nodes join: all pods that wait for room, and the DaemonSets. */
export async function createWaiting(client: ApiClient): Promise<void> {
  await client.create("/api/v1/namespaces", { metadata: { name: NAMESPACE } });
  await Promise.all([...waiting, ...daemons].map((workload) => create(client, workload)));
}

/** Created while the nodes are young. */
export async function scaleUp(client: ApiClient): Promise<void> {
  await Promise.all(late.map((workload) => create(client, workload)));
}

function create(client: ApiClient, workload: Workload): Promise<unknown> {
  const { kind, name, replicas } = workload;
  const selector = { matchLabels: { app: name } };
  const spec = { selector, template: template(workload), ...(kind === "Deployment" && { replicas }) };
  const path = `/apis/apps/v1/namespaces/${NAMESPACE}/${kind.toLowerCase()}s`;
  return client.create(path, { apiVersion: "apps/v1", kind, metadata: { name }, spec });
}

function template(workload: Workload): object {
  const resources = { requests: { cpu: "50m", memory: "40Mi" } };
  const annotations = {
    [modelAnnotations.startCpuSeconds]: String(START.startCpuSeconds),
    [modelAnnotations.readySeconds]: String(START.readySeconds),
  };
  // What the fence asks of DaemonSets (docs/autoscalers.md): tolerate it, and start first.
  const tolerations = workload.kind === "DaemonSet" ? [{ operator: "Exists", effect: "NoSchedule" }] : [];
  const containers = [{ name: "main", image: imageOf(workload), imagePullPolicy: "IfNotPresent", resources }];
  return { metadata: { labels: { app: workload.name }, annotations }, spec: { containers, tolerations } };
}
