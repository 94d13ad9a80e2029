/** A control plane with Paceline for tests of its promises: replicas that can be killed, and small herds. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Child } from "../../dev/control-plane/child.ts";
import {
  type ControlPlane,
  type ControlPlaneOptions,
  startControlPlane,
} from "../../dev/control-plane/control-plane.ts";
import { freePort } from "../../dev/control-plane/ports.ts";
import { installAccess, installWebhooks, type PolicyBody, serviceToken, type WebhookLever } from "../../dev/install.ts";
import { issueServerCertificate } from "../../src/certificates/certificates.ts";
import { type KubeObject, recordOf, recordsOf, textOf } from "../../src/kube/parse/kube-json.ts";
import type { ModelledNodes } from "../../dev/modelled-node/modelled-node.ts";
import { startModelledNodes } from "../../dev/modelled-node/modelled-node.ts";
import { Agent, request } from "undici";
import { eventually } from "./control-plane.ts";

export const NAMESPACE = "default";
export const PODS = `/api/v1/namespaces/${NAMESPACE}/pods`;

/** A policy with a constant limit, so that tests can count; everything else at its default. */
export const limitOf = (slots: number, more: PolicyBody = {}): PolicyBody => ({
  nodeClasses: [{ name: "test", slots: { initial: slots, min: slots, max: slots } }],
  youngForSeconds: 3_600,
  startup: { until: "Ready" }, // modelled pods that come up need no cores: otherwise they would give their slot back
  ...more,
});

export interface Replica {
  readonly url: string;
  readonly process: Child;
  /** GET /readyz answers 200. */
  ready(): Promise<boolean>;
  post(path: string, body: string, type?: string): Promise<{ readonly status: number; readonly text: string }>;
}

export interface PacedCluster extends AsyncDisposable {
  readonly plane: ControlPlane;
  startReplica(): Promise<Replica>;
  /** Nodes named `name-1` …, modelled, with small images; resolves when all are Ready. */
  join(name: string, count: number, options?: { readonly labels?: readonly Record<string, string>[] }): Promise<void>;
  installWebhooks(replica: Replica, levers: readonly WebhookLever[]): Promise<void>;
  pods(): Promise<readonly KubeObject[]>;
  stop(): Promise<void>;
}

export async function startPacedCluster(policy: PolicyBody, options: ControlPlaneOptions = {}): Promise<PacedCluster> {
  const plane = await startControlPlane(options);
  const fleets: ModelledNodes[] = [];
  await installAccess(plane.client, policy);
  let replicas = 0;
  const stop = async () => {
    await Promise.all(fleets.map((fleet) => fleet.stop()));
    await plane.stop();
  };
  return {
    plane,
    startReplica: () => startReplica(plane, `replica-${(replicas += 1)}`),
    join: async (name, count, { labels = [] } = {}) => {
      const names = Array.from({ length: count }, (_, index) => `${name}-${index + 1}`);
      const fleet = await startModelledNodes(
        names.map((one, index) => ({ client: plane.client, name: one, cores: 8, images, labels: labels[index] })),
      );
      fleets.push(fleet);
      await fleet.ready;
    },
    installWebhooks: (replica, levers) =>
      installWebhooks(plane.client, { url: replica.url, caBundle: plane.caCert, levers: [...levers] }),
    pods: async () => (await plane.client.list(PODS)).items,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** A replica that leads, with the webhooks of gate and fence. */
export async function startReplicaWithWebhooks(cluster: PacedCluster): Promise<Replica> {
  const replica = await cluster.startReplica();
  await cluster.installWebhooks(replica, ["gate", "fence"]);
  await eventually("a leader leads", async () => {
    const lease = await cluster.plane.client.get(
      "/apis/coordination.k8s.io/v1/namespaces/paceline/leases/paceline-leader",
    );
    return recordOf(lease["spec"])["holderIdentity"] !== "";
  });
  return replica;
}

/** Small images. Each takes a gp3 disk a second at most. */
const images = Array.from({ length: 100 }, (_, index) => ({ name: imageNamed(index), mib: 20, layers: 2 }));
export function imageNamed(index: number): string {
  return `registry.example/small-${index}:1`;
}

async function startReplica(plane: ControlPlane, name: string): Promise<Replica> {
  const pair = await issueServerCertificate(plane.authority, { names: ["127.0.0.1"], days: 1, nowMs: Date.now() });
  const write = async (file: string, text: string) => {
    await writeFile(join(plane.folder, `${name}.${file}`), text, { mode: 0o600 });
    return join(plane.folder, `${name}.${file}`);
  };
  const port = await freePort();
  const kubeconfig = plane.kubeconfigFor({ name: "paceline", token: await serviceToken(plane.client) });
  const child = await plane.startProgram(name, process.execPath, [
    join(import.meta.dirname, "serve-child.ts"),
    ...[
      await write("kubeconfig", kubeconfig),
      String(port),
      await write("crt", pair.cert),
      await write("key", pair.key),
    ],
    name,
  ]);
  const replica = replicaAt(`https://127.0.0.1:${port}`, plane.caCert, child);
  await eventually(`${name} is ready: ${child.logTail()}`, () => replica.ready());
  return replica;
}

function replicaAt(url: string, ca: string, process_: Child): Replica {
  const call = async (method: "GET" | "POST", path: string, body?: string, type = "application/json") => {
    const dispatcher = new Agent({ connect: { ca } });
    try {
      const headers = { "content-type": type };
      const answer = await request(new URL(path, url), { method, dispatcher, headers, ...(body && { body }) });
      return { status: answer.statusCode, text: await answer.body.text() };
    } finally {
      await dispatcher.destroy();
    }
  };
  return {
    url,
    process: process_,
    ready: async () => (await call("GET", "/readyz").catch(() => undefined))?.status === 200,
    post: (path, body, type) => call("POST", path, body, type),
  };
}

/** A pod of one container. By default each pod has an image of its own. */
export function smallPod(name: string, image: number, spec: Record<string, unknown> = {}, labels = {}): KubeObject {
  const resources = { requests: { cpu: "20m", memory: "10Mi" } };
  return {
    metadata: { name, labels },
    spec: { containers: [{ name: "main", image: imageNamed(image), resources }], ...spec },
  };
}

export const nodeNameOf = (pod: KubeObject) => textOf(recordOf(pod["spec"])["nodeName"]);
export const gatesOf = (pod: KubeObject) =>
  recordsOf(recordOf(pod["spec"])["schedulingGates"]).map(({ name }) => textOf(name));

/** The condition of a type, or `{}`. */
export const conditionOf = (pod: KubeObject, type: string) =>
  recordsOf(recordOf(pod["status"])["conditions"]).find((condition) => condition["type"] === type) ?? {};

export const isReady = (pod: KubeObject) => conditionOf(pod, "Ready")["status"] === "True";

/** True if no container of the pod ever failed to start. */
export function startErrors(pod: KubeObject): number {
  const statuses = recordsOf(recordOf(pod["status"])["containerStatuses"]);
  return statuses.filter((status) => JSON.stringify(status).includes("StartError")).length;
}

/** Resolves when every pod is Ready, with the pods. */
export function allReady(cluster: PacedCluster, count: number): Promise<readonly KubeObject[]> {
  return eventually(`${count} pods are Ready`, async () => {
    const pods = await cluster.pods();
    return pods.length === count && pods.every(isReady) ? pods : undefined;
  });
}

/** The node's fence, if it has one. */
export async function fenceOf(cluster: PacedCluster, node: string): Promise<unknown> {
  const { spec } = await cluster.plane.client.get(`/api/v1/nodes/${node}`);
  return recordsOf(recordOf(spec)["taints"]).find(({ key }) => String(key).endsWith("/paceline"))?.["value"];
}
