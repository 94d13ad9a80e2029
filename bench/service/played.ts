/** Memory and first sync of `serve` at full size, with an API server that is played from memory (played-api.ts). */
import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { request } from "undici";
import { stringify } from "yaml";
import { freePort } from "../../dev/control-plane/ports.ts";
import { MAIN, nodeFlags } from "../../dev/service.ts";
import { eventually } from "../../test/support/control-plane.ts";
import type { Figure } from "../figures.ts";
import { withProgress } from "../progress.ts";
import { BUDGETS } from "./budgets.ts";
import { residentMemory } from "./memory.ts";
import type { ClusterSize } from "./objects.ts";

const SYNC_WITHIN_MS = 180_000;
/** Memory is read again this long after the sync, ms, so that garbage can have been collected. */
const REST_MS = 10_000;
const POLICY = { apiVersion: "paceline.dev/v1alpha1", kind: "PacingPolicy", telemetry: { source: "none" } };

/** Figures of one process that syncs once. */
export async function benchPlayed(size: ClusterSize): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), "paceline-bench-service-"));
  const api = fork(join(import.meta.dirname, "played-api.ts"), [size.nodes, size.pods].map(String));
  let serve: ChildProcess | undefined;
  const clean = () => {
    serve?.kill("SIGKILL");
    api.kill();
    rmSync(folder, { recursive: true, force: true });
  };
  process.once("exit", clean); // however this process ends, nothing stays behind
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
  try {
    const [{ port }] = (await withProgress("making the pages of the lists", () => once(api, "message"))) as [
      { port: number },
    ];
    const beganMs = performance.now();
    const servePort = await freePort();
    serve = await startServe(folder, `http://127.0.0.1:${port}`, servePort);
    await withProgress("first sync, played", () =>
      eventually("serve is ready", () => isReady(servePort), SYNC_WITHIN_MS),
    );
    const seconds = (performance.now() - beganMs) / 1_000;
    const pid = serve.pid ?? Number.NaN;
    const synced = await residentMemory(pid);
    await delay(REST_MS); // nothing announces that garbage was collected
    return figures(size, seconds, synced.peakMib, await residentMemory(pid));
  } finally {
    clean();
    process.off("exit", clean);
  }
}

function figures(
  size: ClusterSize,
  seconds: number,
  syncPeakMib: number,
  end: { nowMib: number; peakMib: number },
): Figure[] {
  const where = `at ${size.nodes} nodes and ${size.pods} pods, played`;
  const note = `RSS; peak of the sync ${syncPeakMib.toFixed(0)}, ${REST_MS / 1_000} s after it ${end.nowMib.toFixed(0)}`;
  return [
    { what: `first sync ${where}`, unit: "s", measured: seconds, budget: { kind: "at most", value: BUDGETS.syncSeconds }, note: "from the process's start until /readyz" }, // prettier-ignore
    { what: `memory of serve, peak, ${where}`, unit: "MiB", measured: end.peakMib, budget: { kind: "at most", value: BUDGETS.rssMib }, note }, // prettier-ignore
  ];
}

async function startServe(folder: string, server: string, port: number): Promise<ChildProcess> {
  const write = async (name: string, content: object) => {
    const path = join(folder, name);
    await writeFile(path, stringify(content));
    return path;
  };
  const kubeconfig = await write("kubeconfig.yaml", {
    apiVersion: "v1",
    kind: "Config",
    "current-context": "played",
    users: [{ name: "played", user: {} }],
    clusters: [{ name: "played", cluster: { server, "insecure-skip-tls-verify": true } }],
    contexts: [{ name: "played", context: { cluster: "played", user: "played" } }],
  });
  const policy = await write("policy.yaml", POLICY);
  const listen = ["--host", "127.0.0.1", "--port", String(port), "--log-level", "error"];
  const words = [...(await nodeFlags()), MAIN, "serve", "--kubeconfig", kubeconfig, "--policy", policy, ...listen];
  return spawn(process.execPath, words, { stdio: ["ignore", "inherit", "inherit"] });
}

async function isReady(port: number): Promise<boolean> {
  const { statusCode, body } = await request(`http://127.0.0.1:${port}/readyz`);
  await body.dump();
  return statusCode === 200;
}
