/**
 * The demo's herds. `bare` is that of issue #1651, with its three kinds of pods: Deployments that wait for room before
 * the nodes join, DaemonSets that meet the joining nodes, and a Deployment that is scaled up while they are young.
 * Images differ in size and share nothing. `ordinary` is the same herd in an ordinary cluster: settled nodes have some
 * room, some pods have startup probes or init containers, and one Deployment is spread over nodes.
 */
import type { ApiClient } from "../../src/kube/client/api-client.ts";
import { GIB } from "../../src/simulate/model/constants.ts";
import { modelAnnotations } from "../modelled-node/pod-order.ts";
import type { ImageSpec } from "../../src/simulate/model/types.ts";

export const NAMESPACE = "shop";
/** Young nodes that join. */
export const NODES = 3;
/** A small, common instance: a t3.medium has 4 GiB, of which a fifth may be dirty page cache; its disk is a gp3. */
export const NODE = { cores: 4, memoryBytes: 4 * GIB } as const;
/** Parallel pulls, as many clusters set them. Pull QPS and burst have their defaults of 5 and 10. */
export const KUBELET = { serializeImagePulls: false } as const;

export const HERDS = ["ordinary", "bare"] as const;
export type HerdName = (typeof HERDS)[number];

/**
 * Unpacked MiB and layers of the images of the pending Deployments: every third is large. One replica for each node.
 */
const LARGE = { mib: 280, layers: 2 } as const;
const SMALL = { mib: 70, layers: 1 } as const;
const WAITING = Array.from({ length: 38 }, (_, index) => (index % 3 === 0 ? LARGE : SMALL));
const DAEMONS = [SMALL, SMALL, SMALL];
const LATE_REPLICAS = 12;

/** In the ordinary cluster: nodes that have been Ready for a day, and the room that each has for pods. */
const SETTLED = { count: 2, maxPods: 15, readyForSeconds: 86_400 } as const;
const PROBE_SECONDS = 10;
const INIT_SECONDS = 3;

/** The work of every pod from the start of its container until it is Ready. */
export const START = { startCpuSeconds: 0.5, readySeconds: 0.5 } as const;

interface Workload {
  readonly kind: "Deployment" | "DaemonSet";
  readonly name: string;
  readonly replicas: number;
  readonly mib: number;
  readonly layers: number;
  readonly has?: "startupProbe" | "initContainer" | "spreading" | undefined;
}

/** One herd, and the nodes that are there before the young ones. */
export interface Herd {
  readonly settled: { readonly count: number; readonly maxPods: number; readonly readyForSeconds: number };
  /** Sizes of all images, for the modelled nodes. */
  readonly images: readonly ImageSpec[];
  /** Pods that are created before the young nodes join, without those of DaemonSets. */
  readonly waitingPods: number;
  readonly allPods: number;
  /** DaemonSet pods of the settled nodes, which have their place there before the herd comes. */
  readonly settledDaemonPods: number;
  /** Created first of all. */
  createDaemonSets(client: ApiClient): Promise<void>;
  /** Created before the young nodes join: all pods that wait for room. */
  createWaiting(client: ApiClient): Promise<void>;
  /** Created while these nodes are young. */
  scaleUp(client: ApiClient): Promise<void>;
}

export function herdOf(name: HerdName): Herd {
  const isOrdinary = name === "ordinary";
  const settled = isOrdinary ? SETTLED : { ...SETTLED, count: 0 };
  const waiting: Workload[] = WAITING.map((image, index) => ({
    kind: "Deployment",
    name: `app-${index + 1}`,
    replicas: NODES,
    has: isOrdinary ? extraOf(index) : undefined,
    ...image,
  }));
  const daemons: Workload[] = DAEMONS.map((image, index) => ({
    kind: "DaemonSet",
    name: `agent-${index + 1}`,
    replicas: NODES + settled.count,
    ...image,
  }));
  const late: Workload[] = [{ kind: "Deployment", name: "checkout", replicas: LATE_REPLICAS, ...SMALL }];
  const all = [...waiting, ...daemons, ...late];
  const createAll = async (client: ApiClient, some: readonly Workload[]) => {
    await Promise.all(some.map((workload) => create(client, workload)));
  };
  return {
    settled,
    images: [...all.map(({ mib, layers, ...one }) => ({ name: imageOf(one), mib, layers })), INIT_IMAGE],
    waitingPods: count(waiting),
    allPods: count(all),
    settledDaemonPods: settled.count * daemons.length,
    createDaemonSets: async (client) => {
      await client.create("/api/v1/namespaces", { metadata: { name: NAMESPACE } });
      await createAll(client, daemons);
    },
    createWaiting: (client) => createAll(client, waiting),
    scaleUp: (client) => createAll(client, late),
  };
}

/** Every fifth has a startup probe that takes long, another fifth an init container, and one is spread over nodes. */
function extraOf(index: number): Workload["has"] {
  if (index === 1) return "spreading";
  return index % 5 === 2 ? "startupProbe" : index % 5 === 4 ? "initContainer" : undefined;
}

const imageOf = ({ name }: Pick<Workload, "name">) => `registry.example/${name}:1`;
const INIT_IMAGE: ImageSpec = { name: "registry.example/init:1", mib: 10, layers: 1 };

const count = (workloads: readonly Workload[]) => workloads.reduce((sum, { replicas }) => sum + replicas, 0);

function create(client: ApiClient, workload: Workload): Promise<unknown> {
  const { kind, name, replicas } = workload;
  const selector = { matchLabels: { app: name } };
  const spec = { selector, template: template(workload), ...(kind === "Deployment" && { replicas }) };
  const path = `/apis/apps/v1/namespaces/${NAMESPACE}/${kind.toLowerCase()}s`;
  return client.create(path, { apiVersion: "apps/v1", kind, metadata: { name }, spec });
}

function template(workload: Workload): object {
  const { name, kind, has } = workload;
  const resources = { requests: { cpu: "50m", memory: "40Mi" } };
  const annotations = {
    [modelAnnotations.startCpuSeconds]: String(START.startCpuSeconds),
    [modelAnnotations.readySeconds]: String(START.readySeconds),
    ...(has === "startupProbe" && { [modelAnnotations.startupProbeSeconds]: String(PROBE_SECONDS) }),
    ...(has === "initContainer" && { [modelAnnotations.initSeconds]: String(INIT_SECONDS) }),
  };
  // What the fence asks of DaemonSets (docs/autoscalers.md): tolerate it, and start first.
  const tolerations = kind === "DaemonSet" ? [{ operator: "Exists", effect: "NoSchedule" }] : [];
  const init = { name: "init", image: INIT_IMAGE.name, imagePullPolicy: "IfNotPresent", resources };
  const spread = {
    maxSkew: 1,
    topologyKey: "kubernetes.io/hostname",
    whenUnsatisfiable: "DoNotSchedule",
    labelSelector: { matchLabels: { app: name } },
  };
  const spec = {
    containers: [{ name: "main", image: imageOf(workload), imagePullPolicy: "IfNotPresent", resources }],
    ...(has === "initContainer" && { initContainers: [init] }),
    ...(has === "spreading" && { topologySpreadConstraints: [spread] }),
    tolerations,
  };
  return { metadata: { labels: { app: name }, annotations }, spec };
}
