/**
 * Herds of light pods for tests on a real control plane. Their images are on the node, and a start takes half a second.
 */
import type { ControlPlane } from "../../dev/control-plane/control-plane.ts";
import type { PolicyBody } from "../../dev/install.ts";
import type { ApiClient } from "../../src/kube/client/api-client.ts";
import type { KubeObject } from "../../src/kube/parse/kube-json.ts";
import { modelAnnotations } from "../../dev/modelled-node/pod-order.ts";
import type { ModelledNode, ModelledNodeOptions } from "../../dev/modelled-node/modelled-node.ts";
import { startModelledNode } from "../../dev/modelled-node/modelled-node.ts";
import { eventually } from "./control-plane.ts";

export const IMAGE = "registry.example/app:1";

/** Every node has exactly `slots` slots, with any disk figures, and stays young for the whole test. */
export function fixedPolicy(slots: number, more: PolicyBody = {}): PolicyBody {
  return {
    youngForSeconds: 3600,
    startup: { until: "Ready" }, // modelled pods that come up need no cores: otherwise they would give their slot back
    nodeClasses: [{ name: "fixed", slots: { initial: slots, min: slots, max: slots }, pullQPS: { qps: 0 } }],
    ...more,
  };
}

/** A node with the herd's image, and with enough cores that starts do not slow each other down. */
export function lightNode(
  plane: ControlPlane,
  name: string,
  more: Partial<ModelledNodeOptions> = {},
): Promise<ModelledNode> {
  return startModelledNode({ client: plane.client, name, cores: 32, presentImages: [IMAGE], ...more });
}

export interface PodOptions {
  readonly labels?: Readonly<Record<string, string>>;
  readonly spec?: Readonly<Record<string, unknown>>;
  /** Seconds of work until `started`; default half a second. */
  readonly startSeconds?: number;
}

/** `started` waits for the work, like with a startup probe. */
function annotations(startSeconds: number): Record<string, string> {
  return {
    [modelAnnotations.startCpuSeconds]: String(startSeconds),
    [modelAnnotations.startupDeadlineSeconds]: "3600",
    [modelAnnotations.readySeconds]: "0",
  };
}

export function lightPod(name: string, { labels = {}, spec = {}, startSeconds = 0.5 }: PodOptions = {}): KubeObject {
  return {
    metadata: { name, labels, annotations: annotations(startSeconds) },
    spec: { containers: [{ name: "main", image: IMAGE, imagePullPolicy: "IfNotPresent" }], ...spec },
  };
}

/** Creates `count` pods `<prefix>-<n>`. */
export async function createPods(
  client: ApiClient,
  namespace: string,
  { count, prefix, ...options }: PodOptions & { readonly count: number; readonly prefix: string },
): Promise<void> {
  const names = Array.from({ length: count }, (_, index) => `${prefix}-${index + 1}`);
  await Promise.all(names.map((name) => client.create(podsPath(namespace), lightPod(name, options))));
}

export async function createWorkload(
  client: ApiClient,
  namespace: string,
  kind: "Deployment" | "DaemonSet",
  { name, replicas, ...options }: PodOptions & { readonly name: string; readonly replicas?: number },
): Promise<void> {
  const labels = { ...options.labels, app: name };
  const { metadata, spec } = lightPod(name, { ...options, labels });
  const template = { metadata: { labels, annotations: metadata?.annotations }, spec };
  const body = { selector: { matchLabels: { app: name } }, template, ...(replicas !== undefined && { replicas }) };
  const path = `/apis/apps/v1/namespaces/${namespace}/${kind.toLowerCase()}s`;
  await client.create(path, { apiVersion: "apps/v1", kind, metadata: { name }, spec: body });
}

export const podsPath = (namespace: string) => `/api/v1/namespaces/${namespace}/pods`;

export async function createNamespace(client: ApiClient, name: string): Promise<void> {
  await client.create("/api/v1/namespaces", { metadata: { name } });
}

/** The fields of a pod that tests use. */
export interface PodState {
  readonly name: string;
  readonly uid: string;
  readonly node: string | undefined;
  readonly ready: boolean;
  readonly gates: readonly string[];
  readonly annotations: Readonly<Record<string, string>>;
  readonly phase: string;
  readonly raw: KubeObject;
}

interface RawPod {
  readonly spec: { readonly nodeName?: string; readonly schedulingGates?: readonly { readonly name: string }[] };
  readonly status: {
    readonly phase: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

export function podState(raw: KubeObject): PodState {
  const { spec, status } = raw as unknown as RawPod;
  return {
    name: raw.metadata?.name ?? "",
    uid: raw.metadata?.uid ?? "",
    node: spec.nodeName,
    ready: status.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") ?? false,
    gates: (spec.schedulingGates ?? []).map(({ name }) => name),
    annotations: raw.metadata?.annotations ?? {},
    phase: status.phase,
    raw,
  };
}

export async function listPods(client: ApiClient, namespace: string): Promise<PodState[]> {
  return (await client.list(podsPath(namespace))).items.map(podState);
}

/** Resolves with the pods of the namespace when there are `count` and all are Ready. */
export function allReady(client: ApiClient, namespace: string, count: number) {
  return eventually(`${count} pods of ${namespace} are Ready`, async () => {
    const pods = await listPods(client, namespace);
    return pods.length === count && pods.every(({ ready }) => ready) ? pods : undefined;
  });
}

/** The taints of a node, as `key=value:effect`. */
export async function taintsOf(client: ApiClient, node: string): Promise<string[]> {
  const { spec } = await client.get(`/api/v1/nodes/${node}`);
  const { taints = [] } = spec as { taints?: { key: string; value?: string; effect: string }[] };
  return taints.map(({ key, value = "", effect }) => `${key}=${value}:${effect}`);
}
