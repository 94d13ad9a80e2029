import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { TLSSocket } from "node:tls";
import { Agent, request } from "undici";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ControlPlane, startControlPlane } from "../../dev/control-plane/control-plane.ts";
import { createApiClient } from "../../src/kube/client/api-client.ts";
import { issueClientCertificate, issueServerCertificate } from "../../src/certificates/certificates.ts";
import type { KubeObject } from "../../src/kube/parse/kube-json.ts";
import { createBareNode, eventually, podNamed, processesMentioning } from "../support/control-plane.ts";

const pods = "/api/v1/namespaces/default/pods";
let controlPlane: ControlPlane;

beforeAll(async () => {
  controlPlane = await startControlPlane({ users: [{ name: "alice", groups: ["developers"], token: "alice-token" }] });
});
afterAll(() => controlPlane.stop());

test("it is ready as soon as it has started: Kubernetes' own namespaces are there", async () => {
  expect((await controlPlane.client.raw("GET", "/readyz")).status).toBe(200);
  const namespaces = (await controlPlane.client.list("/api/v1/namespaces")).items.map(({ metadata }) => metadata?.name);
  expect(namespaces).toEqual(expect.arrayContaining(["default", "kube-system", "kube-node-lease"]));
});

test("RBAC is on: a user has no rights without a binding", async () => {
  const alice = createApiClient({ url: controlPlane.url, ca: controlPlane.caCert, token: "alice-token" });
  try {
    await expect(alice.list(pods)).rejects.toMatchObject({ status: 403 });
    await controlPlane.client.create("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
      metadata: { name: "developers-view" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "view" },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: "developers" }],
    });
    await eventually("alice may list pods", () => alice.list(pods));
    await expect(alice.create(pods, podNamed("denied"))).rejects.toMatchObject({ status: 403 });
  } finally {
    await alice.close();
  }
});

test("a service account's token is issued and accepted, as in a cluster", async () => {
  const accounts = "/api/v1/namespaces/default/serviceaccounts";
  await controlPlane.client.create(accounts, { metadata: { name: "paceline" } });
  const answer = await controlPlane.client.create(`${accounts}/paceline/token`, { spec: {} });
  const { token } = answer["status"] as { token: string };
  const account = createApiClient({ url: controlPlane.url, ca: controlPlane.caCert, token });
  try {
    const review = await account.create("/apis/authentication.k8s.io/v1/selfsubjectreviews", {});
    expect(review["status"]).toMatchObject({ userInfo: { username: "system:serviceaccount:default:paceline" } });
  } finally {
    await account.close();
  }
});

test("DaemonSet controller and scheduler act: a new node gets its pod", async () => {
  const template = { metadata: { labels: { app: "agent" } }, spec: podNamed("")["spec"] };
  await controlPlane.client.create("/apis/apps/v1/namespaces/default/daemonsets", {
    metadata: { name: "agent" },
    spec: { selector: { matchLabels: { app: "agent" } }, template },
  });
  await createBareNode(controlPlane.client, "node-1");
  const bound = await eventually("the agent's pod is bound", async () => {
    const { items } = await controlPlane.client.list(pods, { labelSelector: "app=agent" });
    return items.find((pod) => nodeOf(pod) === "node-1");
  });
  expect(bound.metadata?.generateName).toBe("agent-");
});

test("the audit log holds status patches with their body, so that the query of amazon-eks-ami#1651 works on it", async () => {
  await controlPlane.client.create(pods, podNamed("failed-start"));
  const terminated = { reason: "StartError", exitCode: 128, startedAt: "1970-01-01T00:00:00Z", message: "shim" };
  const containerStatus = { name: "main", image: "i", imageID: "", ready: false, restartCount: 1, state: {} };
  const status = { containerStatuses: [{ ...containerStatus, lastState: { terminated } }] };
  await controlPlane.client.patch(`${pods}/failed-start/status`, { status }, "strategic");
  const events = readFileSync(controlPlane.auditLogPath, "utf8").trim().split("\n").map(parsedEvent);
  const found = events.filter(
    ({ requestObject }) =>
      requestObject?.status?.containerStatuses?.[0]?.lastState?.terminated?.reason === "StartError",
  );
  expect(found).toMatchObject([{ verb: "patch", objectRef: { name: "failed-start", subresource: "status" } }]);
});

test("the API server calls a webhook on 127.0.0.1 whose certificate the run's authority signed", async () => {
  const seen: string[] = [];
  const webhook = await serve(controlPlane, (path) => seen.push(path));
  await controlPlane.client.create("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations", {
    metadata: { name: "probe" },
    webhooks: [
      {
        name: "probe.paceline.dev",
        clientConfig: {
          url: `${webhook.url}/probe`,
          caBundle: Buffer.from(controlPlane.caCert).toString("base64"),
        },
        rules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] }],
        failurePolicy: "Ignore",
        sideEffects: "None",
        admissionReviewVersions: ["v1"],
      },
    ],
  });
  try {
    await eventually("the webhook is called", async () => {
      await controlPlane.client.create("/api/v1/namespaces/default/configmaps", {
        metadata: { generateName: "probe-" },
      });
      return seen.length > 0;
    });
    expect(seen[0]).toMatch(/^\/probe\?timeout=/);
  } finally {
    await controlPlane.client.remove("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/probe");
    webhook.server.close();
  }
});

test("a second scheduler asks the extender of scheduler-config/, and shows its client certificate", async () => {
  const callers: string[] = [];
  const extender = await serve(controlPlane, (path, caller) => callers.push(`${caller} ${path}`), 500);
  const client = await issueClientCertificate(controlPlane.authority, {
    commonName: "kube-scheduler",
    days: 1,
    nowMs: Date.now(),
  });
  const scheduler = await controlPlane.startScheduler({
    extenderUrl: extender.url,
    extenderTls: { ca: controlPlane.caCert, client },
    schedulerName: "paced",
  });
  try {
    await createBareNode(controlPlane.client, "node-2");
    await controlPlane.client.create(pods, podNamed("asked-for", { schedulerName: "paced" }));
    await eventually("the extender is asked", () => callers.includes("kube-scheduler /scheduler/filter"));
    // It answers with an error here. `ignorable` then lets the pod pass.
    await eventually("the pod is bound all the same", async () =>
      nodeOf(await controlPlane.client.get(`${pods}/asked-for`)),
    );
  } finally {
    await scheduler.stop();
    extender.server.close();
  }
});

test("the API server can hang and come back, and can die and come back at its address with its data", async () => {
  const readyz = (timeoutMs?: number) => controlPlane.client.raw("GET", "/readyz", timeoutMs ? { timeoutMs } : {});
  controlPlane.pauseApiServer();
  await expect(readyz(500)).rejects.toThrow(); // it never answers
  controlPlane.resumeApiServer();
  await eventually("it answers again", async () => (await readyz()).status === 200);
  await controlPlane.killApiServer();
  await expect(readyz()).rejects.toThrow();
  await controlPlane.restartApiServer();
  expect((await controlPlane.client.get("/api/v1/nodes/node-1")).metadata?.name).toBe("node-1");
});

test("two run side by side, and stop() leaves neither process nor folder, also while the API server hangs", async () => {
  const other = await startControlPlane({ scheduler: false, controllerManager: false, auditLog: false });
  expect(other.url).not.toBe(controlPlane.url);
  expect(processesMentioning(other.folder).length).toBeGreaterThan(0);
  other.pauseApiServer();
  await other.stop();
  await other.stop();
  expect(processesMentioning(other.folder)).toEqual([]);
  expect(existsSync(other.folder)).toBe(false);
});

test("a failed start reports the program's own error, and leaves nothing", async () => {
  const before = processesMentioning("paceline-cp-").length;
  const failing = startControlPlane({
    controllerManager: false,
    scheduler: { config: "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\ntypo: 1\n" },
  });
  await expect(failing).rejects.toThrow(/kube-scheduler ended with exit code 1[^]*unknown field .*typo/);
  expect(processesMentioning("paceline-cp-")).toHaveLength(before);
});

test.each(["SIGINT", "SIGTERM", "SIGKILL"] as const)(
  "%s to its owner leaves neither process nor folder",
  async (signal) => {
    const script = join(import.meta.dirname, "../support/control-plane-child.ts");
    const owner = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "inherit"] });
    const folder = await firstLine(owner);
    expect(processesMentioning(folder).length).toBeGreaterThanOrEqual(4);
    owner.kill(signal);
    const [, endedBy] = (await once(owner, "exit")) as [number | null, string | null];
    expect(endedBy).toBe(signal);
    await eventually("its processes are gone", () => processesMentioning(folder).length === 0);
    await eventually("its folder is gone", () => !existsSync(folder));
  },
);

test("`npm run cluster -- --nodes 3 --paceline observe`: three Ready nodes and a service, and Ctrl-C leaves nothing", async () => {
  const command = join(import.meta.dirname, "../../dev/cluster.ts");
  const flags = ["--nodes", "3", "--paceline", "observe", "--json"];
  const owner = spawn(process.execPath, [command, ...flags], { stdio: ["ignore", "pipe", "inherit"] });
  const { kubeconfig = "", folder = "", paceline = "" } = JSON.parse(await firstLine(owner)) as Record<string, string>;
  const asCurlK = new Agent({ connect: { rejectUnauthorized: false } });
  expect((await request(`${paceline}/readyz`, { dispatcher: asCurlK })).statusCode).toBe(200);
  await asCurlK.destroy();
  const args = ["--kubeconfig", kubeconfig, "get", "nodes", "--no-headers"];
  const rows = execFileSync(controlPlane.kubectlPath ?? "kubectl", args, { encoding: "utf8" })
    .trim()
    .split("\n");
  expect(rows.map((row) => row.split(/\s+/).slice(0, 2))).toEqual([
    ["node-1", "Ready"],
    ["node-2", "Ready"],
    ["node-3", "Ready"],
  ]);
  owner.kill("SIGINT");
  expect(await once(owner, "exit")).toEqual([0, null]);
  expect(processesMentioning(folder)).toEqual([]);
  expect(existsSync(folder)).toBe(false);
});

interface AuditEvent {
  readonly verb?: string;
  readonly requestObject?: {
    readonly status?: { readonly containerStatuses?: { readonly lastState?: { terminated?: { reason: string } } }[] };
  };
}

function parsedEvent(line: string): AuditEvent {
  return JSON.parse(line) as AuditEvent;
}

function nodeOf(pod: KubeObject): string | undefined {
  return (pod["spec"] as { nodeName?: string }).nodeName;
}

async function firstLine(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error("the child has no output");
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  return line;
}

/** An HTTPS server on a free port that records the caller and the path, and answers `{}`. */
async function serve(
  { authority }: ControlPlane,
  called: (path: string, caller: string) => void,
  status = 200,
): Promise<{ server: Server; url: string }> {
  const pair = await issueServerCertificate(authority, { names: ["127.0.0.1"], days: 1, nowMs: Date.now() });
  const server = createServer({ ...pair, ca: authority.cert, requestCert: true, rejectUnauthorized: false });
  server.on("request", (request, response) => {
    called(request.url ?? "", callerOf(request.socket));
    response.writeHead(status).end("{}");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, url: `https://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** Common name in the client's certificate; empty if it presented none. */
function callerOf(socket: Socket): string {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return "";
  return String(socket.getPeerCertificate().subject.CN);
}
