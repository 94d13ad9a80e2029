/** Starts etcd and kube-apiserver. Tests can kill, restart or pause the API server. */
import { existsSync } from "node:fs";
import { type ApiClient, createApiClient } from "../../src/kube/client/api-client.ts";
import type { Binaries } from "./binaries.ts";
import { type Child, startChild, untilReady } from "./child.ts";
import { apiServerFlags, etcdFlags } from "./flags.ts";
import type { ControlPlaneFolder } from "./folder.ts";
import { onFreePort } from "./ports.ts";
import type { Watchdog } from "./watchdog.ts";

/** Milliseconds; 2 to 5 s were seen on 2 idle cores, the rest is for a busy machine. */
const READY_TIMEOUT_MS = 60_000;

/** What every program of one control plane needs to start. */
export interface Surroundings {
  readonly binaries: Binaries;
  readonly folder: ControlPlaneFolder;
  readonly watchdog: Watchdog;
}

interface ApiServerOptions {
  readonly audit: boolean;
  readonly moreFlags: readonly string[];
}

export interface ApiServer {
  readonly url: string;
  /** The administrator's client. */
  readonly client: ApiClient;
  /** Kills it at once; requests are refused until `start`. */
  kill(): Promise<void>;
  /** Starts it again after `kill`, at the same address, and waits until it is ready. */
  start(): Promise<void>;
  /** SIGSTOP: connections stay open and nothing answers, like a machine that hangs. */
  pause(): void;
  /** SIGCONT, after `pause`. */
  resume(): void;
}

/** Starts etcd and kube-apiserver and waits until both are ready, Kubernetes' own namespaces included. */
export async function startApiServer(around: Surroundings, options: ApiServerOptions): Promise<ApiServer> {
  await startEtcd(around);
  const { port, child } = await onFreePort(async (port) => ({ port, child: await startOn(port, around, options) }));
  let current = child;
  const client = clientOf(port, around.folder);
  return {
    url: urlOf(port),
    client,
    kill: () => current.kill(),
    start: async () => {
      current = await startOn(port, around, options);
    },
    pause: () => current.signal("SIGSTOP"),
    resume: () => current.signal("SIGCONT"),
  };
}

async function startEtcd({ binaries, folder, watchdog }: Surroundings): Promise<void> {
  const args = etcdFlags(folder);
  const etcd = await startChild({ name: "etcd", command: binaries.etcd, args, folder: folder.path, watchdog });
  await untilReady(etcd, () => Promise.resolve(existsSync(folder.file("etcd.sock"))), READY_TIMEOUT_MS);
  etcd.announceUnexpectedEnd();
}

async function startOn(port: number, around: Surroundings, options: ApiServerOptions): Promise<Child> {
  const { binaries, folder, watchdog } = around;
  const child = await startChild({
    name: "kube-apiserver",
    command: binaries["kube-apiserver"],
    args: [...apiServerFlags(folder, { port, audit: options.audit }), ...options.moreFlags],
    folder: folder.path,
    watchdog,
  });
  const client = clientOf(port, folder);
  try {
    await untilReady(child, () => isReady(client), READY_TIMEOUT_MS);
  } catch (error) {
    await child.kill();
    throw error;
  } finally {
    await client.close();
  }
  child.announceUnexpectedEnd();
  return child;
}

/** The namespaces that the API server makes itself, a moment after `/readyz` succeeds. */
const NAMESPACES = ["default", "kube-system", "kube-node-lease"].map((name) => `/api/v1/namespaces/${name}`);

async function isReady(client: ApiClient): Promise<boolean> {
  for (const path of ["/readyz", ...NAMESPACES]) if (!(await answersOk(client, path))) return false;
  return true;
}

/** True when a GET of `path` answers 200; false without an answer. */
export async function answersOk(client: ApiClient, path: string): Promise<boolean> {
  return client.raw("GET", path).then(
    ({ status }) => status === 200,
    () => false,
  );
}

function clientOf(port: number, folder: ControlPlaneFolder): ApiClient {
  return createApiClient({ url: urlOf(port), ca: folder.authority.cert, token: folder.users.admin.token });
}

function urlOf(port: number): string {
  return `https://127.0.0.1:${port}`;
}
