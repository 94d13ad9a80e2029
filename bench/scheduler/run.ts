/** One run: a fresh control plane, the herd, and how long kube-scheduler takes for it under one arrangement. */
import { type ControlPlane, startControlPlane } from "../../dev/control-plane/control-plane.ts";
import type { SchedulerOptions } from "../../dev/control-plane/scheduler-configuration.ts";
import { installAccess, installWebhooks, type PolicyBody } from "../../dev/install.ts";
import { extenderOf, startServiceProcess } from "../../dev/service.ts";
import { eventually } from "../../test/support/control-plane.ts";
import { issueClientCertificate } from "../../src/certificates/certificates.ts";
import { withProgress } from "../progress.ts";
import { createNodes, createWaitingPods, type HerdSize, obstacles, watchBindings } from "./herd.ts";
import { startNoOp } from "./no-op.ts";

/** The arrangements: what runs beside the scheduler. */
export const ARRANGEMENTS = [
  "without",
  "no-op extender in Go",
  "Paceline's extender, nodes settled",
  "Paceline's extender, nodes young",
  "gate and fence, nodes settled",
] as const;
export type Arrangement = (typeof ARRANGEMENTS)[number];

const DAY_MS = 86_400_000;
/** With kube-scheduler's own limit of 50 requests/s, only that limit would be measured. */
const CLIENT_QPS = 5_000;
const BOUND_WITHIN_MS = 180_000;
/** No telemetry: the nodes are bare and have no exporters. */
const quiet = { telemetry: { source: "none" } } as const satisfies PolicyBody;
const extenderOnly: PolicyBody = {
  ...quiet,
  gate: { enabled: false },
  fence: { enabled: false },
  extender: { enabled: true },
};
/** Nodes are young for the whole run and have a slot for every pod, because no pod ever starts. */
const youngPolicy: PolicyBody = {
  ...extenderOnly,
  youngForSeconds: 3_600,
  nodeClasses: [{ name: "bench", slots: { initial: 32, min: 32, max: 32 }, pullQPS: { qps: 0 }, drainSeconds: 119 }],
};

/** Pods bound per second, from the first binding to the last. */
export async function run(arrangement: Arrangement, size: HerdSize): Promise<number> {
  await using plane = await startControlPlane({ scheduler: false, controllerManager: false, auditLog: false });
  const { client } = plane;
  const ready = await arrange(plane, arrangement);
  const readySinceMs = arrangement.endsWith("young") ? Date.now() : Date.now() - DAY_MS;
  await createNodes(client, size, readySinceMs);
  await eventually("no node is tainted", async () => (await obstacles(client)).tainted === 0, 60_000);
  await createWaitingPods(client, size);
  const { gated } = await obstacles(client);
  if (gated > 0) throw new Error(`${gated} pods are gated, though every node is settled`);
  await using bindings = await watchBindings(client, size);
  const tookMs = await withProgress(`${arrangement}: scheduling`, async () => {
    await plane.startScheduler({ clientQps: CLIENT_QPS, ...ready });
    return bindings.last(BOUND_WITHIN_MS);
  });
  return (size.pods - 1) / (tookMs / 1_000);
}

/** Starts what runs beside the scheduler. @returns the scheduler's configuration */
async function arrange(plane: ControlPlane, arrangement: Arrangement): Promise<SchedulerOptions> {
  switch (arrangement) {
    case "without":
      return {};
    case "no-op extender in Go": {
      const client = await issueClientCertificate(plane.authority, { commonName: "kube-scheduler", days: 1, nowMs: Date.now() }); // prettier-ignore
      return { extenderUrl: await startNoOp(plane), extenderTls: { ca: plane.caCert, client } };
    }
    case "Paceline's extender, nodes settled":
    case "Paceline's extender, nodes young": {
      await installAccess(plane.client, arrangement.endsWith("young") ? youngPolicy : extenderOnly);
      return extenderOf(plane, await startServiceProcess(plane));
    }
    case "gate and fence, nodes settled": {
      await installAccess(plane.client, quiet);
      const { url } = await startServiceProcess(plane);
      await installWebhooks(plane.client, { url, caBundle: plane.caCert });
      return {};
    }
  }
}
