/** What is paced and what is not, on a real control plane: namespaces by label with every lever, and nodes left out. */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type ControlPlane, startControlPlane } from "../../dev/control-plane/control-plane.ts";
import { applyPolicy, installAccess, installWebhooks, type PolicyBody } from "../../dev/install.ts";
import { extenderOf, type RunningService, startServiceProcess } from "../../dev/service.ts";
import { FENCE_TAINT_KEY, GATE, PACING_LABEL } from "../../src/api/names.ts";
import type { ApiClient } from "../../src/kube/client/api-client.ts";
import type { StatusAnswer } from "../../src/server/answers.ts";
import { createBareNode, eventually, untilFenced } from "../support/control-plane.ts";
import {
  allReady,
  createNamespace,
  createPods,
  createWorkload,
  fixedPolicy,
  lightNode,
  listPods,
  taintsOf,
} from "../support/herd.ts";
import { readStarts } from "../support/start-witness.ts";

type Lever = "gate" | "fence" | "extender";
const LEVERS: readonly Lever[] = ["gate", "fence", "extender"];

const CANARY = { canary: "yes" };
/** Labels of the namespaces that are not paced, each for another reason. */
const UNPACED = {
  outside: {},
  data: { ...CANARY, tier: "data" },
  "opted-out": { ...CANARY, [PACING_LABEL]: "disabled" },
};
const PACED = "paced";
const EACH = 2;

let plane: ControlPlane;
let client: ApiClient;
let service: RunningService;

beforeAll(async () => {
  plane = await startControlPlane({ scheduler: false });
  ({ client } = plane);
  await installAccess(client, fixedPolicy(1));
  service = await startServiceProcess(plane);
  await plane.startScheduler(await extenderOf(plane, service));
  await eventually("the service leads", async () => /^paceline_leader 1$/m.test((await service.get("/metrics")).text));
  await installWebhooks(client, { url: service.url, caBundle: plane.caCert });
  await untilFenced(client);
  await createBareNode(client, "probe"); // young in every policy, and of no use to any pod here
  for (const [name, labels] of Object.entries({ ...UNPACED, [PACED]: CANARY })) {
    await client.create("/api/v1/namespaces", { metadata: { name, labels } });
  }
});
afterAll(() => plane.stop());
beforeEach(() => labelPaced({ [PACING_LABEL]: null }));

const labelPaced = (labels: Record<string, string | null>) =>
  client.patch(`/api/v1/namespaces/${PACED}`, { metadata: { labels } }, "merge");

const status = async () => JSON.parse((await service.get("/status.json")).text) as StatusAnswer;

/** Its class is named after what the test is about, so that the status shows when it is in force. */
async function use(name: string, policy: PolicyBody): Promise<void> {
  const [fixed] = fixedPolicy(1).nodeClasses ?? [];
  const nodeClasses = [...(policy.nodeClasses ?? []), { ...fixed, name }];
  await applyPolicy(client, { ...fixedPolicy(1), ...policy, nodeClasses });
  await eventually(`the policy for ${name} is in force`, async () =>
    (await status()).nodes.some((node) => node.name === "probe" && node.nodeClass === name),
  );
}

const selected = (lever: Lever): PolicyBody => ({
  namespaces: { selector: { matchLabels: CANARY } },
  exempt: { namespaceSelector: { matchLabels: { tier: "data" } } },
  gate: { enabled: lever === "gate" },
  fence: { enabled: lever === "fence" },
  extender: { enabled: lever === "extender" },
});

/** The lever's pods of a namespace. */
const podsOf = async (namespace: string, lever: Lever) =>
  (await listPods(client, namespace)).filter(({ name }) => name.startsWith(lever));

/** In each namespace as many; those of the paced one never end to start, so that the first of them keeps the slot. */
async function comeEverywhere(lever: Lever): Promise<void> {
  const pods = { count: EACH, prefix: lever, spec: { nodeSelector: { lever } } };
  await createPods(client, PACED, { ...pods, startSeconds: 3_600 });
  for (const namespace of Object.keys(UNPACED)) await createPods(client, namespace, pods);
}

test.each(LEVERS)("%s: paces the pods of the namespaces that the policy selects, and no others", async (lever) => {
  await use(lever, selected(lever));
  if (lever !== "gate") await comeEverywhere(lever); // pending before their node
  await using node = await lightNode(plane, `${lever}-node`, { labels: { lever }, joinSeconds: 1 });
  if (lever === "gate") {
    await eventually("the service knows the node", async () =>
      (await status()).nodes.some(({ name, state }) => name === node.name && state === "young"),
    );
    await comeEverywhere(lever);
  }
  for (const namespace of Object.keys(UNPACED)) {
    await eventually(`all pods of ${namespace} run`, async () => {
      const pods = await podsOf(namespace, lever);
      for (const { name, gates } of pods) expect(gates, `${namespace}/${name}`).toEqual([]);
      return pods.length === EACH && pods.every(({ ready }) => ready);
    });
  }
  const [held] = await eventually("one pod of the paced namespace has the slot, the others wait", async () => {
    const waiting = (await podsOf(PACED, lever)).filter(({ node: name }) => name === undefined);
    return waiting.length === EACH - 1 ? waiting : undefined;
  });
  expect(held?.gates).toEqual(lever === "gate" ? [GATE] : []);
  const fences = (await taintsOf(client, node.name)).filter((taint) => taint.startsWith(FENCE_TAINT_KEY));
  expect(fences).toHaveLength(lever === "fence" ? 1 : 0);
  const shown = (await status()).held.map(({ namespace, name }) => `${namespace}/${name}`);
  expect(shown).toEqual(lever === "extender" ? [] : [`${PACED}/${held?.name ?? ""}`]);

  await labelPaced({ [PACING_LABEL]: "disabled" });
  // kube-scheduler tries a pod again that an extender refused when something changes
  await client.remove(`/api/v1/namespaces/outside/pods/${lever}-1`, { gracePeriodSeconds: 0 });
  await eventually("a namespace that opts out lets what waits go at once", async () =>
    (await podsOf(PACED, lever)).every(({ node: name }) => name === node.name),
  );
  await node.stop({ deregister: true });
});

test("a node class that is left out: no lever touches its nodes, and what is bound for them does not wait", async () => {
  const pool = { pool: "edge" };
  const edge = { ...fixedPolicy(1).nodeClasses?.[0], name: "edge", selector: { matchLabels: pool }, paced: false };
  await use("left-out", { nodeClasses: [edge], extender: { enabled: true } });
  await createNamespace(client, "edge");
  const spec = { nodeSelector: pool };
  await createPods(client, "edge", { count: 4, prefix: "pending", startSeconds: 3, spec });
  await createWorkload(client, "edge", "DaemonSet", { name: "agent", startSeconds: 3, spec });
  await using node = await lightNode(plane, "edge-1", { labels: pool, joinSeconds: 1 });
  await createPods(client, "edge", { count: 4, prefix: "late", startSeconds: 3, spec });
  for (const { name, gates } of await listPods(client, "edge")) expect(gates, name).toEqual([]);
  await allReady(client, "edge", 9);
  const audit = await readStarts(plane.auditLogPath, ["edge"]);
  expect(audit.peak(node.name)).toBeGreaterThan(1);
  const { metadata } = await client.get(`/api/v1/nodes/${node.name}`);
  expect(JSON.stringify([metadata?.annotations, await taintsOf(client, node.name)])).not.toContain("paceline");
  const { nodes, leftOutNodes } = await status();
  expect(nodes.map(({ name }) => name)).not.toContain(node.name);
  expect(leftOutNodes).toBe(1);

  // Labels that a cloud or an administrator gives a node later: it is fenced at first.
  const bare = { metadata: { name: "edge-2" } };
  const created = await client.create("/api/v1/nodes", bare);
  expect(JSON.stringify(created["spec"])).toContain(FENCE_TAINT_KEY);
  await client.patch("/api/v1/nodes/edge-2", { metadata: { labels: pool } }, "merge");
  await eventually("its fence is lifted", async () => !(await taintsOf(client, "edge-2")).join().includes("paceline"));
  await node.stop({ deregister: true });
});

test("a virtual node joins without a fence, whatever the policy says of other nodes", async () => {
  await use("virtual", {});
  const labels = { type: "virtual-kubelet" };
  const created = await client.create("/api/v1/nodes", { metadata: { name: "aci", labels } }, { dryRun: "All" });
  expect(JSON.stringify(created["spec"] ?? {})).not.toContain(FENCE_TAINT_KEY);
});
