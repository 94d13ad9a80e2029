/** A small recording: the audit log of a node that joins and of pods that come to it, as an API server writes it. */

export const START_MS = Date.UTC(2026, 10, 24, 8);
export const NODE = "ip-10-0-1-7.ec2.internal";

const time = (ms: number) => new Date(START_MS + ms).toISOString();
const seconds = (ms: number) => time(ms).replace(/\.\d+Z/, "Z");

interface Request {
  readonly verb: string;
  readonly resource: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly subresource?: string;
  readonly user?: string;
  readonly request?: object;
  readonly response?: object;
}

let id = 0;

/** One line; `ms` since {@link START_MS}. */
export function line(ms: number, one: Request): string {
  const { verb, resource, namespace, name, subresource, user = "system:serviceaccount:x:y", request, response } = one;
  const path = [namespace === undefined ? "" : `/namespaces/${namespace}`, `/${resource}`];
  const rest = [name, subresource].filter((part) => part !== undefined).map((part) => `/${part}`);
  id += 1;
  return JSON.stringify({
    kind: "Event",
    apiVersion: "audit.k8s.io/v1",
    level: "RequestResponse",
    auditID: `id-${id}`,
    stage: "ResponseComplete",
    requestURI: `/api/v1${[...path, ...(verb === "create" && subresource === undefined ? [] : rest)].join("")}`,
    verb,
    user: { username: user },
    objectRef: { resource, namespace, name, subresource },
    responseStatus: { code: 200 },
    requestObject: request,
    responseObject: response,
    requestReceivedTimestamp: time(ms),
    stageTimestamp: time(ms),
  });
}

const nodeStatus = (ready: boolean, ms: number, images: readonly (readonly [string, number])[]) => ({
  capacity: { cpu: "4", memory: "16Gi", pods: "110" },
  allocatable: { cpu: "3920m", memory: "15Gi", pods: "58" },
  conditions: [{ type: "Ready", status: ready ? "True" : "False", lastTransitionTime: seconds(ms) }],
  images: images.map(([name, sizeBytes]) => ({ names: [name], sizeBytes })),
  nodeInfo: { containerRuntimeVersion: "containerd://2.1.5" },
});

/** The node joins at `createdMs` and is Ready at `readyMs`; its image list follows. */
export function nodeJoins(createdMs: number, readyMs: number, images: readonly (readonly [string, number])[] = []) {
  const metadata = { name: NODE, labels: { "node.kubernetes.io/instance-type": "m5.xlarge" } };
  const user = `system:node:${NODE}`;
  const create = {
    kind: "Node",
    apiVersion: "v1",
    metadata,
    status: nodeStatus(false, createdMs, [["registry/base:1", 500]]),
  };
  return [
    line(createdMs, { verb: "create", resource: "nodes", name: NODE, user, request: create }),
    ...[nodeStatus(true, readyMs, [["registry/base:1", 500]]), nodeStatus(true, readyMs, images)].map((status, at) =>
      line(readyMs + at * 10_000, {
        ...{ verb: "patch", resource: "nodes", name: NODE, subresource: "status", user },
        request: { status },
      }),
    ),
  ];
}

export interface Course {
  readonly name: string;
  readonly uid?: string;
  readonly image?: string;
  readonly createdMs: number;
  readonly boundMs: number;
  readonly runningMs: number;
  /** Its startup probe passes; as soon as it runs by default. */
  readonly startedMs?: number;
  readonly readyMs: number;
}

export function podObject({ name, uid = `uid-${name}`, image = "registry/app:1", createdMs }: Course): object {
  return {
    kind: "Pod",
    apiVersion: "v1",
    metadata: {
      name,
      uid,
      namespace: "shop",
      creationTimestamp: seconds(createdMs),
      labels: { "pod-template-hash": "abc" },
      ownerReferences: [{ kind: "ReplicaSet", name: "web-abc", controller: true }],
    },
    spec: {
      containers: [{ name: "main", image, resources: { requests: { cpu: "50m", memory: "40Mi" } } }],
      tolerations: [],
    },
    status: { phase: "Pending" },
  };
}

/** A pod from its creation to Ready. */
export function podStarts(course: Course): string[] {
  const { name, uid = `uid-${name}`, createdMs, boundMs, runningMs, startedMs = runningMs, readyMs } = course;
  const place = { resource: "pods", namespace: "shop", name } as const;
  const status = (ready: boolean, ms: number) => ({
    metadata: { uid },
    status: {
      conditions: [{ type: "Ready", status: ready ? "True" : "False", lastTransitionTime: seconds(ms) }],
      containerStatuses: [
        {
          name: "main",
          ready,
          started: ms >= startedMs,
          restartCount: 0,
          state: { running: { startedAt: seconds(runningMs) } },
        },
      ],
      startTime: seconds(boundMs),
    },
  });
  const patch = (ms: number, ready: boolean) =>
    line(ms, {
      ...{ verb: "patch", subresource: "status", user: `system:node:${NODE}`, ...place },
      request: status(ready, ms),
    });
  return [
    line(createdMs, { verb: "create", resource: "pods", namespace: "shop", response: podObject(course) }),
    line(boundMs, {
      ...{ verb: "create", subresource: "binding", ...place },
      request: { kind: "Binding", metadata: { name }, target: { kind: "Node", name: NODE } },
    }),
    patch(runningMs, false),
    ...(startedMs > runningMs ? [patch(startedMs, false)] : []),
    patch(readyMs, true),
    patch(readyMs + 60_000, true),
  ];
}
