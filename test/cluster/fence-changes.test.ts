/**
 * Fences while things around them change: edits by hand, reused names, modes, startup taints of others, and no replica
 * but `paceline release`. Nodes without a kubelet never become Ready, so their fences stay until something changes.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { applyPolicy, installAccess, installWebhooks } from "../../dev/install.ts";
import { type ControlPlane, startControlPlane } from "../../dev/control-plane/control-plane.ts";
import { MAIN, type RunningService, startServiceProcess } from "../../dev/service.ts";
import { FENCE_TAINT_KEY, FENCED_AT_ANNOTATION } from "../../src/api/names.ts";
import { readStarts } from "../support/start-witness.ts";
import { eventually, untilFenced } from "../support/control-plane.ts";
import {
  allReady,
  createNamespace,
  createPods,
  createWorkload,
  fixedPolicy,
  lightNode,
  taintsOf,
} from "../support/herd.ts";

const LIMIT = 2;

let plane: ControlPlane;
let service: RunningService;

beforeAll(async () => {
  plane = await startControlPlane();
  await installAccess(plane.client, fixedPolicy(LIMIT));
  service = await startServiceProcess(plane);
  await eventually("the service leads", () => metricIs("paceline_leader", 1));
  await installWebhooks(plane.client, { url: service.url, caBundle: plane.caCert });
  await untilFenced(plane.client);
});
afterAll(() => plane.stop());

const metricIs = async (name: string, value: number) =>
  (await service.get("/metrics")).text.split("\n").includes(`${name} ${value}`);

const nodePath = (name: string) => `/api/v1/nodes/${name}`;
const createNode = (name: string) => plane.client.create("/api/v1/nodes", { metadata: { name } });
const fenceOf = async (name: string) =>
  (await taintsOf(plane.client, name)).filter((taint) => taint.startsWith(FENCE_TAINT_KEY));
const ourFence = (name: string) => [`${FENCE_TAINT_KEY}=${name}:NoSchedule`];
const fenceGoes = (name: string) =>
  eventually(`the fence of ${name} goes`, async () => (await fenceOf(name)).length === 0);

test("a node that registers again under its old name is a new node: it gets a fence again", async () => {
  const first = await createNode("again");
  expect(await fenceOf("again")).toEqual(ourFence("again"));
  const lifted = { metadata: { annotations: { [FENCED_AT_ANNOTATION]: null } }, spec: { taints: [] } };
  await plane.client.patch(nodePath("again"), lifted, "merge");
  expect(await fenceOf("again")).toEqual([]); // lifted by hand: it is not put up again
  await plane.client.remove(nodePath("again"));
  const second = await createNode("again");
  expect(second.metadata?.uid).not.toBe(first.metadata?.uid);
  expect(await fenceOf("again")).toEqual(ourFence("again"));
  await plane.client.remove(nodePath("again"));
});

test("observe: existing fences are lifted, no fence is put up, and those that would be are counted", async () => {
  await createNode("standing");
  expect(await fenceOf("standing")).toEqual(ourFence("standing"));
  await applyPolicy(plane.client, fixedPolicy(LIMIT, { mode: "observe" }));
  await fenceGoes("standing");
  await createNode("observed");
  expect(await fenceOf("observed")).toEqual([]);
  await eventually("it is counted", () => metricIs("paceline_observed_fences_total", 1));
  await applyPolicy(plane.client, fixedPolicy(LIMIT));
  await eventually("enforce is in force", async () => (await service.get("/status.json")).text.includes('"enforce"'));
  for (const name of ["standing", "observed"]) await plane.client.remove(nodePath(name));
});

test("a herd before a node whose kubelet brought the startup taint is paced; tolerant DaemonSet pods start first", async () => {
  const herd = "taken-over";
  await createNamespace(plane.client, herd);
  const spec = { nodeSelector: { herd } };
  await createPods(plane.client, herd, { count: 10, prefix: "herd", spec });
  // docs/autoscalers.md requires this of DaemonSets that shall start first.
  const tolerations = [FENCE_TAINT_KEY, "node.kubernetes.io/not-ready"].map((key) => ({
    key,
    operator: "Exists",
    effect: "NoSchedule",
  }));
  await createWorkload(plane.client, herd, "DaemonSet", { name: "agent", spec: { ...spec, tolerations } });
  // Longer than a reservation lasts (15 s). Pods that were released before the node takes pods would otherwise come all
  // at once.
  const taints = [{ key: FENCE_TAINT_KEY, effect: "NoSchedule" }];
  await using node = await lightNode(plane, "adopted", { labels: { herd }, taints, joinSeconds: 18 });
  await eventually(
    "the leader adopts it",
    async () => (await fenceOf(node.name)).join() === ourFence(node.name).join(),
  );
  await allReady(plane.client, herd, 11);
  const { spans, peak } = await readStarts(plane.auditLogPath, [herd]);
  expect(peak(node.name)).toBe(LIMIT);
  const order = spans.toSorted((a, b) => (a.boundAt < b.boundAt ? -1 : 1)).map(({ pod }) => pod);
  expect(order[0]).toMatch(/\/agent-/);
  await fenceGoes(node.name);
  await node.stop({ deregister: true });
});

test("`paceline release --all` lifts every fence while no replica lives", async () => {
  for (const name of ["left-1", "left-2"]) await createNode(name);
  await service.stop();
  for (const name of ["left-1", "left-2"]) expect(await fenceOf(name)).toEqual(ourFence(name));
  const command = [MAIN, "release", "--all", "--json", "--kubeconfig", plane.kubeconfigPath];
  const { stdout } = await promisify(execFile)(process.execPath, command);
  expect(JSON.parse(stdout)).toMatchObject({ fences: 2, failed: 0 });
  for (const name of ["left-1", "left-2"]) {
    const { metadata } = await plane.client.get(nodePath(name));
    expect(metadata?.annotations ?? {}).not.toHaveProperty(FENCED_AT_ANNOTATION);
    expect(await fenceOf(name)).toEqual([]);
  }
});
