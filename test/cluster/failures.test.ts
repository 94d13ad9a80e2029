/**
 * Failures around the service, and bad requests to it: pods still start, the service recovers, and nothing stops it.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Agent, request } from "undici";
import { type ControlPlane, startControlPlane } from "../../dev/control-plane/control-plane.ts";
import { observe } from "../../dev/demo/observer.ts";
import { installAccess, installWebhooks } from "../../dev/install.ts";
import { extenderOf, type RunningService, startServiceProcess } from "../../dev/service.ts";
import { GATE } from "../../src/api/names.ts";
import type { ApiClient } from "../../src/kube/client/api-client.ts";
import { eventually } from "../support/control-plane.ts";
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

const LIMIT = 3;
const DAEMONS = 9;

let plane: ControlPlane;
let client: ApiClient;
let service: RunningService;
let agent: Agent;

beforeAll(async () => {
  plane = await startControlPlane({ scheduler: false });
  ({ client } = plane);
  agent = new Agent({ connect: { ca: plane.caCert } });
  await installAccess(client, fixedPolicy(LIMIT, { extender: { enabled: true } }));
  service = await startServiceProcess(plane);
  await plane.startScheduler(await extenderOf(plane, service));
  await installWebhooks(client, { url: service.url, caBundle: plane.caCert });
  await eventually("the service leads", leads);
});
afterAll(async () => {
  await agent.destroy();
  await plane.stop();
});

const leads = async () => /^paceline_leader 1$/m.test((await service.get("/metrics")).text);

async function createDaemons(namespace: string): Promise<void> {
  await createNamespace(client, namespace);
  const spec = { nodeSelector: { herd: namespace }, tolerations: [{ operator: "Exists", effect: "NoSchedule" }] };
  const names = Array.from({ length: DAEMONS }, (_, index) => `agent-${index + 1}`);
  await Promise.all(names.map((name) => createWorkload(client, namespace, "DaemonSet", { name, spec })));
}

/** A node joins, and its DaemonSet pods are gated and released in batches. */
async function expectPacing(namespace: string, nodeName: string): Promise<void> {
  const seen = observe(client, namespace);
  await using node = await lightNode(plane, nodeName, { labels: { herd: namespace } });
  await eventually("the service sees the node", async () =>
    (await service.get("/status.json")).text.includes(nodeName),
  );
  await createDaemons(namespace);
  await eventually("a pod waits at the gate", async () =>
    (await listPods(client, namespace)).some(({ gates }) => gates.includes(GATE)),
  );
  await allReady(client, namespace, DAEMONS);
  seen.stop();
  expect((await readStarts(plane.auditLogPath, [namespace])).peak(nodeName)).toBe(LIMIT);
  expect(seen.peakInStartup()).toBe(LIMIT);
  await node.stop({ deregister: true });
}

async function post(path: string, body: string) {
  const headers = { "content-type": "application/json" };
  const answer = await request(new URL(path, service.url), { method: "POST", dispatcher: agent, headers, body });
  return { status: answer.statusCode, text: await answer.body.text() };
}

/**
 * The service answers before it has read all of a body that is too long. The answer may be lost when it then closes the
 * connection.
 */
async function refusalOf(path: string, body: string): Promise<number | "cut off"> {
  try {
    return (await post(path, body)).status;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EPIPE" || code === "ECONNRESET" || code === "UND_ERR_SOCKET") return "cut off";
    throw error;
  }
}

const reviewPaths = ["/mutate/pods", "/mutate/nodes", "/validate/policy"];
const extenderPaths = ["/scheduler/filter", "/scheduler/prioritize"];

describe("malformed requests are refused with a reason, and the service keeps running", () => {
  test.each([...reviewPaths, ...extenderPaths])("%s", async (path) => {
    for (const body of ["{", "", "null", "[]", "{}", '{"request": 7}', '{"Pod": [], "NodeNames": 3}']) {
      const { status, text } = await post(path, body);
      expect(status, body).toBe(400);
      expect(text, body).toContain("error");
    }
    expect([413, "cut off"]).toContain(await refusalOf(path, JSON.stringify({ padding: "x".repeat(5_000_000) })));
    expect(service.process.ending()).toBeUndefined();
    expect((await service.get("/readyz")).status).toBe(200);
  });

  test("an AdmissionReview and ExtenderArgs with one error each: the answer names its place", async () => {
    const review = {
      apiVersion: "admission.k8s.io/v1",
      kind: "AdmissionReview",
      request: { uid: "1", operation: "EAT" },
    };
    for (const path of reviewPaths) expect((await post(path, JSON.stringify(review))).text).toContain("operation");
    const args = { Pod: { metadata: { name: "a" } }, NodeNames: "young" };
    for (const path of extenderPaths) expect((await post(path, JSON.stringify(args))).text).toContain("NodeNames");
  });

  test("pacing works as before", () => expectPacing("unharmed", "after-bodies"));
});

test("the API server hangs up and comes back: the service recovers by itself", async () => {
  await plane.restartApiServer();
  await eventually("the service leads", leads);
  await expectPacing("recovered", "after-restart");
  expect(service.process.ending()).toBeUndefined();
});

test("with the service gone, webhooks fail open and the extender is ignored: pods start without pacing", async () => {
  await service.stop();
  await createDaemons("alone");
  await createPods(client, "alone", { count: 12, prefix: "herd", spec: { nodeSelector: { herd: "alone" } } });
  const seen = observe(client, "alone");
  await using node = await lightNode(plane, "unattended", { labels: { herd: "alone" } });
  expect((await taintsOf(client, node.name)).filter((taint) => taint.includes("paceline"))).toEqual([]);
  const pods = await allReady(client, "alone", DAEMONS + 12);
  seen.stop();
  for (const { gates, annotations } of pods) {
    expect(gates).toEqual([]);
    expect(Object.keys(annotations).filter((key) => key.startsWith("paceline.dev/"))).toEqual([]);
  }
  expect(seen.peakInStartup()).toBeGreaterThan(LIMIT);
});
