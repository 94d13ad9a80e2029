/**
 * Fills a control plane through its API: nodes and pods as controllers create them, then their status as kubelets write
 * it.
 */
import type { ApiClient } from "../../src/kube/client/api-client.ts";
import { errorFromAnswer } from "../../src/kube/client/api-error.ts";
import { forEachOf } from "../progress.ts";
import { type ClusterSize, type ObjectWithStatus, nodeObject, podObject, namespaces } from "./objects.ts";

/** Requests on their way: enough to keep an API server on two cores busy. */
const AT_A_TIME = 48;
const DAY_MS = 86_400_000;

/** The result. */
export interface Filled {
  readonly seconds: number;
  /** Pods that exist. */
  readonly pods: number;
  /** Pods whose status says that they run; the others are bound and have not started. */
  readonly running: number;
}

/**
 * Creates everything. Nodes have been Ready for a day. Pods are created, and then their statuses written, until
 * `deadlineMs` (epoch): on a slow machine some are missing, or stay without a status.
 */
export async function fill(client: ApiClient, size: ClusterSize, deadlineMs: number): Promise<Filled> {
  const beganMs = Date.now();
  const send = sender(client);
  const sinceMs = beganMs - DAY_MS;
  const each = (count: number) => ({ count, atATime: AT_A_TIME });
  for (const name of namespaces()) await send("POST", "/api/v1/namespaces", { metadata: { name } });
  await forEachOf("creating nodes", each(size.nodes), async (index) => {
    const { object, status } = nodeObject(index, sinceMs);
    await send("POST", "/api/v1/nodes", object);
    await send("PATCH", `/api/v1/nodes/${object.metadata.name}/status`, { status });
  });
  let pods = 0;
  await forEachOf("creating pods", each(size.pods), async (index) => {
    if (Date.now() > deadlineMs) return;
    const { object } = podObject(index, size, sinceMs);
    await send("POST", podsPath(object), object);
    pods += 1;
  });
  let running = 0;
  await forEachOf("writing the status of pods", each(pods), async (index) => {
    if (Date.now() > deadlineMs) return;
    const { object, status } = podObject(index, size, sinceMs);
    await send("PATCH", `${podsPath(object)}/${object.metadata.name}/status`, { status });
    running += 1;
  });
  return { seconds: (Date.now() - beganMs) / 1_000, pods, running };
}

const podsPath = ({ metadata }: ObjectWithStatus["object"]) => `/api/v1/namespaces/${metadata.namespace ?? ""}/pods`;

/** Answers are not parsed: they are as large as the objects. */
function sender(client: ApiClient) {
  return async (method: "POST" | "PATCH", path: string, body: unknown) => {
    const contentType = method === "POST" ? "application/json" : "application/merge-patch+json";
    const { status, text, retryAfter } = await client.raw(method, path, { body: JSON.stringify(body), contentType });
    if (status >= 400) throw errorFromAnswer(`${method} ${path}`, status, text, retryAfter);
  };
}
