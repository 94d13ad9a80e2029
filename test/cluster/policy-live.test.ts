/**
 * The policy in a running cluster: a bad one is refused with every error. If it slips past admission, the last good one
 * stays in force.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ControlPlane, startControlPlane } from "../../dev/control-plane/control-plane.ts";
import { applyPolicy, installAccess, installWebhooks, uninstallWebhooks } from "../../dev/install.ts";
import { type RunningService, startServiceProcess } from "../../dev/service.ts";
import { DEFAULT_NAMESPACE, GATE, POLICY_CONFIG_MAP, POLICY_KEY } from "../../src/api/names.ts";
import { ApiError } from "../../src/kube/client/api-error.ts";
import type { ApiClient } from "../../src/kube/client/api-client.ts";
import { eventually } from "../support/control-plane.ts";
import { allReady, createNamespace, createPods, fixedPolicy, lightNode, listPods } from "../support/herd.ts";
import { readStarts } from "../support/start-witness.ts";

const LIMIT = 2;
const path = `/api/v1/namespaces/${DEFAULT_NAMESPACE}/configmaps/${POLICY_CONFIG_MAP}`;
const levers = { fence: { enabled: false } };

/** Four mistakes: an unknown mode, a misspelt key, a figure out of range, and limits in the wrong order. */
const BROKEN = `
apiVersion: paceline.dev/v1alpha1
kind: PacingPolicy
mode: enforced
youngForSecond: 60
maxHoldSeconds: 9000
nodeClasses:
  - name: any
    slots: { initial: 4, min: 9, max: 5 }
`;

let plane: ControlPlane;
let client: ApiClient;
let service: RunningService;

beforeAll(async () => {
  plane = await startControlPlane();
  ({ client } = plane);
  await installAccess(client, fixedPolicy(LIMIT, levers));
  service = await startServiceProcess(plane);
  await installWebhooks(client, { url: service.url, caBundle: plane.caCert });
  await eventually("the service leads", () => metricIs("paceline_leader", 1));
  // The API server learns of a webhook through a watch, and does not call it until then.
  await eventually("a broken policy would be refused", () => writeText(BROKEN, { dryRun: "All" }).then(no, isRefusal));
});
afterAll(() => plane.stop());

const metricIs = async (name: string, value: number) =>
  (await service.get("/metrics")).text.split("\n").includes(`${name} ${value}`);

const writeText = (text: string, query = {}) => client.patch(path, { data: { [POLICY_KEY]: text } }, "merge", query);
const no = () => false;
const isRefusal = (error: unknown) => error instanceof ApiError && error.status === 422;
const textInCluster = async () => (await client.get(path))["data"];

test("a broken policy is refused at admission with all its errors at once, and changes nothing", async () => {
  const before = await textInCluster();
  const refusal = await writeText(BROKEN).then(
    () => "accepted",
    (error: unknown) => (error as Error).message,
  );
  for (const place of ["mode", "youngForSecond", "maxHoldSeconds", "nodeClasses[0].slots.min"]) {
    expect(refusal).toContain(place);
  }
  expect(refusal).toContain("4 errors");
  expect(await textInCluster()).toEqual(before);
  expect(await metricIs("paceline_policy_valid", 1)).toBe(true);
});

test("text that is not YAML, and an empty text, are refused too", async () => {
  await expect(writeText("mode: [")).rejects.toThrow(/policy/);
  await expect(client.patch(path, { data: null }, "merge")).rejects.toThrow(POLICY_KEY);
});

test("a bad policy that slips past leaves the last good one in force, is reported, and can be replaced", async () => {
  await uninstallWebhooks(client);
  // The API server learns of the removal through a watch, and calls the webhook until then.
  await eventually("nothing refuses it any more", () => writeText(BROKEN));
  await eventually("the metric says so", () => metricIs("paceline_policy_valid", 0));
  const note = await eventually("an Event says so", async () => {
    const { items } = await client.list(`/apis/events.k8s.io/v1/namespaces/${DEFAULT_NAMESPACE}/events`);
    return items.find(({ reason }) => reason === "InvalidPolicy");
  });
  expect(note).toMatchObject({ type: "Warning", regarding: { kind: "ConfigMap", name: POLICY_CONFIG_MAP } });
  for (const place of ["mode", "youngForSecond", "maxHoldSeconds"]) expect(note["note"]).toContain(place);
  const gate = ["gate"] as const;
  await installWebhooks(client, { url: service.url, caBundle: plane.caCert, levers: gate });
  await createNamespace(client, "kept");
  await using node = await lightNode(plane, "kept-node", { labels: { herd: "kept" } });
  await node.ready;
  await eventually("the node is known", async () => (await service.get("/status.json")).text.includes(node.name));
  await createPods(client, "kept", { count: 10, prefix: "herd", spec: { nodeSelector: { herd: "kept" } } });
  expect((await listPods(client, "kept")).some(({ gates }) => gates.includes(GATE))).toBe(true);
  await allReady(client, "kept", 10);
  expect((await readStarts(plane.auditLogPath, ["kept"])).peak(node.name)).toBe(LIMIT);
  await applyPolicy(client, fixedPolicy(LIMIT, levers));
  await eventually("the metric says that it is over", () => metricIs("paceline_policy_valid", 1));
  await node.stop({ deregister: true });
});

test("a change is in force at once, without a restart: more slots, then observe", async () => {
  await createNamespace(client, "live");
  await using node = await lightNode(plane, "live-node", { labels: { herd: "live" } });
  await node.ready;
  await eventually("the node is known", async () => (await service.get("/status.json")).text.includes(node.name));
  const herd = { prefix: "slow", startSeconds: 3_600, spec: { nodeSelector: { herd: "live" } } };
  await createPods(client, "live", { ...herd, count: 8 });
  const bound = (count: number) => async () =>
    (await listPods(client, "live")).filter(({ node: name }) => name !== undefined).length === count;
  await eventually(`${LIMIT} of them are bound`, bound(LIMIT));
  await applyPolicy(client, fixedPolicy(LIMIT + 3, levers));
  await eventually("three more are bound", bound(LIMIT + 3));
  expect((await readStarts(plane.auditLogPath, ["live"])).peak(node.name)).toBe(LIMIT + 3);
  await applyPolicy(client, { ...fixedPolicy(LIMIT, levers), mode: "observe" });
  await eventually("all are bound", bound(8));
  await node.stop({ deregister: true });
});
