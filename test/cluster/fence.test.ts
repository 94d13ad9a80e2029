/**
 * The fence under an unmodified kube-scheduler: pods that were pending before the nodes existed. The assertions use the
 * API server's audit log and an independent watch. fence-herd.test.ts tests killed leaders, caps and placement.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ControlPlane, startControlPlane } from "../../dev/control-plane/control-plane.ts";
import { observe, type Observer } from "../../dev/demo/observer.ts";
import { installAccess, installWebhooks } from "../../dev/install.ts";
import { type RunningService, startServiceProcess } from "../../dev/service.ts";
import { FENCE_TAINT_KEY, GATE } from "../../src/api/names.ts";
import type { ApiClient } from "../../src/kube/client/api-client.ts";
import { startModelledNodes } from "../../dev/modelled-node/modelled-node.ts";
import { readStarts } from "../support/start-witness.ts";
import { eventually, untilFenced } from "../support/control-plane.ts";
import {
  allReady,
  createNamespace,
  createPods,
  createWorkload,
  fixedPolicy,
  IMAGE,
  lightNode,
  lightPod,
  listPods,
  podsPath,
  podState,
  taintsOf,
} from "../support/herd.ts";

const LIMIT = 4;
const HERD = 60;

let plane: ControlPlane;
let client: ApiClient;
let service: RunningService;

beforeAll(async () => {
  plane = await startControlPlane();
  ({ client } = plane);
  await installAccess(client, fixedPolicy(LIMIT));
  await startPaceline();
});
afterAll(() => plane.stop());

/** Also works after a leader was killed, when the Lease must expire first. */
async function startPaceline(): Promise<void> {
  service = await startServiceProcess(plane);
  const leads = async () => /^paceline_leader 1$/m.test((await service.get("/metrics")).text);
  await eventually("the service leads", leads);
  await installWebhooks(client, { url: service.url, caBundle: plane.caCert });
  await untilFenced(client);
}

const fenceOf = async (node: string) =>
  (await taintsOf(client, node)).filter((text) => text.startsWith(FENCE_TAINT_KEY));
const ourFence = (node: string) => [`${FENCE_TAINT_KEY}=${node}:NoSchedule`];
const fenceIsLifted = (node: string) =>
  eventually(`the fence of ${node} is lifted`, async () => (await fenceOf(node)).length === 0);

/** Creates pods that fit no node yet, and waits until the scheduler has said so. */
async function pendingHerd(namespace: string, count: number): Promise<void> {
  await createNamespace(client, namespace);
  await createPods(client, namespace, { count, prefix: "herd", spec: { nodeSelector: { herd: namespace } } });
  await eventually("the scheduler has tried them all", async () => {
    const pods = await listPods(client, namespace);
    return pods.every(({ raw }) => JSON.stringify(raw["status"]).includes('"Unschedulable"'));
  });
}

const joinNodes = (namespace: string, names: readonly string[]) =>
  startModelledNodes(
    names.map((name) => ({
      client,
      name,
      labels: { herd: namespace },
      cores: 32,
      presentImages: [IMAGE],
      joinSeconds: 1,
    })),
  );

async function expectPaced(namespace: string, nodes: readonly string[], pods: number, seen: Observer): Promise<void> {
  const audit = await readStarts(plane.auditLogPath, [namespace]);
  expect(audit.spans).toHaveLength(pods);
  expect(audit.spans.filter(({ endedAt }) => endedAt === undefined)).toEqual([]);
  for (const node of nodes) expect(audit.peak(node), `most in startup on ${node}`).toBeLessThanOrEqual(LIMIT);
  expect(Math.max(...nodes.map(audit.peak))).toBe(LIMIT);
  expect(seen.peakInStartup()).toBeLessThanOrEqual(LIMIT);
  expect(audit.startErrors).toEqual([]);
  expect(audit.removals).toEqual([]);
}

test("60 pods pending, then 2 nodes join: pods in startup never exceed the limit on either, and all run", async () => {
  await pendingHerd("herd", HERD);
  const seen = observe(client, "herd");
  const names = ["herd-a", "herd-b"];
  await using nodes = await joinNodes("herd", names);
  expect(await fenceOf("herd-a")).toEqual(ourFence("herd-a"));
  await allReady(client, "herd", HERD);
  seen.stop();
  await expectPaced("herd", names, HERD, seen);
  for (const { name } of nodes.nodes) await fenceIsLifted(name);
  await nodes.stop({ deregister: true });
});

test("exempt pods pass the fence although every slot is used", async () => {
  await createNamespace(client, "exempt");
  const spec = { nodeSelector: { herd: "exempt" } };
  await createPods(client, "exempt", { count: LIMIT + 2, prefix: "slow", startSeconds: 3_600, spec });
  await client.create(podsPath("kube-system"), lightPod("dns", { spec }));
  const critical = { ...spec, priorityClassName: "system-cluster-critical" };
  await client.create(podsPath("exempt"), lightPod("critical", { spec: critical }));
  await using node = await lightNode(plane, "walled", { labels: { herd: "exempt" }, joinSeconds: 1 });
  await eventually("the slow ones hold every slot", async () => {
    const pods = await listPods(client, "exempt");
    return pods.filter(({ name, node: bound }) => name.startsWith("slow") && bound !== undefined).length === LIMIT;
  });
  for (const path of [`${podsPath("kube-system")}/dns`, `${podsPath("exempt")}/critical`]) {
    await eventually(`${path} is Ready`, async () => podState(await client.get(path)).ready);
  }
  expect(await fenceOf(node.name)).toEqual(ourFence(node.name));
  const slow = (await listPods(client, "exempt")).filter(({ name }) => name.startsWith("slow"));
  expect(slow.filter(({ node: bound }) => bound !== undefined)).toHaveLength(LIMIT);
  await node.stop({ deregister: true });
});

test("a DaemonSet that does not tolerate the fence starts, gated, while the fence is still to come down", async () => {
  await pendingHerd("mixed", 8);
  const seen = observe(client, "mixed");
  const spec = { nodeSelector: { herd: "mixed" } };
  const daemons = ["one", "two", "three", "four", "five", "six"];
  await Promise.all(daemons.map((name) => createWorkload(client, "mixed", "DaemonSet", { name, spec })));
  const labels = { herd: "mixed" };
  await using node = await lightNode(plane, "strict", { labels, joinSeconds: 1 });
  expect(await fenceOf(node.name)).toEqual(ourFence(node.name));
  const gated = await eventually("a DaemonSet's pod waits at the gate", async () =>
    (await listPods(client, "mixed")).find(({ gates }) => gates.includes(GATE)),
  );
  expect(daemons.some((name) => gated.name.startsWith(`${name}-`))).toBe(true);
  expect(await fenceOf(node.name)).toHaveLength(1); // it has its roll call, or has had it
  await allReady(client, "mixed", 8 + daemons.length);
  seen.stop();
  await expectPaced("mixed", [node.name], 8 + daemons.length, seen);
  await node.stop({ deregister: true });
});

test("a node that registers while Paceline is down gets no fence, and nothing breaks when Paceline returns", async () => {
  await pendingHerd("down", 12);
  await service.stop();
  await using nodes = await joinNodes("down", ["open"]);
  expect(await fenceOf("open")).toEqual([]);
  await nodes.ready;
  await eventually("the herd is bound", async () =>
    (await listPods(client, "down")).every(({ node }) => node === "open"),
  );
  await startPaceline();
  await createPods(client, "down", { count: 8, prefix: "late", spec: { nodeSelector: { herd: "down" } } });
  await allReady(client, "down", 20);
  expect(await fenceOf("open")).toEqual([]);
  await nodes.stop({ deregister: true });
});
