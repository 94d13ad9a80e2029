/** Objects in the API server's own shape, for tests. */
import type { KubeObject } from "../../src/kube/parse/kube-json.ts";

/** A bound, running pod of a ReplicaSet as Kubernetes 1.36 returns it; `overrides` replace top-level parts of it. */
export function rawPod(
  overrides: { metadata?: object; spec?: object; status?: object } = {},
): KubeObject & { metadata: object; spec: object; status: object } {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: "web-6d4b75cb6d-abcde",
      generateName: "web-6d4b75cb6d-",
      namespace: "shop",
      uid: "0c7f6d0a-6f6e-4a55-9f0b-2f4a4f1f0001",
      resourceVersion: "1234",
      creationTimestamp: "2026-01-01T00:00:00Z",
      labels: { app: "web", "pod-template-hash": "6d4b75cb6d" },
      ownerReferences: [
        { apiVersion: "apps/v1", kind: "ReplicaSet", name: "web-6d4b75cb6d", uid: "1", controller: true },
      ],
      ...overrides.metadata,
    },
    spec: {
      containers: [
        {
          name: "web",
          image: "nginx:1.27",
          resources: { requests: { cpu: "100m", memory: "128Mi" } },
          ports: [{ containerPort: 80, protocol: "TCP" }],
        },
      ],
      nodeName: "node-1",
      priority: 0,
      schedulerName: "default-scheduler",
      tolerations: [
        { key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 },
      ],
      ...overrides.spec,
    },
    status: {
      phase: "Running",
      conditions: [
        { type: "PodScheduled", status: "True", lastTransitionTime: "2026-01-01T00:00:01Z" },
        { type: "Ready", status: "True", lastTransitionTime: "2026-01-01T00:00:09Z" },
      ],
      containerStatuses: [
        {
          name: "web",
          started: true,
          ready: true,
          restartCount: 0,
          state: { running: { startedAt: "2026-01-01T00:00:08Z" } },
        },
      ],
      ...overrides.status,
    },
  };
}

/** A Ready node as Kubernetes 1.36 returns it. */
export function rawNode(
  overrides: { metadata?: object; spec?: object; status?: object } = {},
): KubeObject & { metadata: object; spec: object; status: object } {
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name: "node-1",
      uid: "n-1",
      resourceVersion: "99",
      creationTimestamp: "2026-01-01T00:00:00Z",
      labels: { "kubernetes.io/hostname": "node-1" },
      ...overrides.metadata,
    },
    spec: { ...overrides.spec },
    status: {
      allocatable: { cpu: "1930m", memory: "7Gi", pods: "110", "ephemeral-storage": "18242267924" },
      conditions: [{ type: "Ready", status: "True", lastTransitionTime: "2026-01-01T00:00:20Z" }],
      addresses: [
        { type: "InternalIP", address: "10.0.0.7" },
        { type: "Hostname", address: "node-1" },
      ],
      images: [{ names: ["docker.io/library/nginx@sha256:00", "docker.io/library/nginx:1.27"], sizeBytes: 71_000_000 }],
      ...overrides.status,
    },
  };
}
