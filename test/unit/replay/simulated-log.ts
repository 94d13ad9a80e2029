/** The audit log and the nodes of a herd that the simulator ran: a recording whose truth is known. */
import type { Scenario } from "../../../src/simulate/scenario/schema.ts";
import { scenarioFrom } from "../../../src/simulate/scenario/parse.ts";
import { runStrategy } from "../../../src/simulate/engine/run.ts";
import { line, START_MS } from "../recording/audit.ts";

const MIB = 1_048_576;
const READY_SECONDS = 1;

/** Ten images, three young nodes that join two seconds apart, a DaemonSet, and pods that wait for them. */
export const file = {
  nodes: [0, 2, 4].map((joinSeconds) => ({ class: "m5.xlarge", joinSeconds, pods: 16 })),
  images: Array.from({ length: 10 }, (_, at) => ({ name: `registry.corp/secret-${at}:1`, mib: 60 + 40 * at })),
  workloads: [
    ...Array.from({ length: 9 }, (_, at) => ({
      name: `payroll-${at}`,
      replicas: 4,
      images: [`registry.corp/secret-${at}:1`],
      createdSeconds: -20,
      cpuMillis: 100,
      readySeconds: READY_SECONDS,
    })),
    {
      name: "agent",
      kind: "DaemonSet",
      images: ["registry.corp/secret-9:1"],
      toleratesEverything: true,
      readySeconds: 1,
    },
  ],
};

export function scenario(value: object = file): Scenario {
  const parsed = scenarioFrom(value);
  if (!parsed.ok) throw new Error(parsed.errors[0]?.message);
  return parsed.scenario;
}

const iso = (seconds: number) => new Date(START_MS + seconds * 1_000).toISOString();
const whole = (seconds: number) => iso(seconds).replace(/\.\d+Z/, "Z");

export interface Recorded {
  /** Lines of the audit log. */
  readonly log: readonly string[];
  /** `kubectl get nodes -o json`. */
  readonly nodes: string;
  readonly pods: number;
  readonly allReadySeconds: number;
}

/** @param slower how many times as long everything took as the model says: a recording that misleads */
export function simulatedLog(slower = 1, value: object = file): Recorded {
  const herd = scenario(value);
  const { pods = [] } = runStrategy({ scenario: herd, strategy: { kind: "none" }, seed: 7, podTimes: true });
  const late = (seconds: number) => (seconds > 0 ? seconds * slower : seconds);
  const lines = herd.nodes.flatMap(({ joinSeconds }, at) => nodeLines(`young-${at}.corp`, joinSeconds));
  for (const [at, pod] of pods.entries()) {
    const workload = herd.workloads[pod.workload];
    const readySeconds = late(pod.readySeconds ?? 0);
    lines.push(...podLines(`payroll-pod-${at}`, workload, `young-${pod.node ?? 0}.corp`, { ...pod, readySeconds }));
  }
  return {
    log: lines.sort((a, b) => (timeIn(a) < timeIn(b) ? -1 : 1)),
    nodes: JSON.stringify({
      apiVersion: "v1",
      kind: "NodeList",
      items: herd.nodes.map((_, at) => nodeObject(at, herd)),
    }),
    pods: pods.length,
    allReadySeconds: Math.max(...pods.map(({ readySeconds = 0 }) => late(readySeconds))),
  };
}

const timeIn = (text: string) => /"requestReceivedTimestamp":"([^"]+)"/.exec(text)?.[1] ?? "";

const labels = { "node.kubernetes.io/instance-type": "m5.xlarge" };
const resources = { cpu: "4", memory: "16Gi", pods: "16" };

function nodeLines(name: string, joinSeconds: number): string[] {
  const user = `system:node:${name}`;
  const at = (seconds: number) => seconds * 1_000;
  const status = (ready: string, since: number) => ({
    ...{ capacity: resources, allocatable: resources, images: [] },
    conditions: [{ type: "Ready", status: ready, lastTransitionTime: whole(since) }],
  });
  const create = { kind: "Node", metadata: { name, labels }, status: status("False", joinSeconds - 2) };
  return [
    line(at(joinSeconds - 2), { verb: "create", resource: "nodes", name, user, request: create }),
    line(at(joinSeconds), {
      ...{ verb: "patch", resource: "nodes", name, subresource: "status", user },
      request: { status: status("True", joinSeconds) },
    }),
  ];
}

function nodeObject(at: number, { images }: Scenario): object {
  const listed = images.map(({ name, mib, compressedRatio }) => ({
    names: [name],
    sizeBytes: Math.round(mib * MIB * compressedRatio),
  }));
  return {
    ...{ kind: "Node", apiVersion: "v1", metadata: { name: `young-${at}.corp`, labels } },
    status: { capacity: resources, allocatable: resources, images: listed },
  };
}

interface Times {
  readonly createdSeconds: number;
  readonly boundSeconds: number | undefined;
  readonly readySeconds: number;
}

function podLines(name: string, workload: Scenario["workloads"][number] | undefined, node: string, times: Times) {
  const { createdSeconds, boundSeconds = 0, readySeconds } = times;
  const isDaemon = workload?.kind === "DaemonSet";
  const place = { resource: "pods", namespace: "finance", name } as const;
  const owner = { kind: isDaemon ? "DaemonSet" : "StatefulSet", name: workload?.name ?? "", controller: true };
  const metadata = { name, namespace: "finance", uid: `uid-${name}`, ownerReferences: [owner] };
  const containers = [{ name: "main", image: workload?.images[0], resources: { requests: { cpu: "100m" } } }];
  const tolerations = isDaemon ? [{ operator: "Exists" }] : [];
  const object = { kind: "Pod", apiVersion: "v1", metadata, spec: { containers, tolerations }, status: {} };
  const runningSeconds = readySeconds - READY_SECONDS;
  const status = (seconds: number, ready: string) => ({
    metadata: { uid: `uid-${name}` },
    status: {
      conditions: [{ type: "Ready", status: ready, lastTransitionTime: whole(seconds) }],
      containerStatuses: [{ name: "main", restartCount: 0, state: { running: { startedAt: whole(runningSeconds) } } }],
    },
  });
  const patch = (seconds: number, ready: string) =>
    line(Math.round(seconds * 1_000), {
      ...{ verb: "patch", subresource: "status", user: `system:node:${node}`, ...place },
      request: status(seconds, ready),
    });
  return [
    line(Math.round(createdSeconds * 1_000), { verb: "create", ...place, request: object, response: object }),
    line(Math.round(boundSeconds * 1_000), {
      ...{ verb: "create", subresource: "binding", ...place },
      request: { kind: "Binding", metadata: { name }, target: { kind: "Node", name: node } },
    }),
    patch(runningSeconds, "False"),
    patch(readySeconds, "True"),
  ];
}
