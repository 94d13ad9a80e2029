/**
 * `npm run bench:sandbox-events`: what the watch on Events of failed sandboxes costs, on the real control plane. Bytes
 * and CPU of this side for each such Event, and the API server's CPU for each Event of any kind, which it decodes once
 * more for every watch, because it keeps no watch cache of Events.
 */
import { readdir, readFile } from "node:fs/promises";
import { startControlPlane } from "../dev/control-plane/control-plane.ts";
import { createPacer } from "../src/core/pacer.ts";
import type { ApiClient } from "../src/kube/client/api-client.ts";
import { nodeFacts, podFacts } from "../src/kube/parse/facts.ts";
import type { KubeObject } from "../src/kube/parse/kube-json.ts";
import { sandboxFailure, SANDBOX_FAILED } from "../src/kube/parse/sandbox-failure.ts";
import { createShapeInterner } from "../src/kube/parse/shape-interner.ts";
import { parseWatchEvent } from "../src/kube/watch/watch-event.ts";
import { defaultPolicy } from "../src/policy/parse.ts";
import { printVerdict } from "./figures.ts";

const EVENTS = 2_000;
const AT_A_TIME = 16;
/** The API server's watches of the last measurement: as many as a large installation has replicas. */
const WATCHES = 5;
const NODE = "n1";
/** As aws-cni has it, the plugin that fails most often: github.com/aws/karpenter-provider-aws/issues/3989. */
const MESSAGE = `Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "2585244756197a04982514cc97947f5b7f702492df9776871fa3d7d3b3cba718": plugin type="aws-cni" name="aws-cni" failed (add): add cmd: failed to assign an IP address to container`;
/** Ticks of /proc/<pid>/stat: Linux has 100 a second on every platform of Node.js. */
const TICK_MS = 10;

async function createEvents(client: ApiClient, pod: KubeObject, reason: string): Promise<void> {
  const { name, namespace, uid, resourceVersion } = pod.metadata ?? {};
  const at = new Date().toISOString().replace(/\.\d+/, "");
  const one = {
    metadata: { generateName: `${name}.`, namespace },
    involvedObject: { kind: "Pod", apiVersion: "v1", namespace, name, uid, resourceVersion },
    ...{ reason, message: MESSAGE, type: "Warning", count: 1, firstTimestamp: at, lastTimestamp: at },
    source: { component: "kubelet", host: NODE },
    ...{ reportingComponent: "kubelet", reportingInstance: NODE },
  };
  for (let done = 0; done < EVENTS; done += AT_A_TIME) {
    const some = Array.from({ length: AT_A_TIME }, () => client.create("/api/v1/namespaces/default/events", one));
    await Promise.all(some);
  }
}

/** Watches until `count` lines have come, or until it is aborted. */
async function watch(client: ApiClient, count: number, onLine: (line: string) => void): Promise<() => Promise<void>> {
  const { metadata } = await client.list("/api/v1/events", { limit: 1 });
  const stopping = new AbortController();
  let left = count;
  const query = { fieldSelector: `reason=${SANDBOX_FAILED}`, resourceVersion: metadata?.resourceVersion };
  const all = Promise.withResolvers<undefined>();
  const opened = Promise.withResolvers<undefined>();
  const ended = client
    .watch("/api/v1/events", query, {
      signal: stopping.signal,
      idleTimeoutMs: 600_000,
      onOpen: () => opened.resolve(undefined),
      onLine(line) {
        onLine(line);
        if ((left -= 1) === 0) all.resolve(undefined);
      },
    })
    .catch(() => undefined); // aborted
  await opened.promise;
  return async () => {
    if (count > 0) await all.promise;
    stopping.abort();
    await ended;
  };
}

/** CPU time of the API server whose files are in `folder`, ms. */
async function apiServerCpuMs(folder: string): Promise<number> {
  for (const pid of await readdir("/proc")) {
    const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    if (!command.includes("kube-apiserver\0") || !command.includes(folder)) continue;
    const fields = (await readFile(`/proc/${pid}/stat`, "utf8")).split(") ")[1]?.split(" ") ?? [];
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  }
  throw new Error(`no API server runs in ${folder}`);
}

await using plane = await startControlPlane({ scheduler: false, controllerManager: false, auditLog: false });
const { client, folder } = plane;
const node = await client.create("/api/v1/nodes", { metadata: { name: NODE } });
const pod = await client.create("/api/v1/namespaces/default/pods", {
  metadata: { name: "web-5659dd6f47-92rj7" },
  spec: { nodeName: NODE, containers: [{ name: "main", image: "app:1" }] },
});
await createEvents(client, pod, "Warm"); // connections, and the server's own caches

const lines: string[] = [];
const untilAll = await watch(client, EVENTS, (line) => lines.push(line));
await createEvents(client, pod, SANDBOX_FAILED);
await untilAll();

const interner = createShapeInterner();
const pacer = createPacer(defaultPolicy());
const nowMs = Date.now();
pacer.upsertNode(nodeFacts(node, interner), nowMs);
pacer.upsertPod(podFacts(pod, interner), nowMs);
let counted = 0;
const before = process.threadCpuUsage();
for (const line of lines) {
  const event = parseWatchEvent(line);
  const failure = event?.kind === "upsert" ? sandboxFailure(event.object) : undefined;
  if (failure && pacer.observeSandboxFailure(failure, nowMs)) counted += 1;
}
const { user, system } = process.threadCpuUsage(before);
if (counted !== EVENTS) throw new Error(`only ${counted} of ${EVENTS} Events counted`);

/** The API server's CPU for a thousand Events of another reason, ms, with so many watches. */
async function serverMs(watches: number): Promise<number> {
  const opened = await Promise.all(Array.from({ length: watches }, () => watch(client, 0, () => undefined)));
  const began = await apiServerCpuMs(folder);
  await createEvents(client, pod, "Scheduled");
  const spent = (await apiServerCpuMs(folder)) - began;
  for (const close of opened) await close();
  return (spent * 1_000) / EVENTS;
}
const rounds: number[][] = [];
for (let round = 0; round < 3; round += 1) rounds.push([await serverMs(0), await serverMs(WATCHES)]);
const middle = (column: number) => rounds.map((round) => round[column] ?? NaN).toSorted((a, b) => a - b)[1] ?? NaN;
const bytes = lines.reduce((sum, line) => sum + Buffer.byteLength(line), 0) / lines.length;
const note = `without a watch ${middle(0).toFixed(0)} ms; the middle of three rounds`;
process.exitCode = printVerdict([
  { what: "one such Event on the watch", unit: "bytes", measured: bytes },
  { what: "1,000 of them: line, Event, verdict, limit", unit: "ms", measured: (user + system) / lines.length },
  { what: "API server: 1,000 other Events with five watches", unit: "ms", measured: middle(1), note },
]);
