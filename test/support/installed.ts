/** An installation of the chart on a real control plane, run as the chart says: its arguments, its accounts, its roles. */
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { createServer as createHttpsServer, request as httpsRequest } from "node:https";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { promisify } from "node:util";
import { parseAllDocuments } from "yaml";
import { helmTemplate } from "../../dev/chart/helm.ts";
import type { Child } from "../../dev/control-plane/child.ts";
import type { ControlPlane } from "../../dev/control-plane/control-plane.ts";
import { freePort } from "../../dev/control-plane/ports.ts";
import { MAIN } from "../../dev/service.ts";
import type { ApiClient } from "../../src/cluster/api-client.ts";
import { issueServerCertificate } from "../../src/cluster/certificates.ts";
import type { KubeObject } from "../../src/cluster/kube-json.ts";

const run = promisify(execFile);

export const NAMESPACE = "paceline";

/** Objects of the chart, without those of hooks unless asked for. */
export async function chartObjects(helm: string, args: readonly string[] = [], hooks = false): Promise<KubeObject[]> {
  const text = await helmTemplate({ helm, args: hooks ? args : [...args, "--no-hooks"] });
  return parseAllDocuments(text)
    .map((document) => document.toJS() as KubeObject | null)
    .filter((object) => object !== null);
}

/** kubectl as the administrator. @returns what it printed @throws with what it printed as error */
export async function kubectl(cp: ControlPlane, ...args: string[]): Promise<string> {
  if (cp.kubectlPath === undefined) throw new Error("kubectl is not on PATH");
  const { stdout } = await run(cp.kubectlPath, ["--kubeconfig", cp.kubeconfigPath, ...args], { maxBuffer: 1 << 24 });
  return stdout;
}

/** kubectl apply --server-side, in one go. */
export async function applyAll(cp: ControlPlane, objects: readonly KubeObject[], ...flags: string[]): Promise<string> {
  const file = join(cp.folder, `apply-${objects.length}.json`);
  await writeFile(file, JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }));
  return kubectl(cp, "apply", "--server-side", "--force-conflicts", "-f", file, ...flags);
}

/** The webhooks call `url` instead of the Service: nothing here routes cluster IPs. */
export function callingAt(url: string, objects: readonly KubeObject[], failurePolicy = "Ignore"): KubeObject[] {
  return objects.map((object) => {
    if (object["webhooks"] === undefined) return object;
    const webhooks = (object["webhooks"] as { clientConfig: { service: { path: string } } }[]).map((webhook) => {
      const { service, ...config } = webhook.clientConfig;
      return { ...webhook, failurePolicy, clientConfig: { ...config, url: new URL(service.path, url).href } };
    });
    return { ...object, webhooks };
  });
}

/** A token of a service account of the release. */
export async function accountToken(client: ApiClient, name: string): Promise<string> {
  const body = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { expirationSeconds: 7200 } };
  const { status } = await client.create(`/api/v1/namespaces/${NAMESPACE}/serviceaccounts/${name}/token`, body);
  return (status as { token: string }).token;
}

/** What kube-proxy does: connections to one address, shared out among those who take them. */
export interface Balancer extends AsyncDisposable {
  readonly url: string;
  /** Ports of the ready replicas; connections that are open stay where they are. */
  use(ports: readonly number[]): void;
}

export async function startBalancer(): Promise<Balancer> {
  let ports: readonly number[] = [];
  let turn = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    const port = ports[turn++ % Math.max(1, ports.length)];
    if (port === undefined) return void socket.destroy();
    const onward = connect(port, "127.0.0.1");
    for (const [one, other] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      sockets.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => sockets.delete(one));
      one.pipe(other);
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    use: (next) => void (ports = next),
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** Passes requests on to the API server, and notes each as RBAC names it: `verb group/resource[/name]`. */
export interface Recorder extends AsyncDisposable {
  readonly url: string;
  readonly seen: ReadonlySet<string>;
}

export async function startRecorder(cp: ControlPlane): Promise<Recorder> {
  const seen = new Set<string>();
  const names = ["127.0.0.1"];
  const pair = await issueServerCertificate(cp.authority, { names, days: 1, nowMs: Date.now() });
  const server = createHttpsServer(pair, (incoming, answer) => {
    const { method = "GET", url = "/", headers } = incoming;
    seen.add(asRbac(method, new URL(url, cp.url)));
    const onward = httpsRequest(new URL(url, cp.url), { method, headers, ca: cp.caCert }, (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      answer.flushHeaders();
      response.pipe(answer);
    });
    onward.on("error", () => answer.destroy());
    answer.on("close", () => onward.destroy());
    incoming.pipe(onward);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function asRbac(method: string, { pathname, searchParams }: URL): string {
  const [, root, ...rest] = pathname.split("/");
  const group = root === "api" ? "" : rest.shift();
  rest.shift(); // the version
  if (rest[0] === "namespaces" && rest.length > 2) rest.splice(0, 2);
  const [resource = "", name] = rest;
  const read = searchParams.has("watch") ? "watch" : name === undefined ? "list" : "get";
  const verb = { GET: read, POST: "create", PUT: "update", PATCH: "patch", DELETE: "delete" }[method] ?? method;
  return `${verb} ${group ?? ""}/${resource}`;
}

/** One replica, started with the arguments of the chart's Deployment. */
export interface Replica {
  readonly name: string;
  readonly port: number;
  readonly process: Child;
}

/** Starts a replica; resolves when `/readyz` says so. `apiUrl`: the API server, or a recorder before it. */
export async function startReplica(
  cp: ControlPlane,
  objects: readonly KubeObject[],
  name: string,
  options: { apiUrl?: string; args?: readonly string[] } = {},
): Promise<Replica> {
  const port = await freePort();
  const kubeconfig = join(cp.folder, `${name}.kubeconfig`);
  const account = { name: "paceline", token: await accountToken(cp.client, "paceline") };
  const text = cp.kubeconfigFor(account).replaceAll(cp.url, options.apiUrl ?? cp.url);
  await writeFile(kubeconfig, text, { mode: 0o600 });
  const process_ = await cp.startProgram(name, process.execPath, [
    MAIN,
    ...containerArgs(objects, name),
    ...["--kubeconfig", kubeconfig, "--host", "127.0.0.1", "--port", String(port)],
    ...["--certificate-name", "127.0.0.1"],
    ...(options.args ?? []),
  ]);
  await untilReady(port, process_);
  return { name, port, process: process_ };
}

function containerArgs(objects: readonly KubeObject[], podName: string): string[] {
  const deployment = objects.find(({ kind, metadata }) => kind === "Deployment" && metadata?.name === "paceline");
  const { template } = deployment?.["spec"] as { template: { spec: { containers: { args: string[] }[] } } };
  const args = template.spec.containers[0]?.args ?? [];
  return args.map((arg) => arg.replace("$(NAMESPACE)", NAMESPACE).replace("$(POD_NAME)", podName));
}

async function untilReady(port: number, child: Child): Promise<void> {
  const deadlineMs = Date.now() + 40_000;
  while (Date.now() < deadlineMs && child.ending() === undefined) {
    if ((await statusOf(port)) === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`the replica did not become ready\n${child.logTail()}`);
}

function statusOf(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const probe = { host: "127.0.0.1", port, path: "/readyz", rejectUnauthorized: false, agent: false };
    httpsRequest(probe, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    })
      .on("error", () => resolve(undefined))
      .end();
  });
}

/** Runs a command of the CLI under a service account of the release. */
export async function cli(
  cp: ControlPlane,
  account: string,
  args: readonly string[],
  apiUrl = cp.url,
): Promise<{ stdout: string; stderr: string }> {
  const file = join(cp.folder, `${account}.kubeconfig`);
  const user = { name: account, token: await accountToken(cp.client, account) };
  await writeFile(file, cp.kubeconfigFor(user).replaceAll(cp.url, apiUrl), { mode: 0o600 });
  return run(process.execPath, [MAIN, ...args, "--kubeconfig", file]);
}
