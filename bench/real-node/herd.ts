/**
 * The herd: 40 pods of 20 images, created while there is no node for them; and the fixed batches that some rounds use.
 */
import type { ApiClient } from "../../src/kube/client/api-client.ts";
import type { Observer } from "../../dev/demo/observer.ts";
import { imageName, PODS, IMAGES, type Setting } from "./settings.ts";
import type { BuiltImages } from "./images.ts";
import { NODE_NAME } from "./host.ts";

export const NAMESPACE = "herd";
const GATE = "bench.paceline.dev/fixed";
const podsPath = `/api/v1/namespaces/${NAMESPACE}/pods`;

/** Pod `index`, in the order of creation: every image once, then every image once more. */
const podName = (index: number) => `herd-${String(index).padStart(2, "0")}`;

export async function createHerd(client: ApiClient, setting: Setting, gated: boolean): Promise<void> {
  await client.create("/api/v1/namespaces", { metadata: { name: NAMESPACE } });
  for (let index = 0; index < PODS; index += 1) await client.create(podsPath, pod(setting, index, gated));
}

function pod(setting: Setting, index: number, gated: boolean): object {
  const container = {
    name: "main",
    image: imageName(setting.name, index % IMAGES),
    imagePullPolicy: "IfNotPresent",
    resources: { requests: { cpu: "10m", memory: "16Mi" } },
  };
  return {
    metadata: { name: podName(index), labels: { app: `app-${String(index % IMAGES)}` } },
    spec: {
      containers: [container],
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: 1,
      ...(gated && { schedulingGates: [{ name: GATE }] }),
    },
  };
}

/**
 * The cluster's other node: full, and with all images, as in a cluster that runs these programs already. Paceline
 * learns the sizes of images from its image list.
 */
export async function createOldNode(client: ApiClient, setting: Setting, { sizes }: BuiltImages): Promise<void> {
  const name = "old-1";
  await client.create("/api/v1/nodes", { metadata: { name }, spec: { unschedulable: true } });
  const images = sizes.map((sizeBytes, index) => ({ names: [imageName(setting.name, index)], sizeBytes }));
  const resources = { cpu: "2", memory: "8Gi", pods: "0" };
  const at = new Date().toISOString();
  const ready = {
    type: "Ready",
    status: "True",
    reason: "KubeletReady",
    lastHeartbeatTime: at,
    lastTransitionTime: at,
  };
  const status = { capacity: resources, allocatable: resources, conditions: [ready], images };
  await client.patch(`/api/v1/nodes/${name}/status`, { status }, "merge");
}

/** True when the node's object says Ready. */
export async function nodeIsReady(client: ApiClient): Promise<boolean> {
  const answer = await client.raw("GET", `/api/v1/nodes/${NODE_NAME}`);
  if (answer.status !== 200) return false;
  const { status } = JSON.parse(answer.text) as { status?: { conditions?: { type: string; status: string }[] } };
  return status?.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True") ?? false;
}

/** Takes the gate off the oldest pods so that at most `size` are in startup; returns when all are released. */
export async function releaseInBatches(
  client: ApiClient,
  observer: Observer,
  size: number,
  signal: AbortSignal,
): Promise<void> {
  for (let next = 0; next < PODS && !signal.aborted;) {
    const started = [...observer.pods.values()].filter(({ startedAtMs }) => startedAtMs !== undefined).length;
    if (next - started < size) {
      const patch = [{ op: "remove", path: "/spec/schedulingGates" }];
      await client.patch(`${podsPath}/${podName(next)}`, patch, "json");
      next += 1;
    } else {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
