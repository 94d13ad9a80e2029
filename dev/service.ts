/** Runs `paceline serve` beside a control plane as operators do: with its own process, account and certificate. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Agent, request } from "undici";
import { COMPONENT } from "../src/api/names.ts";
import { issueClientCertificate, issueServerCertificate } from "../src/certificates/certificates.ts";
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
  /** Name of the replica; default `serve`. */
  readonly name?: string;
  readonly args?: readonly string[];
  /** The program's main module; default {@link MAIN}, the sources. */
  readonly main?: string;
  /** Where kubeconfig and certificate are written; default: the control plane's folder. */
  readonly folder?: string;
  /** Starts the program with these words; default: this Node, with the image's flags and `main`. */
  readonly start?: (words: readonly string[]) => Promise<Child>;
  /** Longest time until it is ready, ms; default {@link READY_WITHIN_MS}. */
  readonly readyWithinMs?: number;
}

/** Starts one replica; resolves when `/readyz` succeeds. Install policy and roles before (dev/install.ts). */
export async function startServiceProcess(cp: ControlPlane, options: ServiceOptions = {}): Promise<RunningService> {
  const { name = "serve", main = MAIN } = options;
  const flags = await nodeFlags();
  const start = (words: readonly string[]) => cp.startProgram(name, process.execPath, [...flags, main, ...words]);
  const defaults = { name, args: [], main, folder: cp.folder, start, readyWithinMs: READY_WITHIN_MS };
  return startOn(cp, await freePort(), { ...defaults, ...options });
}

async function startOn(cp: ControlPlane, port: number, options: Required<ServiceOptions>): Promise<RunningService> {
  const { name, args, folder, start, readyWithinMs } = options;
  const nowMs = Date.now();
  const pair = await issueServerCertificate(cp.authority, { names: ["127.0.0.1"], days: CERTIFICATE_DAYS, nowMs });
  const account = { name: COMPONENT, token: await serviceToken(cp.client) };
  const write = async (file: string, text: string) => {
    const path = join(folder, `${name}.${file}`);
    await writeFile(path, text, { mode: 0o600 });
    return path;
  };
  const child = await start([
    "serve",
    ...["--kubeconfig", await write("kubeconfig", cp.kubeconfigFor(account))],
    ...["--host", "127.0.0.1", "--port", String(port), "--identity", name],
    ...["--cert-file", await write("crt", pair.cert), "--key-file", await write("key", pair.key)],
    ...args,
  ]);
  const service = runningService(`https://127.0.0.1:${port}`, cp.caCert, child);
  await untilReady(service, readyWithinMs);
  child.announceUnexpectedEnd();
  return service;
}

/** Node's flags in the image's entry point, so that the service runs here as in a cluster. */
export async function nodeFlags(): Promise<string[]> {
  const dockerfile = await readFile(join(import.meta.dirname, "../Dockerfile"), "utf8");
  const [, entryPoint] = /^ENTRYPOINT (\[.*\])$/m.exec(dockerfile) ?? [];
  if (entryPoint === undefined) throw new Error("the Dockerfile has no ENTRYPOINT in JSON form");
  return (JSON.parse(entryPoint) as string[]).filter((part) => part.startsWith("--"));
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

async function untilReady(service: RunningService, withinMs: number): Promise<void> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const ready = await service.get("/readyz").catch(() => undefined);
    if (ready?.status === 200) return;
    const ending = service.process.ending();
    if (ending || Date.now() > deadline) {
      const why = ending ?? `it is not ready after ${withinMs / 1000} s: ${ready?.text ?? "no answer"}`;
      await service.stop();
      throw new Error(`paceline serve did not start: ${why}\n${service.process.logTail()}`);
    }
    await delay(50); // the start of a program cannot be awaited from outside
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
