/** An installation of the chart on a real control plane, with the chart's arguments, accounts and roles. */
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { createServer as createHttpsServer, request as httpsRequest } from "node:https";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { promisify } from "node:util";
import { parseAllDocuments } from "yaml";
import { helmTemplate } from "../../dev/chart/helm.ts";
import type { Child } from "../../dev/control-plane/child.ts";
import type { ControlPlane } from "../../dev/control-plane/control-plane.ts";
import { freePort } from "../../dev/control-plane/ports.ts";
import { MAIN } from "../../dev/service.ts";
import type { ApiClient } from "../../src/kube/client/api-client.ts";
import { HANG_MS } from "./control-plane.ts";
import { issueServerCertificate } from "../../src/certificates/certificates.ts";
import type { KubeObject } from "../../src/kube/parse/kube-json.ts";

const run = promisify(execFile);

export const NAMESPACE = "paceline";

/** Objects of the chart. Those of hooks are left out by default. */
export async function chartObjects(helm: string, args: readonly string[] = [], hooks = false): Promise<KubeObject[]> {
  const text = await helmTemplate({ helm, args: hooks ? args : [...args, "--no-hooks"] });
  return parseAllDocuments(text)
    .map((document) => document.toJS() as KubeObject | null)
    .filter((object) => object !== null);
}

/** Runs kubectl as the administrator. @returns its output @throws with its error output */
export async function kubectl(cp: ControlPlane, ...args: string[]): Promise<string> {
  if (cp.kubectlPath === undefined) throw new Error("kubectl is not on PATH");
  const { stdout } = await run(cp.kubectlPath, ["--kubeconfig", cp.kubeconfigPath, ...args], { maxBuffer: 1 << 24 });
  return stdout;
}

/** Runs one kubectl apply --server-side. */
export async function applyAll(cp: ControlPlane, objects: readonly KubeObject[], ...flags: string[]): Promise<string> {
  return kubectl(cp, "apply", "--server-side", "--force-conflicts", "-f", await listFile(cp, objects), ...flags);
}

/** Runs one kubectl delete. */
export async function removeAll(cp: ControlPlane, objects: readonly KubeObject[]): Promise<void> {
  await kubectl(cp, "delete", "--ignore-not-found", "--wait=false", "-f", await listFile(cp, objects));
}

async function listFile(cp: ControlPlane, objects: readonly KubeObject[]): Promise<string> {
  const file = join(cp.folder, `objects-${objects.length}.json`);
  await writeFile(file, JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }));
  return file;
}

/**
 * Lets the webhooks fail closed, so that an admission that does not reach the service is an error. A slow answer is
 * not.
 */
export function failingClosed(objects: readonly KubeObject[]): KubeObject[] {
  return objects.map((object) => {
    if (object["webhooks"] === undefined) return object;
    const webhooks = (object["webhooks"] as object[]).map((webhook) => ({
      ...webhook,
      failurePolicy: "Fail",
      timeoutSeconds: 10,
    }));
    return { ...object, webhooks };
  });
}

/** A token of a service account of the release. */
export async function accountToken(client: ApiClient, name: string): Promise<string> {
  const body = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { expirationSeconds: 7200 } };
  const { status } = await client.create(`/api/v1/namespaces/${NAMESPACE}/serviceaccounts/${name}/token`, body);
  return (status as { token: string }).token;
}

/**
 * Writes a kubeconfig with a service account's token. `apiUrl`: the API server, or a recorder before it. @returns its
 * path
 */
export async function accountKubeconfig(
  cp: ControlPlane,
  account: string,
  file: string,
  apiUrl = cp.url,
): Promise<string> {
  const path = join(cp.folder, `${file}.kubeconfig`);
  const user = { name: account, token: await accountToken(cp.client, account) };
  await writeFile(path, cp.kubeconfigFor(user).replaceAll(cp.url, apiUrl), { mode: 0o600 });
  return path;
}

/** Passes requests on to the API server, and records each in RBAC's terms: `verb group/resource[/name]`. */
export interface Recorder extends AsyncDisposable {
  readonly url: string;
  readonly seen: ReadonlySet<string>;
  /** Those of them that the API server has answered with 403. */
  readonly refused: ReadonlySet<string>;
}

export async function startRecorder(cp: ControlPlane): Promise<Recorder> {
  const seen = new Set<string>();
  const refused = new Set<string>();
  const names = ["127.0.0.1"];
  const pair = await issueServerCertificate(cp.authority, { names, days: 1, nowMs: Date.now() });
  const server = createHttpsServer(pair, (incoming, answer) => {
    const { method = "GET", url = "/", headers } = incoming;
    const asked = asRbac(method, new URL(url, cp.url));
    seen.add(asked);
    const onward = httpsRequest(new URL(url, cp.url), { method, headers, ca: cp.caCert }, (response) => {
      if (response.statusCode === 403) refused.add(asked);
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
    refused,
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

/** Starts a replica. Resolves when `/readyz` succeeds. `apiUrl`: the API server, or a recorder in front of it. */
export async function startReplica(
  cp: ControlPlane,
  objects: readonly KubeObject[],
  name: string,
  options: { apiUrl?: string; args?: readonly string[] } = {},
): Promise<Replica> {
  const port = await freePort();
  const kubeconfig = await accountKubeconfig(cp, "paceline", name, options.apiUrl);
  const process_ = await cp.startProgram(name, process.execPath, [
    MAIN,
    ...containerArgs(objects, name),
    ...["--kubeconfig", kubeconfig, "--host", "127.0.0.1", "--port", String(port)],
    ...(options.args ?? []),
  ]);
  await untilReady(port, process_);
  return { name, port, process: process_ };
}

/** The arguments of a container of one of the chart's Deployments, in a pod of this name. */
export function containerArgs(
  objects: readonly KubeObject[],
  podName: string,
  deploymentName = "paceline",
  container = "serve",
): string[] {
  const deployment = objects.find(({ kind, metadata }) => kind === "Deployment" && metadata?.name === deploymentName);
  const { template } = deployment?.["spec"] as {
    template: { spec: { containers: { name: string; args: string[] }[] } };
  };
  const args = template.spec.containers.find(({ name }) => name === container)?.args ?? [];
  return args.map((arg) => arg.replace("$(NAMESPACE)", NAMESPACE).replace("$(POD_NAME)", podName));
}

async function untilReady(port: number, child: Child): Promise<void> {
  const deadlineMs = Date.now() + HANG_MS;
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
  const file = await accountKubeconfig(cp, account, account, apiUrl);
  return run(process.execPath, [MAIN, ...args, "--kubeconfig", file]);
}

/** Waits until the replica has seen a renewal of the Lease. From then on it gates and fences. */
export function seesLeader({ port }: Pick<Replica, "port">): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = { host: "127.0.0.1", port, path: "/metrics", rejectUnauthorized: false, agent: false };
    httpsRequest(probe, (answer) => {
      let text = "";
      answer.on("data", (chunk: Buffer) => (text += chunk.toString()));
      answer.on("end", () => resolve(text.includes("paceline_leader_alive 1\n")));
    })
      .on("error", () => resolve(false))
      .end();
  });
}
