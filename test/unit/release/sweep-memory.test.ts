/** The janitor on a large cluster: a process of its own, with the memory that the chart gives it. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { FENCE_TAINT_KEY } from "../../../src/api/names.ts";
import { json, refusal, startScriptedApi } from "../../support/scripted-api.ts";

const MAIN = join(import.meta.dirname, "../../../src/cli/main.ts");

/** What the largest nodes of a real cluster have, bytes. */
const NODE_BYTES = 73 * 1_024;
const NODES = 1_500;
/** One node in so many has a fence that is past its cap. */
const FENCED_EACH = 100;
/** Heap of the process, MiB: a third of what raw nodes of that number need, a quarter of the chart's limit. */
const HEAP_MIB = 64;

function rawNode(index: number): object {
  const image = (at: number) => ({
    names: [`registry.example/team/app-${at}@sha256:${"ab".repeat(32)}`, `registry.example/team/app-${at}:1`],
    sizeBytes: 100_000_000 + at,
  });
  const fence = { key: FENCE_TAINT_KEY, value: `node-${index}`, effect: "NoSchedule" };
  const node = {
    metadata: { name: `node-${index}`, uid: `uid-${index}`, creationTimestamp: "2026-01-01T00:00:00Z" },
    spec: { taints: index % FENCED_EACH === 0 ? [fence] : [] },
    status: {
      conditions: [{ type: "Ready", status: "True", lastTransitionTime: "2026-01-01T00:00:10Z" }],
      images: Array.from({ length: 50 }, (_, at) => image(at)),
      volumesInUse: [] as string[],
    },
  };
  while (JSON.stringify(node).length < NODE_BYTES) {
    node.status.volumesInUse.push(...Array.from({ length: 50 }, (_, at) => `csi/${index}-${at}-${"v".repeat(60)}`));
  }
  return node;
}

async function kubeconfigFor(server: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "paceline-sweep-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, "kubeconfig");
  const config = {
    ...{ apiVersion: "v1", kind: "Config", "current-context": "x" },
    clusters: [{ name: "c", cluster: { server, "insecure-skip-tls-verify": true } }],
    users: [{ name: "u", user: { token: "t" } }],
    contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
  };
  await writeFile(file, JSON.stringify(config));
  return file;
}

test(`the janitor looks at ${NODES} nodes of ${NODE_BYTES} bytes in a heap of ${HEAP_MIB} MiB`, async () => {
  const limits = new Set<number>();
  await using api = await startScriptedApi(({ path, query }) => {
    if (path === "/api/v1/pods") return json({ metadata: {}, items: [] });
    if (path !== "/api/v1/nodes") return refusal(404, "NotFound");
    const from = Number(query.get("continue") ?? 0);
    const limit = Number(query.get("limit"));
    limits.add(limit);
    const to = Math.min(NODES, from + limit);
    const items = Array.from({ length: to - from }, (_, at) => rawNode(from + at));
    return json({ metadata: { continue: to < NODES ? String(to) : "" }, items });
  });
  const args = [`--max-old-space-size=${HEAP_MIB}`, "--max-semi-space-size=8", MAIN];
  const command = ["release", "--expired", "--dry-run", "--json", "--kubeconfig", await kubeconfigFor(api.url)];
  const { stdout } = await promisify(execFile)(process.execPath, [...args, ...command]);
  expect((JSON.parse(stdout) as { nodes: unknown[] }).nodes).toHaveLength(NODES / FENCED_EACH);
  expect(Math.max(...limits) * NODE_BYTES, "bytes of a page").toBeLessThan(8 * 1_048_576);
}, 60_000);
