import { spawn } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ControlPlane } from "../../dev/control-plane/control-plane.ts";
import { startControlPlane } from "../../dev/control-plane/control-plane.ts";
import { podFacts } from "../../src/kube/parse/facts.ts";
import type { KubeObject } from "../../src/kube/parse/kube-json.ts";
import { createShapeInterner } from "../../src/kube/parse/shape-interner.ts";
import { defaultPolicy } from "../../src/policy/parse.ts";
import { nodeExporterSource } from "../../src/telemetry/node-exporter.ts";
import { MIB } from "../../src/simulate/model/constants.ts";
import { CREATE_CANCELED, STATE_TIMED_OUT } from "../../src/simulate/model/messages.ts";
import type { ModelledNode, ModelledNodeOptions } from "../../dev/modelled-node/modelled-node.ts";
import { startModelledNode, startModelledNodes } from "../../dev/modelled-node/modelled-node.ts";
import { eventually, podNamed } from "../support/control-plane.ts";

const pods = "/api/v1/namespaces/default/pods";
let controlPlane: ControlPlane;

beforeAll(async () => {
  controlPlane = await startControlPlane();
});
afterAll(() => controlPlane.stop());

interface PodStatus {
  readonly phase: string;
  readonly podIP?: string;
  readonly conditions: readonly { readonly type: string; readonly status: string; readonly reason?: string }[];
  readonly containerStatuses?: readonly {
    readonly started: boolean;
    readonly ready: boolean;
    readonly restartCount: number;
    readonly imageID: string;
    readonly state: Readonly<Record<string, unknown>>;
    readonly lastState: { readonly terminated?: Readonly<Record<string, unknown>> };
  }[];
}

const statusOf = (pod: KubeObject) => pod["status"] as PodStatus;
const conditionOf = (pod: KubeObject, type: string) =>
  statusOf(pod).conditions.find((condition) => condition.type === type)?.status;

/** A node that runs eight times as fast as real time. */
const start = (name: string, options: Partial<ModelledNodeOptions> = {}): Promise<ModelledNode> =>
  startModelledNode({ client: controlPlane.client, name, speed: 8, ...options });

/** A pod that only the named node can run. The scheduler places it there. */
const podFor = (node: string, name: string, image = "example.com/app:1") =>
  podNamed(name, {
    nodeSelector: { "kubernetes.io/hostname": node },
    containers: [{ name: "main", image }],
  });

const podWhen = (name: string, holds: (pod: KubeObject) => boolean) =>
  eventually(`pod ${name}`, async () => {
    const pod = await controlPlane.client.get(`${pods}/${name}`);
    return holds(pod) ? pod : undefined;
  });

test("it joins after joinSeconds, is Ready and schedulable, and renews its Lease", async () => {
  await using node = await start("joins", { joinSeconds: 8, labels: { team: "blue" }, speed: 4 });
  const before = await controlPlane.client.get("/api/v1/nodes/joins");
  expect(before["spec"]).toMatchObject({ taints: [{ key: "node.kubernetes.io/not-ready", effect: "NoSchedule" }] });
  expect(before.metadata?.labels).toMatchObject({ team: "blue", "kubernetes.io/hostname": "joins" });
  await node.ready;
  const after = await controlPlane.client.get("/api/v1/nodes/joins");
  const status = after["status"] as { conditions: object[]; addresses: object[] };
  expect(status.conditions).toContainEqual(expect.objectContaining({ type: "Ready", status: "True" }));
  expect(status.addresses).toContainEqual({ type: "InternalIP", address: node.address });
  await eventually("the not-ready taint is gone", async () => {
    const now = await controlPlane.client.get("/api/v1/nodes/joins");
    return (now["spec"] as { taints?: unknown[] }).taints === undefined;
  });
  const lease = await controlPlane.client.get("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/joins");
  expect(lease["spec"]).toMatchObject({ holderIdentity: "joins", leaseDurationSeconds: 40 });
});

test("a pod bound to it becomes Ready as under a kubelet, and its image is reported", async () => {
  await using node = await start("runs", { images: [{ name: "example.com/app:1", mib: 100, layers: 2 }] });
  await controlPlane.client.create(pods, podFor("runs", "ready"));
  const pod = await podWhen("ready", (raw) => conditionOf(raw, "Ready") === "True");
  const status = statusOf(pod);
  expect(status).toMatchObject({ phase: "Running", hostIP: node.address });
  expect(status.podIP).toMatch(/^10\./);
  for (const type of ["PodScheduled", "PodReadyToStartContainers", "Initialized", "ContainersReady"]) {
    expect(conditionOf(pod, type)).toBe("True");
  }
  expect(status.containerStatuses?.[0]).toMatchObject({ started: true, ready: true, restartCount: 0 });
  expect(status.containerStatuses?.[0]?.imageID).toMatch(/^example\.com\/app@sha256:[0-9a-f]{64}$/);
  expect(status.containerStatuses?.[0]?.state).toHaveProperty("running.startedAt");
  const image = await eventually("the image in the node's status", async () => {
    const raw = await controlPlane.client.get("/api/v1/nodes/runs");
    const { images = [] } = raw["status"] as { images?: { names: string[]; sizeBytes: number }[] };
    return images[0];
  });
  expect(image).toMatchObject({ names: [expect.any(String), "example.com/app:1"], sizeBytes: 40 * MIB });
  const events = await controlPlane.client.list("/api/v1/namespaces/default/events", {
    fieldSelector: "involvedObject.name=ready,source=kubelet",
  });
  const reasons = events.items.map((event) => event["reason"]);
  expect(reasons.sort()).toEqual(["Created", "Pulled", "Pulling", "Started"]);
});

test("a pod with an init container and a startup probe goes through the states that a kubelet writes", async () => {
  await using _node = await start("waits");
  const pod = podFor("waits", "waiter");
  const annotations = {
    "model.paceline.dev/init-seconds": "8",
    "model.paceline.dev/startup-probe-seconds": "16",
  };
  const init = [{ name: "init", image: "example.com/tools:1" }];
  await controlPlane.client.create(pods, {
    ...pod,
    metadata: { ...pod.metadata, annotations },
    spec: { ...(pod["spec"] as object), initContainers: init },
  });
  const startup = (raw: KubeObject) => podFacts(raw, createShapeInterner()).startup;
  const kinds = (raw: KubeObject) => startup(raw)?.containers.map(({ state }) => state.kind);
  const inInit = await podWhen("waiter", (raw) => kinds(raw)?.[0] === "started");
  expect(startup(inInit)).toMatchObject({ sandboxReady: true });
  expect(startup(inInit)?.containers[1]?.state).toEqual({ kind: "waiting", reason: "PodInitializing" });
  expect(conditionOf(inInit, "Initialized")).toBe("False");
  const warmingUp = await podWhen("waiter", (raw) => kinds(raw)?.[1] === "running");
  expect(startup(warmingUp)?.containers[0]?.state).toMatchObject({ kind: "terminated", exitCode: 0 });
  expect(conditionOf(warmingUp, "Initialized")).toBe("True");
  const ready = await podWhen("waiter", (raw) => conditionOf(raw, "Ready") === "True");
  expect(podFacts(ready, createShapeInterner())).toMatchObject({ containersStarted: true, startup: undefined });
});

test("throttled writers cause a StartError exactly as containerd and the kubelet report it", async () => {
  await using node = await start("small", {
    memoryBytes: 100 * MIB,
    disk: { mibPerSecond: 4, iops: 3_000 },
    images: [{ name: "example.com/big:1", mib: 400, layers: 1, compressedRatio: 0.01 }],
    presentImages: ["example.com/here:1"],
    assumptions: { shimIoMib: 16, sandboxSyncOps: 1 },
  });
  await controlPlane.client.create(pods, podFor("small", "big", "example.com/big:1"));
  await eventually("the page cache is full", () => node.counters().memory.dirtyBytes > 15 * MIB);
  await controlPlane.client.create(pods, podFor("small", "victim", "example.com/here:1"));
  const failed = await podWhen(
    "victim",
    (raw) => statusOf(raw).containerStatuses?.[0]?.lastState.terminated !== undefined,
  );
  const terminated = statusOf(failed).containerStatuses?.[0]?.lastState.terminated;
  expect(terminated).toMatchObject({ reason: "StartError", exitCode: 128, startedAt: "1970-01-01T00:00:00Z" });
  expect([STATE_TIMED_OUT, CREATE_CANCELED]).toContain(terminated?.["message"]);
  expect(node.report().failures.StartError).toBeGreaterThan(0);
  const restarted = await podWhen("victim", (raw) => (statusOf(raw).containerStatuses?.[0]?.restartCount ?? 0) > 0);
  expect(statusOf(restarted).containerStatuses?.[0]?.lastState.terminated?.["reason"]).toBe("StartError");
});

test("a deleted pod goes away and frees its place on the node", async () => {
  await using node = await start("deletes");
  await controlPlane.client.create(pods, podFor("deletes", "going"));
  await podWhen("going", (raw) => conditionOf(raw, "Ready") === "True");
  await controlPlane.client.remove(`${pods}/going`);
  await eventually("the pod is gone", async () => {
    const answer = await controlPlane.client.raw("GET", `${pods}/going`);
    return answer.status === 404;
  });
  expect(node.report().peakUnready).toBe(1);
});

test("Paceline's own telemetry reads its node_exporter page", async () => {
  // In real time. At eight times the speed, a disk would be busy for eight seconds in each second, which Paceline
  // rejects.
  await using node = await start("scraped", { speed: 1 });
  const { telemetry } = defaultPolicy({ telemetry: { source: "node-exporter", intervalMs: 500, timeoutMs: 500 } });
  if (telemetry.source !== "node-exporter") throw new Error("not the source that was asked for");
  const port = Number(new URL(node.metricsUrl).port);
  const samples: object[] = [];
  const failures: unknown[] = [];
  const source = nodeExporterSource({
    // Longer than a policy allows, so that a busy machine does not cause a time-out.
    settings: { ...telemetry, port, timeoutMs: 15_000 },
    sink: {
      targets: () => [{ name: "scraped" as never, address: node.address, paced: true }],
      sample: (_, sample) => samples.push(sample),
      failure: (_, failure) => failures.push(failure),
    },
    now: () => Date.now(),
  });
  source.start();
  try {
    await eventually("a first sample", () => samples.length > 0);
    for (const index of [1, 2, 3, 4]) {
      await controlPlane.client.create(pods, podFor("scraped", `writes-${index}`, `example.com/written:${index}`));
    }
    const writes = () =>
      samples.some((sample) => ((sample as { writeBytesPerSecond?: number }).writeBytesPerSecond ?? 0) > MIB);
    await eventually("a sample with a write rate", writes);
  } finally {
    await source.stop();
  }
  expect(failures).toEqual([]);
  expect(samples.at(-1)).toMatchObject({ cores: 4, memoryBytes: 16 * 1_024 * MIB });
});

test("two nodes share one port, and stop leaves no socket and no renewal", async () => {
  const common = { client: controlPlane.client };
  const { nodes, ready, stop } = await startModelledNodes([
    { ...common, name: "twin-a" },
    { ...common, name: "twin-b" },
  ]);
  await ready;
  const [first, second] = nodes;
  expect(first?.address).not.toBe(second?.address);
  expect((await fetch(first?.metricsUrl ?? "")).status).toBe(200);
  await stop({ deregister: true });
  await expect(fetch(first?.metricsUrl ?? "")).rejects.toThrow("fetch failed");
  const left = await controlPlane.client.raw("GET", "/api/v1/nodes/twin-a");
  expect(left.status).toBe(404);
});

test("after the API server was away, the node reports what happened meanwhile, and new pods run", async () => {
  await using node = await start("outlives", {
    speed: 1,
    images: [{ name: "example.com/slow:1", mib: 200, layers: 1 }],
  });
  await node.ready;
  await controlPlane.client.create(pods, podFor("outlives", "before", "example.com/slow:1"));
  await eventually("the pull runs", () => node.report().peakUnready === 1);
  await controlPlane.killApiServer();
  await eventually("the pull is over", () => node.counters().disk.writtenBytes > 200 * MIB);
  await controlPlane.restartApiServer();
  await podWhen("before", (raw) => conditionOf(raw, "Ready") === "True");
  await controlPlane.client.create(pods, podFor("outlives", "after", "example.com/slow:1"));
  await podWhen("after", (raw) => conditionOf(raw, "Ready") === "True");
});

test("a process that stops its nodes and closes its client ends by itself", async () => {
  const script = new URL("./modelled-node-child.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, [script, controlPlane.kubeconfigPath], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const [code] = (await once(child, "exit")) as [number | null];
  expect(code).toBe(0);
});
