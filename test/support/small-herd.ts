/**
 * A herd that takes seconds: one modelled node, one DaemonSet, and Deployments whose pods are pending before the node
 * joins.
 */
import type { ApiClient } from "../../src/kube/client/api-client.ts";
import { recordOf, recordsOf, type KubeObject } from "../../src/kube/parse/kube-json.ts";
import { FENCE_TAINT_KEY, GATE } from "../../src/api/names.ts";
import { modelAnnotations } from "../../dev/modelled-node/pod-order.ts";
import { GIB } from "../../src/simulate/model/constants.ts";
import { startModelledNodes, type ModelledNodes } from "../../dev/modelled-node/modelled-node.ts";

const IMAGE_MIB = 60;
const IMAGES = Array.from({ length: 30 }, (_, index) => `registry.example/app-${index}:1`);

/** Deployments of one pod each, all images different, and a DaemonSet; in namespace default. */
export async function createHerd(client: ApiClient, name: string, pods: number): Promise<void> {
  const work = Array.from({ length: pods }, (_, index) =>
    client.create("/apis/apps/v1/namespaces/default/deployments", {
      metadata: { name: `${name}-${index}` },
      spec: { replicas: 1, ...podsOf(`${name}-${index}`, IMAGES[index % IMAGES.length] ?? "", []) },
    }),
  );
  const everywhere = client.create("/apis/apps/v1/namespaces/default/daemonsets", {
    metadata: { name: `${name}-agent` },
    spec: podsOf(`${name}-agent`, "registry.example/app-0:1", [{ operator: "Exists", effect: "NoSchedule" }]),
  });
  await Promise.all([...work, everywhere]);
}

function podsOf(app: string, image: string, tolerations: object[]) {
  const annotations = { [modelAnnotations.startCpuSeconds]: "0.2", [modelAnnotations.readySeconds]: "0.2" };
  const resources = { requests: { cpu: "20m", memory: "20Mi" } };
  const containers = [{ name: "main", image, imagePullPolicy: "IfNotPresent", resources }];
  return {
    selector: { matchLabels: { app } },
    template: { metadata: { labels: { app }, annotations }, spec: { containers, tolerations } },
  };
}

/** Modelled nodes that know the images. */
export function joinNodes(client: ApiClient, ...names: string[]): Promise<ModelledNodes> {
  return startModelledNodes(
    names.map((name, index) => ({
      client,
      name,
      seed: index,
      joinSeconds: 1,
      cores: 4,
      memoryBytes: 4 * GIB,
      images: IMAGES.map((image) => ({ name: image, mib: IMAGE_MIB, layers: 1 })),
      kubelet: { serializeImagePulls: false },
    })),
  );
}

/** Counts of Paceline's gates and fences in the cluster, and of pods. */
export interface HerdCounts {
  readonly gated: number;
  readonly fences: number;
  readonly running: number;
  readonly pods: number;
}

/** @param namespace of the pods; default all */
export async function countHerd(client: ApiClient, namespace?: string): Promise<HerdCounts> {
  const path = namespace === undefined ? "/api/v1/pods" : `/api/v1/namespaces/${namespace}/pods`;
  const [pods, nodes] = await Promise.all([client.list(path), client.list("/api/v1/nodes")]);
  const names = (raw: KubeObject, field: string, key: string) =>
    recordsOf(recordOf(raw["spec"])[field]).map((one) => one[key]);
  return {
    gated: pods.items.filter((pod) => names(pod, "schedulingGates", "name").includes(GATE)).length,
    fences: nodes.items.filter((node) => names(node, "taints", "key").includes(FENCE_TAINT_KEY)).length,
    running: pods.items.filter((pod) => recordOf(pod["status"])["phase"] === "Running").length,
    pods: pods.items.length,
  };
}
