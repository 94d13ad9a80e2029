/**
 * Child process of bench/service/admission.ts in the role of the API server. It sends pod creations at a fixed rate,
 * without waiting for answers, and reports the results.
 */
import { once } from "node:events";
import { Pool } from "undici";
import { percentile } from "../figures.ts";
import { daemonPodObject, unboundPodObject } from "./objects.ts";

export interface ClientOrder {
  readonly port: number;
  readonly perSecond: number;
  readonly seconds: number;
  /** Nodes for which DaemonSet pods are created, besides pods that may go anywhere. */
  readonly daemonNodes: readonly string[];
}

export interface ClientOutcome {
  /** Not answered with 200. */
  readonly failed: number;
  /** Answered with a patch: held. */
  readonly patched: number;
  /** From sending until the whole answer was read. */
  readonly p99Ms: number;
}

/** The API server's time-out of the webhook. */
const TIMEOUT_MS = 2_000;
const BODIES = 2_000;
/** Of ten pods, four are DaemonSet pods if there are young nodes, and one fits no node. */
const DAEMON_PODS_OF_TEN = 4;

function bodies({ daemonNodes }: ClientOrder): string[] {
  return Array.from({ length: BODIES }, (_, index) => {
    const node = daemonNodes[index % Math.max(1, daemonNodes.length)];
    const isDaemon = node !== undefined && index % 10 < DAEMON_PODS_OF_TEN;
    const object = isDaemon ? daemonPodObject(index, node) : unboundPodObject(index);
    return JSON.stringify(review(index % 10 === 9 ? hungry(object) : object, index));
  });
}

/** A pod that asks for more than any node has. */
function hungry(object: ReturnType<typeof unboundPodObject>) {
  const spec = object["spec"] as { readonly containers: readonly object[] };
  const resources = { requests: { cpu: "200", memory: "1Ti" } };
  return {
    ...object,
    spec: { ...spec, containers: spec.containers.map((container) => ({ ...container, resources })) },
  };
}

function review(object: ReturnType<typeof unboundPodObject>, index: number) {
  const { namespace = "default", ...metadata } = object.metadata;
  const pods = { group: "", version: "v1", resource: "pods" };
  const kind = { group: "", version: "v1", kind: "Pod" };
  return {
    kind: "AdmissionReview",
    apiVersion: "admission.k8s.io/v1",
    request: {
      uid: `20000000-0000-4000-8000-${index.toString(16).padStart(12, "0")}`,
      kind,
      resource: pods,
      requestKind: kind,
      requestResource: pods,
      namespace,
      operation: "CREATE",
      userInfo: {
        username: "system:serviceaccount:kube-system:replicaset-controller",
        groups: ["system:authenticated"],
      },
      object: { ...object, metadata: { ...metadata, namespace } },
      oldObject: null,
      dryRun: false,
      options: { kind: "CreateOptions", apiVersion: "meta.k8s.io/v1" },
    },
  };
}

async function run(order: ClientOrder): Promise<ClientOutcome> {
  const pool = new Pool(`http://127.0.0.1:${order.port}`, { connections: 64 });
  const tookMs: number[] = [];
  const seen = { failed: 0, patched: 0 };
  const send = async (body: string) => {
    const beganMs = performance.now();
    try {
      const headers = { "content-type": "application/json" };
      const options = { path: "/mutate/pods", method: "POST", headers, body, headersTimeout: TIMEOUT_MS } as const;
      const answer = await pool.request(options);
      const text = await answer.body.text();
      if (answer.statusCode !== 200) seen.failed += 1;
      else if (text.includes('"patch"')) seen.patched += 1;
      tookMs.push(performance.now() - beganMs);
    } catch {
      seen.failed += 1;
    }
  };
  await atRate(order, bodies(order), send);
  await pool.close();
  return { ...seen, p99Ms: percentile(tookMs, 0.99) };
}

/** Sends the requests that are due each millisecond; resolves when all are answered. */
async function atRate(
  { perSecond, seconds }: ClientOrder,
  texts: readonly string[],
  send: (body: string) => Promise<void>,
) {
  const beganMs = performance.now();
  const running: Promise<void>[] = [];
  while (running.length < perSecond * seconds) {
    const due = Math.min(perSecond * seconds, ((performance.now() - beganMs) / 1_000) * perSecond);
    while (running.length < due) running.push(send(texts[running.length % texts.length] ?? ""));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(running);
}

const [order] = (await once(process, "message")) as [ClientOrder];
process.send?.(await run(order));
process.disconnect();
