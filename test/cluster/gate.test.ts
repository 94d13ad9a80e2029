/**
 * The gate on a real control plane: DaemonSets meet young nodes. The assertions use the audit log and a watch, not our
 * metrics.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ControlPlane, startControlPlane } from "../../dev/control-plane/control-plane.ts";
import { observe } from "../../dev/demo/observer.ts";
import { applyPolicy, installAccess, installWebhooks } from "../../dev/install.ts";
import { type RunningService, startServiceProcess } from "../../dev/service.ts";
import { GATE, HOLD_ANNOTATION } from "../../src/api/names.ts";
import type { ApiClient } from "../../src/kube/client/api-client.ts";
import { readStarts } from "../support/start-witness.ts";
import { eventually } from "../support/control-plane.ts";
import {
  allReady,
  createNamespace,
  createPods,
  createWorkload,
  fixedPolicy,
  lightNode,
  lightPod,
  listPods,
  podsPath,
  podState,
} from "../support/herd.ts";
import { type Replicas, replicasOf } from "../support/replicas.ts";

const LIMIT = 3;
const DAEMONS = 12;
/** Longer than a busy machine needs to bind a whole batch, so that its pods are in startup together. */
const START_SECONDS = 3;

let plane: ControlPlane;
let client: ApiClient;
let service: RunningService;
let replicas: Replicas;

beforeAll(async () => {
  plane = await startControlPlane();
  ({ client } = plane);
  replicas = replicasOf(plane);
  await installAccess(client, fixedPolicy(LIMIT, { fence: { enabled: false } }));
  service = await startServiceProcess(plane);
  await installWebhooks(client, { url: service.url, caBundle: plane.caCert, levers: ["gate"] });
  await replicas.start("second");
  await leaderIsKnown();
});
afterAll(() => plane.stop());

/** The webhook gates only once it knows a living leader. */
const leaderIsKnown = () =>
  eventually("the service knows a leader", async () => {
    return /^paceline_leader_alive 1$/m.test((await service.get("/metrics")).text);
  });

/** Creates DaemonSets for the nodes with this label, before such nodes exist. */
async function createDaemons(namespace: string): Promise<void> {
  await createNamespace(client, namespace);
  const spec = { nodeSelector: { herd: namespace } };
  const startSeconds = START_SECONDS;
  const names = Array.from({ length: DAEMONS }, (_, index) => `agent-${index + 1}`);
  await Promise.all(names.map((name) => createWorkload(client, namespace, "DaemonSet", { name, spec, startSeconds })));
}

test("pods of DaemonSets that meet a young node are gated, explained, and released in batches of the limit", async () => {
  await createDaemons("daemons");
  const seen = observe(client, "daemons");
  await using node = await lightNode(plane, "young", { labels: { herd: "daemons" } });
  const held = await eventually("a pod that waits", async () =>
    (await listPods(client, "daemons")).find(({ gates }) => gates.includes(GATE)),
  );
  expect(JSON.parse(held.annotations[HOLD_ANNOTATION] ?? "")).toMatchObject({ node: node.name });
  const pods = await allReady(client, "daemons", DAEMONS);
  seen.stop();
  for (const { gates, annotations } of pods) {
    expect(gates).toEqual([]);
    expect(annotations).not.toHaveProperty([HOLD_ANNOTATION]);
  }
  const audit = await readStarts(plane.auditLogPath, ["daemons"]);
  expect(audit.spans).toHaveLength(DAEMONS);
  expect(audit.peak(node.name)).toBe(LIMIT);
  expect(seen.peakInStartup()).toBe(LIMIT);
  expect(audit.startErrors).toEqual([]);
  await node.stop({ deregister: true });
});

test("system pods are never gated, even if every slot of the node is used", async () => {
  await createNamespace(client, "busy");
  await using node = await lightNode(plane, "occupied", { labels: { herd: "busy" } });
  const here = { nodeSelector: { herd: "busy" } };
  await createPods(client, "busy", { count: LIMIT, prefix: "slow", startSeconds: 3_600, spec: here });
  await eventually("every slot is in use", async () =>
    (await listPods(client, "busy")).every(({ node: bound }) => bound === node.name),
  );
  const critical = { ...here, priorityClassName: "system-node-critical" };
  const paths = { "kube-system": here, busy: critical };
  for (const [namespace, spec] of Object.entries(paths)) {
    const created = podState(await client.create(podsPath(namespace), lightPod("vital", { spec })));
    expect(created.gates, namespace).toEqual([]);
    await eventually(`${namespace}/vital is Ready`, async () => {
      const { ready } = podState(await client.get(`${podsPath(namespace)}/vital`));
      return ready;
    });
  }
  await createPods(client, "busy", { count: 1, prefix: "waits", spec: here });
  const waiting = (await listPods(client, "busy")).find(({ name }) => name === "waits-1");
  expect(waiting?.gates).toEqual([GATE]);
  await node.stop({ deregister: true });
});

test("switching the policy off releases everything at once", async () => {
  await createDaemons("switched");
  await using node = await lightNode(plane, "switching", { labels: { herd: "switched" } });
  await eventually("pods wait", async () => (await listPods(client, "switched")).some(({ gates }) => gates.length > 0));
  await applyPolicy(client, { mode: "off" });
  await eventually("no pod is gated any more", async () => {
    const pods = await listPods(client, "switched");
    return pods.length === DAEMONS && pods.every(({ gates }) => gates.length === 0);
  });
  await allReady(client, "switched", DAEMONS);
  await applyPolicy(client, fixedPolicy(LIMIT, { fence: { enabled: false } }));
  await node.stop({ deregister: true });
});

test("when the leader is killed in mid-release, the other replica continues, and the limit holds", async () => {
  await createDaemons("killed");
  const seen = observe(client, "killed");
  await using node = await lightNode(plane, "orphaned", { labels: { herd: "killed" } });
  await eventually(
    "the release has begun",
    () => [...seen.pods.values()].filter(({ startedAtMs }) => startedAtMs !== undefined).length >= 4,
  );
  await service.stop(); // the leader, because it started first
  await allReady(client, "killed", DAEMONS);
  seen.stop();
  expect(await replicas.leader()).toBe("second");
  const audit = await readStarts(plane.auditLogPath, ["killed"]);
  expect(audit.peak(node.name)).toBe(LIMIT);
  expect(seen.peakInStartup()).toBe(LIMIT);
  expect(audit.startErrors).toEqual([]);
});
