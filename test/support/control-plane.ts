/** Shared by tests on a real control plane: waiting for an effect, and a node that is Ready without a kubelet. */
import { execFileSync } from "node:child_process";
import { FENCE_TAINT_KEY } from "../../src/api/names.ts";
import type { ApiClient } from "../../src/kube/client/api-client.ts";
import type { KubeObject } from "../../src/kube/parse/kube-json.ts";

/** How long a test waits for an effect, ms. It only guards against hanging; tests do not check speed. */
export const HANG_MS = 180_000;

/**
 * Asks `probe` every 50 ms until it returns something other than undefined or false, and returns that.
 * @throws when `timeoutMs` is over, with what `probe` last threw, if it did.
 */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = HANG_MS,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let cause: unknown;
  for (let isLast = false; !isLast;) {
    // Asks once more after the time-out, since on a busy machine this process may not have run meanwhile.
    isLast = performance.now() >= deadline;
    try {
      const answer = await probe();
      if (answer !== undefined && answer !== false) return answer;
    } catch (error) {
      cause = error;
    }
    if (!isLast) await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`not within ${timeoutMs} ms: ${what}`, { cause });
}

/** Waits until joining nodes are fenced: the API server learns of new webhooks a moment after they were created. */
export async function untilFenced(client: ApiClient): Promise<void> {
  await eventually("the API server calls the webhook of nodes", async () => {
    const node = await client.create("/api/v1/nodes", { metadata: { name: "dry-run" } }, { dryRun: "All" });
    return JSON.stringify(node["spec"]).includes(FENCE_TAINT_KEY);
  });
}

/**
 * A Ready node without a kubelet: pods are bound to it and stay Pending. It stays Ready for 50 s, the grace period of
 * node-lifecycle. For a longer time, use a modelled node.
 */
export async function createBareNode(client: ApiClient, name: string, pods = 110): Promise<void> {
  const resources = { cpu: "8", memory: "32Gi", "ephemeral-storage": "100Gi", pods: String(pods) };
  await client.create("/api/v1/nodes", { metadata: { name, labels: { "kubernetes.io/hostname": name } } });
  const at = new Date().toISOString();
  const ready = {
    type: "Ready",
    status: "True",
    reason: "KubeletReady",
    lastHeartbeatTime: at,
    lastTransitionTime: at,
  };
  const status = { capacity: resources, allocatable: resources, conditions: [ready] };
  await client.patch(`/api/v1/nodes/${name}/status`, { status }, "merge");
}

/** A pod of one container that requests next to nothing. */
export function podNamed(name: string, spec: Record<string, unknown> = {}): KubeObject {
  return { metadata: { name }, spec: { containers: [{ name: "main", image: "example.com/app:1" }], ...spec } };
}

/** Command lines of running processes that mention `text`. */
export function processesMentioning(text: string): string[] {
  const lines = execFileSync("ps", ["-A", "-o", "args="], { encoding: "utf8" }).split("\n");
  return lines.filter((line) => line.includes(text));
}
