/**
 * Nodes that open late, on a real control plane: a GPU that appears after its node is Ready, a startup taint that
 * outlasts youth, a node that joins cordoned, and one that is cordoned and uncordoned later. The limit is read from the
 * API server's audit log.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ControlPlane, startControlPlane } from "../../dev/control-plane/control-plane.ts";
import { installAccess, installWebhooks } from "../../dev/install.ts";
import { type RunningService, startServiceProcess } from "../../dev/service.ts";
import { FENCE_TAINT_KEY, OPENED_ANNOTATION } from "../../src/api/names.ts";
import type { ClusterStatus } from "../../src/core/verdict.ts";
import type { ApiClient } from "../../src/kube/client/api-client.ts";
import { recordOf, recordsOf } from "../../src/kube/parse/kube-json.ts";
import { eventually, untilFenced } from "../support/control-plane.ts";
import { allReady, createNamespace, createPods, fixedPolicy, lightNode, listPods, taintsOf } from "../support/herd.ts";
import { readStarts } from "../support/start-witness.ts";

const LIMIT = 2;
const HERD = 8;
const YOUNG_SECONDS = 20;
const GPU = "nvidia.com/gpu";
const AGENT = { key: "node.example/agent-not-ready", effect: "NoSchedule" };

let plane: ControlPlane;
let client: ApiClient;
let service: RunningService;

beforeAll(async () => {
  plane = await startControlPlane();
  ({ client } = plane);
  await installAccess(client, fixedPolicy(LIMIT, { youngForSeconds: YOUNG_SECONDS }));
  await startLeader("first");
  await untilFenced(client);
});
afterAll(() => plane.stop());

async function startLeader(name: string): Promise<void> {
  service = await startServiceProcess(plane, { name });
  const leads = async () => /^paceline_leader 1$/m.test((await service.get("/metrics")).text);
  await eventually(`${name} leads`, leads);
  await installWebhooks(client, { url: service.url, caBundle: plane.caCert });
}

const nodePath = (name: string) => `/api/v1/nodes/${name}`;
const isFenced = async (name: string) => (await taintsOf(client, name)).some((one) => one.startsWith(FENCE_TAINT_KEY));
const fenceIs = (name: string, up: boolean) =>
  eventually(`the fence of ${name} is ${up ? "up" : "down"}`, async () => (await isFenced(name)) === up);
const cordon = (name: string, unschedulable: boolean) =>
  client.patch(nodePath(name), { spec: { unschedulable } }, "merge");
const statusOf = async () => JSON.parse((await service.get("/status.json")).text) as ClusterStatus;
const isSettled = (name: string) =>
  eventually(`${name} is settled`, async () => !(await statusOf()).nodes.some((node) => node.name === name));

/** Pods that fit only the node of that name, and not yet. */
async function pendingHerd(name: string, requests: Readonly<Record<string, string>> = {}): Promise<void> {
  await createNamespace(client, name);
  const containers = [{ name: "main", image: "registry.example/app:1", resources: { requests, limits: requests } }];
  const spec = { nodeSelector: { herd: name }, ...(GPU in requests && { containers }) };
  await createPods(client, name, { count: HERD, prefix: "herd", spec });
  await eventually("the scheduler has tried them all", async () => {
    const pods = await listPods(client, name);
    return pods.every(({ raw }) => JSON.stringify(raw["status"]).includes('"Unschedulable"'));
  });
}

async function expectPaced(name: string): Promise<void> {
  await allReady(client, name, HERD);
  const { spans, peak } = await readStarts(plane.auditLogPath, [name]);
  expect(spans).toHaveLength(HERD);
  expect(peak(name), `most in startup on ${name}`).toBe(LIMIT);
}

async function removeTaint(name: string, key: string): Promise<void> {
  const { metadata, spec } = await client.get(nodePath(name));
  const taints = recordsOf(recordOf(spec)["taints"]).filter((taint) => taint["key"] !== key);
  await client.patch(
    nodePath(name),
    { metadata: { resourceVersion: metadata?.resourceVersion }, spec: { taints } },
    "merge",
  );
}

test("every late opening is paced, though the leader is killed in between and the next one has seen nothing", async () => {
  const join = (name: string, taints = [] as (typeof AGENT)[]) =>
    lightNode(plane, name, { labels: { herd: name }, joinSeconds: 1, taints });
  await Promise.all([pendingHerd("gpu", { [GPU]: "1" }), pendingHerd("tainted"), pendingHerd("joins-cordoned")]);
  await using gpu = await join("gpu");
  await using tainted = await join("tainted", [AGENT]);
  await using joinsCordoned = await join("joins-cordoned");
  await cordon("joins-cordoned", true);
  await using rebooted = await join("rebooted");
  await fenceIs("rebooted", false);
  for (const { name } of [gpu, tainted, joinsCordoned]) expect(await isFenced(name), name).toBe(true);

  const resources = { [GPU]: String(HERD) };
  await client.patch(
    `${nodePath("gpu")}/status`,
    { status: { capacity: resources, allocatable: resources } },
    "strategic",
  );
  await expectPaced("gpu");

  await isSettled("rebooted");
  await cordon("rebooted", true);
  await pendingHerd("rebooted");
  await fenceIs("rebooted", true);
  for (const { name } of [tainted, joinsCordoned]) expect(await isFenced(name), name).toBe(true);
  await eventually("the leader has noted that they are closed", async () => {
    const nodes = await Promise.all([tainted, joinsCordoned, rebooted].map(({ name }) => client.get(nodePath(name))));
    return nodes.every(({ metadata }) => metadata?.annotations?.[OPENED_ANNOTATION]);
  });
  await service.process.kill();
  await startLeader("second");
  await removeTaint("tainted", AGENT.key);
  await cordon("joins-cordoned", false);
  await cordon("rebooted", false);
  for (const { name } of [tainted, joinsCordoned, rebooted]) await expectPaced(name);
  for (const { name } of [gpu, tainted, joinsCordoned, rebooted]) await fenceIs(name, false);
  await Promise.all([gpu, tainted, joinsCordoned, rebooted].map((node) => node.stop({ deregister: true })));
});

test("a flap of Ready makes no node young, and gates no pod", async () => {
  const setReady = (status: "True" | "False", atMs: number) => {
    const lastTransitionTime = new Date(atMs).toISOString();
    const conditions = [{ type: "Ready", status, lastTransitionTime, lastHeartbeatTime: lastTransitionTime }];
    const allocatable = { cpu: "4", memory: "8Gi", pods: "110" };
    const body = { status: { conditions, allocatable, capacity: allocatable, nodeInfo: { bootID: "one" } } };
    return client.patch(`${nodePath("flaps")}/status`, body, "strategic");
  };
  await createNamespace(client, "flaps");
  await client.create("/api/v1/nodes", { metadata: { name: "flaps", labels: { herd: "flaps" } } });
  await setReady("True", Date.now());
  await fenceIs("flaps", false);
  await isSettled("flaps");
  await setReady("False", Date.now());
  await eventually("the leader has noted its boot", async () => {
    const { metadata } = await client.get(nodePath("flaps"));
    return metadata?.annotations?.[OPENED_ANNOTATION]?.includes('"boot":"one"');
  });
  await setReady("True", Date.now());
  await eventually("the node takes pods again", async () =>
    (await taintsOf(client, "flaps")).every((taint) => !taint.includes("not-ready")),
  );
  expect((await statusOf()).nodes.map(({ name }) => name)).not.toContain("flaps");
  await createPods(client, "flaps", { count: 1, prefix: "free", spec: { nodeSelector: { herd: "flaps" } } });
  expect((await listPods(client, "flaps")).map(({ gates }) => gates)).toEqual([[]]);
  expect(await isFenced("flaps")).toBe(false);
});
