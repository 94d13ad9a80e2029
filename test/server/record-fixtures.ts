/**
 * Records the requests of a real API server and kube-scheduler to Paceline's routes, into test/server/fixtures/: `npx
 * node test/server/record-fixtures.ts`. Run it again when the version of the control plane changes.
 */
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttps } from "node:https";
import type { AddressInfo, Server } from "node:net";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as pause } from "node:timers/promises";
import { createApiClient, type ApiClient } from "../../src/kube/client/api-client.ts";
import { issueServerCertificate } from "../../src/certificates/certificates.ts";
import { startControlPlane } from "../../dev/control-plane/control-plane.ts";
import { installAccess, installWebhooks, applyPolicy } from "../../dev/install.ts";

interface Review {
  readonly request: {
    readonly uid: string;
    readonly dryRun?: boolean;
    readonly resource: { readonly resource: string };
    readonly object: { readonly metadata: { readonly ownerReferences?: readonly { readonly kind: string }[] } };
  };
}
interface Args {
  readonly NodeNames?: readonly string[] | null;
  readonly Nodes?: unknown;
}

const recorded = new Map<string, unknown>();
let arrived: () => void = () => undefined;

/** The name of the fixture for a request, if there is one. */
function fixtureName(path: string, body: unknown): string {
  if (path.startsWith("/scheduler")) {
    return `extender-${path.split("/").at(-1) ?? ""}${(body as Args).NodeNames == null ? "-whole-nodes" : ""}`;
  }
  const { resource, object, dryRun } = (body as Review).request;
  const owner = object.metadata.ownerReferences?.[0]?.kind.toLowerCase() ?? "naked";
  const what = resource.resource === "pods" ? `pod-${owner}` : resource.resource;
  return `review-${what}${dryRun === true ? "-dry-run" : ""}`;
}

function answerTo(path: string, body: unknown): unknown {
  if (path.endsWith("/filter")) {
    const { NodeNames = null, Nodes = null } = body as Args;
    return { NodeNames, Nodes, FailedNodes: {}, FailedAndUnresolvableNodes: {}, Error: "" };
  }
  if (path.endsWith("/prioritize")) return [];
  const { uid } = (body as Review).request;
  return { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response: { uid, allowed: true } };
}

async function record(request: IncomingMessage, response: ServerResponse) {
  const path = new URL(request.url ?? "", "http://localhost").pathname;
  const body: unknown = JSON.parse(await text(request));
  const name = fixtureName(path, body);
  if (!recorded.has(name)) recorded.set(name, body);
  arrived();
  response.setHeader("content-type", "application/json").end(JSON.stringify(answerTo(path, body)));
}

const onRequest = (request: IncomingMessage, response: ServerResponse) => void record(request, response);

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

async function recordedAll(names: readonly string[]) {
  while (!names.every((name) => recorded.has(name))) {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`only ${[...recorded.keys()].join(", ")} came within 30 s, wanted ${names.join(", ")}`));
      }, 30_000);
      arrived = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

async function makeNode(client: ApiClient, name: string) {
  await client.create("/api/v1/nodes", { apiVersion: "v1", kind: "Node", metadata: { name, labels: { disk: "gp3" } } });
  const status = {
    allocatable: { cpu: "4", memory: "16Gi", pods: "110" },
    capacity: { cpu: "4", memory: "16Gi", pods: "110" },
    conditions: [
      {
        type: "Ready",
        status: "True",
        lastTransitionTime: new Date().toISOString(),
        lastHeartbeatTime: new Date().toISOString(),
      },
    ],
    addresses: [{ type: "InternalIP", address: "127.0.0.1" }],
    images: [{ names: ["registry.example/pause:3.10"], sizeBytes: 300_000 }],
  };
  await client.patch(`/api/v1/nodes/${name}/status`, { status }, "merge");
}

/**
 * Waits until node-lifecycle has removed the not-ready taint, because the scheduler calls prioritize only with two
 * fitting nodes.
 */
async function untilOpen(client: ApiClient, name: string) {
  for (let attempt = 0; attempt < 100; attempt++) {
    const { taints = [] } = (await client.get(`/api/v1/nodes/${name}`))["spec"] as { taints?: unknown[] };
    if (taints.length === 0) return;
    await pause(100);
  }
  throw new Error(`node ${name} is still tainted after 10 s`);
}

const podSpec = (image: string) => ({
  containers: [{ name: "app", image, resources: { requests: { cpu: "100m", memory: "64Mi" } } }],
});
const template = (app: string) => ({ metadata: { labels: { app } }, spec: podSpec(`registry.example/${app}:1`) });

async function makeWorkloads(client: ApiClient) {
  const selector = (app: string) => ({ matchLabels: { app } });
  const sets = "/apis/apps/v1/namespaces/default";
  await client.create(`${sets}/daemonsets`, {
    metadata: { name: "agent" },
    spec: { selector: selector("agent"), template: template("agent") },
  });
  await client.create(`${sets}/deployments`, {
    metadata: { name: "web" },
    spec: { replicas: 2, selector: selector("web"), template: template("web") },
  });
  const pods = "/api/v1/namespaces/default/pods";
  const naked = {
    metadata: { name: "naked", annotations: { note: "mine" } },
    spec: podSpec("registry.example/naked:1"),
  };
  await client.create(pods, naked);
  await client.create(pods, { ...naked, metadata: { name: "trial" } }, { dryRun: "All" });
  await client.create(pods, {
    metadata: { name: "other" },
    spec: { ...podSpec("registry.example/naked:1"), schedulerName: "whole" },
  });
}

const wholeNodes = (port: number) => `
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
profiles: [{schedulerName: whole}]
extenders:
  - {urlPrefix: "http://127.0.0.1:${port}/scheduler", filterVerb: filter, ignorable: true}
`;

const extender = createHttp(onRequest);
const extenderPort = await listen(extender);
await using controlPlane = await startControlPlane({
  scheduler: { extenderUrl: `http://127.0.0.1:${extenderPort}` },
});
await controlPlane.startScheduler({ config: wholeNodes(extenderPort), schedulerName: "whole" });
const certificate = await issueServerCertificate(controlPlane.authority, {
  names: ["127.0.0.1"],
  days: 1,
  nowMs: Date.now(),
});
const webhook = createHttps(certificate, onRequest);
const url = `https://127.0.0.1:${await listen(webhook)}`;
const client = createApiClient({ url: controlPlane.url, token: controlPlane.token, ca: controlPlane.caCert });
await installAccess(client);
await installWebhooks(client, { url, caBundle: controlPlane.caCert });
const nodes = ["node-1", "node-2"];
await Promise.all(nodes.map((name) => makeNode(client, name)));
await Promise.all(nodes.map((name) => untilOpen(client, name)));
await makeWorkloads(client);
// The API server needs a moment for a new webhook configuration, so ask until it is called.
for (let change = 0; change < 20 && !recorded.has("review-configmaps"); change++)
  await applyPolicy(client, { maxHoldSeconds: 200 + change });
await recordedAll([
  "review-nodes",
  "review-pod-daemonset",
  "review-pod-replicaset",
  "review-pod-naked",
  "review-pod-naked-dry-run",
  "review-configmaps",
  "extender-filter",
  "extender-prioritize",
  "extender-filter-whole-nodes",
]);
for (const [name, body] of recorded) {
  await writeFile(join(import.meta.dirname, "fixtures", `${name}.json`), `${JSON.stringify(body, null, 2)}\n`);
}
process.stdout.write(`recorded ${[...recorded.keys()].join(", ")}\n`);
await client.close();
webhook.close();
webhook.closeAllConnections();
extender.close();
extender.closeAllConnections();
