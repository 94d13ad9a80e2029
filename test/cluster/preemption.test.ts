/**
 * Promise 5 on the real kube-scheduler, for each lever alone: a settled node full of low-priority pods, a young one
 * with room whose slot is taken, and a pod of high priority. It waits; no running pod is evicted for it.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ControlPlane, startControlPlane } from "../../dev/control-plane/control-plane.ts";
import { applyPolicy, installAccess, installWebhooks } from "../../dev/install.ts";
import { startModelledNode } from "../../dev/modelled-node/modelled-node.ts";
import { extenderOf, type RunningService, startServiceProcess } from "../../dev/service.ts";
import { FENCE_TAINT_KEY, GATE } from "../../src/api/names.ts";
import type { ApiClient } from "../../src/kube/client/api-client.ts";
import type { StatusAnswer } from "../../src/server/answers.ts";
import { createBareNode, eventually } from "../support/control-plane.ts";
import { allReady, createNamespace, createPods, fixedPolicy, IMAGE, listPods, taintsOf } from "../support/herd.ts";
import { readStarts } from "../support/start-witness.ts";

type Lever = "gate" | "fence" | "extender";

/** Pods of one core each that fill the settled node. */
const FULL = 4;

let plane: ControlPlane;
let client: ApiClient;
let service: RunningService;

/** One slot a node. The class is called after the lever, so that the status tells when the policy is in force. */
function policyFor(lever: Lever | "none") {
  const [nodeClass] = fixedPolicy(1)["nodeClasses"] as object[];
  return fixedPolicy(1, {
    gate: { enabled: lever === "gate" },
    fence: { enabled: lever === "fence" },
    extender: { enabled: lever === "extender" },
    nodeClasses: [{ ...nodeClass, name: lever }],
  });
}

beforeAll(async () => {
  plane = await startControlPlane({ scheduler: false });
  ({ client } = plane);
  await installAccess(client, policyFor("none"));
  service = await startServiceProcess(plane);
  await plane.startScheduler(await extenderOf(plane, service));
  const leads = async () => /^paceline_leader 1$/m.test((await service.get("/metrics")).text);
  await eventually("the service leads", leads);
  await installWebhooks(client, { url: service.url, caBundle: plane.caCert });
  await createBareNode(client, "probe"); // never Ready, so that it is young in every policy
  for (const [name, value] of Object.entries({ low: -10, high: 1_000_000 })) {
    await client.create("/apis/scheduling.k8s.io/v1/priorityclasses", { metadata: { name }, value });
  }
});
afterAll(() => plane.stop());

async function usePolicy(lever: Lever): Promise<void> {
  await applyPolicy(client, policyFor(lever));
  await eventually(`the policy for ${lever} is in force`, async () => {
    const { nodes } = JSON.parse((await service.get("/status.json")).text) as StatusAnswer;
    return nodes.some(({ name, nodeClass }) => name === "probe" && nodeClass === lever);
  });
}

/** A pod of one core; the tests of other levers have nodes of their own. */
const coreOf = (lever: Lever, priorityClassName: string, more: object = {}) => ({
  nodeSelector: { lever },
  priorityClassName,
  containers: [{ name: "main", image: IMAGE, imagePullPolicy: "IfNotPresent", resources: { requests: { cpu: "1" } } }],
  ...more,
});

const podNamed = async (lever: Lever, name: string) => (await listPods(client, lever)).find((pod) => pod.name === name);

/** What shows that the lever holds the pod. */
async function isHeld(lever: Lever): Promise<boolean> {
  const pod = await podNamed(lever, "high-1");
  if (lever === "gate") return pod?.gates.includes(GATE) === true;
  return JSON.stringify(pod?.raw["status"]).includes('"Unschedulable"');
}

/** Running pods of the settled node that are gone. */
async function evicted(lever: Lever): Promise<string[]> {
  const { removals } = await readStarts(plane.auditLogPath, [lever]);
  return removals.map(({ pod }) => pod).filter((pod) => pod.startsWith(`${lever}/low-`));
}

test.each<Lever>(["gate", "fence", "extender"])("%s: no running pod is evicted for it", async (lever) => {
  await usePolicy(lever);
  await createNamespace(client, lever);
  const labels = { lever };
  const node = { client, labels, presentImages: [IMAGE] };
  const settled = await startModelledNode({ ...node, name: `${lever}-settled`, cores: FULL, readyForSeconds: 7_200 });
  await settled.ready;
  const low = coreOf(lever, "low", { nodeName: `${lever}-settled` });
  await createPods(client, lever, { count: FULL, prefix: "low", spec: low });
  const running = await allReady(client, lever, FULL);

  // Low pods for the young node: the first takes its slot for good, the other one waits, and keeps the fence up.
  // None waits where the extender is alone: the pod that comes next is then the one whose backoff ends first.
  // The gate catches pods that come after their node, fence and extender those that were there before.
  const count = lever === "extender" ? 1 : 2;
  const comeSlowOnes = () =>
    createPods(client, lever, { count, prefix: "slow", startSeconds: 3_600, spec: coreOf(lever, "low") });
  if (lever !== "gate") await comeSlowOnes();
  const young = await startModelledNode({ ...node, name: `${lever}-young`, cores: 32 });
  await young.ready;
  if (lever === "gate") {
    await eventually("the service knows the node", async () =>
      (await service.get("/status.json")).text.includes(`"${lever}-young"`),
    );
    await comeSlowOnes();
  }
  await eventually("the slot is taken", async () => (await listPods(client, lever)).some(isOn(`${lever}-young`)));
  if (lever === "fence") {
    expect((await taintsOf(client, `${lever}-young`)).join()).toContain(`${FENCE_TAINT_KEY}=${lever}-young:NoSchedule`);
  }

  await createPods(client, lever, { count: 1, prefix: "high", spec: coreOf(lever, "high") });
  await eventually("it is held, or evicts", async () => (await isHeld(lever)) || (await evicted(lever)).length > 0);
  expect(await evicted(lever)).toEqual([]);
  const slow = (await listPods(client, lever)).find(isOn(`${lever}-young`));
  await client.remove(`/api/v1/namespaces/${lever}/pods/${slow?.name ?? ""}`, { gracePeriodSeconds: 0 });
  await eventually("it has its turn", async () => (await podNamed(lever, "high-1"))?.ready);

  expect((await podNamed(lever, "high-1"))?.node).toBe(`${lever}-young`);
  const now = await listPods(client, lever);
  for (const { name, uid } of running) expect(now).toContainEqual(expect.objectContaining({ name, uid, ready: true }));
  expect(await evicted(lever)).toEqual([]);
  await Promise.all([settled.stop(), young.stop()]);
});

const isOn =
  (name: string) =>
  ({ node }: { node: string | undefined }) =>
    node === name;
