/** Runs `paceline serve` beside a control plane, as operators run it: own process, own account, own certificate. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Agent, request } from "undici";
import { COMPONENT } from "../src/api/names.ts";
import { issueClientCertificate, issueServerCertificate } from "../src/cluster/certificates.ts";
import type { Child } from "./control-plane/child.ts";
import type { ControlPlane } from "./control-plane/control-plane.ts";
import { freePort } from "./control-plane/ports.ts";
import { serviceToken } from "./install.ts";

export const MAIN = join(import.meta.dirname, "../src/cli/main.ts");
const READY_WITHIN_MS = 30_000;
const CERTIFICATE_DAYS = 1;

export interface RunningService {
  /** `https://127.0.0.1:<port>`. */
  readonly url: string;
  readonly process: Child;
  /** GET of one of its pages. */
  get(path: string): Promise<{ readonly status: number; readonly text: string }>;
  stop(): Promise<void>;
}

export interface ServiceOptions {
  /** Tells replicas apart; default `serve`. */
  readonly name?: string;
  readonly args?: readonly string[];
}

/** Starts one replica; resolves when `/readyz` says so. Policy and roles are installed before (dev/install.ts). */
export async function startServiceProcess(cp: ControlPlane, options: ServiceOptions = {}): Promise<RunningService> {
  return startOn(cp, options.name ?? "serve", await freePort(), options.args ?? []);
}

async function startOn(cp: ControlPlane, name: string, port: number, args: readonly string[]): Promise<RunningService> {
  const nowMs = Date.now();
  const pair = await issueServerCertificate(cp.authority, { names: ["127.0.0.1"], days: CERTIFICATE_DAYS, nowMs });
  const account = { name: COMPONENT, token: await serviceToken(cp.client) };
  const write = async (file: string, text: string) => {
    const path = join(cp.folder, `${name}.${file}`);
    await writeFile(path, text, { mode: 0o600 });
    return path;
  };
  const child = await cp.startProgram(name, process.execPath, [
    MAIN,
    "serve",
    ...["--kubeconfig", await write("kubeconfig", cp.kubeconfigFor(account))],
    ...["--host", "127.0.0.1", "--port", String(port), "--identity", name],
    ...["--cert-file", await write("crt", pair.cert), "--key-file", await write("key", pair.key)],
    ...args,
  ]);
  const service = runningService(`https://127.0.0.1:${port}`, cp.caCert, child);
  await untilReady(service);
  child.announceUnexpectedEnd();
  return service;
}

function runningService(url: string, ca: string, child: Child): RunningService {
  const agent = new Agent({ connect: { ca } });
  return {
    url,
    process: child,
    get: async (path) => {
      const { statusCode, body } = await request(new URL(path, url), { dispatcher: agent });
      return { status: statusCode, text: await body.text() };
    },
    stop: async () => {
      await agent.destroy();
      await child.kill();
    },
  };
}

async function untilReady(service: RunningService): Promise<void> {
  const deadline = Date.now() + READY_WITHIN_MS;
  for (;;) {
    const ready = await service.get("/readyz").catch(() => undefined);
    if (ready?.status === 200) return;
    const ending = service.process.ending();
    if (ending || Date.now() > deadline) {
      const why = ending ?? `it is not ready after ${READY_WITHIN_MS / 1000} s: ${ready?.text ?? "no answer"}`;
      await service.stop();
      throw new Error(`paceline serve did not start: ${why}\n${service.process.logTail()}`);
    }
    await delay(50); // a program's start is no event that one could await from outside
  }
}

/** What a kube-scheduler needs to call the extender of a running service. */
export async function extenderOf(cp: ControlPlane, service: RunningService) {
  const client = await issueClientCertificate(cp.authority, {
    commonName: "kube-scheduler",
    days: CERTIFICATE_DAYS,
    nowMs: Date.now(),
  });
  return { extenderUrl: service.url, extenderTls: { ca: cp.caCert, client } };
}
