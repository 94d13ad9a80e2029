/** The extender under a real kube-scheduler. No other part of Paceline is on. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ControlPlane, startControlPlane } from "../../dev/control-plane/control-plane.ts";
import { observe } from "../../dev/demo/observer.ts";
import { installAccess } from "../../dev/install.ts";
import { extenderOf, type RunningService, startServiceProcess } from "../../dev/service.ts";
import type { ApiClient } from "../../src/kube/client/api-client.ts";
import { startModelledNodes } from "../../dev/modelled-node/modelled-node.ts";
import { eventually } from "../support/control-plane.ts";
import { allReady, createNamespace, createPods, fixedPolicy, IMAGE, listPods } from "../support/herd.ts";
import { readStarts } from "../support/start-witness.ts";

const LIMIT = 3;
const levers = { gate: { enabled: false }, fence: { enabled: false }, extender: { enabled: true } };

let plane: ControlPlane;
let client: ApiClient;
let service: RunningService;

beforeAll(async () => {
  plane = await startControlPlane({ scheduler: false });
  ({ client } = plane);
  await installAccess(client, fixedPolicy(LIMIT, levers));
  service = await startServiceProcess(plane);
  await plane.startScheduler(await extenderOf(plane, service));
});
afterAll(() => plane.stop());

/** FailedScheduling and Preempted Events of a namespace, as `reason: message`. */
async function schedulerEvents(namespace: string): Promise<string[]> {
  const { items } = await client.list(`/api/v1/namespaces/${namespace}/events`);
  return items
    .filter(({ reason }) => reason === "FailedScheduling" || reason === "Preempted")
    .map((event) => `${String(event["reason"])}: ${String(event["message"] ?? event["note"])}`);
}

test.each([
  { namespace: "one", names: ["single"], herd: 18 },
  { namespace: "three", names: ["trio-a", "trio-b", "trio-c"], herd: 45 },
])("a herd of pending pods is held to the limit exactly: nodes $names", async ({ namespace, names, herd }) => {
  await createNamespace(client, namespace);
  await createPods(client, namespace, { count: herd, prefix: "herd", spec: { nodeSelector: { herd: namespace } } });
  await eventually("the scheduler has tried them all", async () =>
    (await listPods(client, namespace)).every(({ raw }) => JSON.stringify(raw).includes('"Unschedulable"')),
  );
  const seen = observe(client, namespace);
  await using nodes = await startModelledNodes(
    names.map((name) => ({ client, name, labels: { herd: namespace }, cores: 32, presentImages: [IMAGE] })),
  );
  await allReady(client, namespace, herd);
  seen.stop();
  const audit = await readStarts(plane.auditLogPath, [namespace]);
  expect(audit.spans).toHaveLength(herd);
  for (const name of names) expect(audit.peak(name), `most in startup on ${name}`).toBe(LIMIT);
  expect(seen.peakInStartup()).toBe(LIMIT);
  expect(audit.startErrors).toEqual([]);
  const refusals = await schedulerEvents(namespace);
  expect(refusals.some((text) => text.includes("StartupSlotsFull"))).toBe(true);
  await nodes.stop({ deregister: true });
});

test("a refused pod of high priority preempts no running pod of low priority", async () => {
  await createNamespace(client, "ranks");
  const priorities = { low: -10, high: 1_000_000 };
  for (const [name, value] of Object.entries(priorities)) {
    await client.create("/apis/scheduling.k8s.io/v1/priorityclasses", { metadata: { name }, value });
  }
  const spec = (name: string) => ({ nodeSelector: { herd: "ranks" }, priorityClassName: name });
  await using nodes = await startModelledNodes([
    { client, name: "contended", labels: { herd: "ranks" }, cores: 32, presentImages: [IMAGE] },
  ]);
  await createPods(client, "ranks", { count: 8, prefix: "low", spec: spec("low") });
  const running = await allReady(client, "ranks", 8);
  await createPods(client, "ranks", { count: LIMIT, prefix: "slow", startSeconds: 3_600, spec: spec("low") });
  await eventually("every slot is in use", async () => (await listPods(client, "ranks")).every(({ node }) => node));
  await createPods(client, "ranks", { count: 2, prefix: "high", spec: spec("high") });
  const isRefusal = (text: string) => text.includes("StartupSlotsFull");
  await eventually("both were refused", async () => (await schedulerEvents("ranks")).filter(isRefusal).length >= 2);
  const now = await listPods(client, "ranks");
  for (const { name, uid } of running) expect(now).toContainEqual(expect.objectContaining({ name, uid, ready: true }));
  for (const pod of now.filter(({ name }) => name.startsWith("high"))) {
    expect(pod.node).toBeUndefined();
    expect(pod.raw["status"]).not.toHaveProperty("nominatedNodeName");
  }
  expect((await readStarts(plane.auditLogPath, ["ranks"])).removals).toEqual([]);
  expect((await schedulerEvents("ranks")).filter((text) => text.startsWith("Preempted"))).toEqual([]);
  for (const name of ["slow-1", "slow-2"]) {
    await client.remove(`/api/v1/namespaces/ranks/pods/${name}`, { gracePeriodSeconds: 0 });
  }
  await eventually("they start when slots come free", async () =>
    (await listPods(client, "ranks")).filter(({ name }) => name.startsWith("high")).every(({ ready }) => ready),
  );
  await nodes.stop({ deregister: true });
});
