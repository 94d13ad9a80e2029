/** The release loop on a real control plane, with a real scheduler: two replicas, one of which is cut off in between. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Fastify from "fastify";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startControlPlane } from "../../dev/control-plane/control-plane.ts";
import type { ControlPlane } from "../../dev/control-plane/control-plane.ts";
import { GATE } from "../../src/api/names.ts";
import { startService } from "../../src/cli/service.ts";
import type { Service } from "../../src/cli/service.ts";
import { createApiClient } from "../../src/cluster/api-client.ts";
import type { ApiClient } from "../../src/cluster/api-client.ts";
import { systemClock } from "../../src/cluster/clock.ts";
import { podFacts } from "../../src/cluster/facts.ts";
import { silentLog } from "../../src/cluster/log.ts";
import { startReflector } from "../../src/cluster/reflector.ts";
import type { Reflector } from "../../src/cluster/reflector.ts";
import { createShapeInterner } from "../../src/cluster/shape-interner.ts";
import type { PodFacts } from "../../src/core/facts.ts";
import { startCutProxy } from "../support/cut-proxy.ts";
import type { CutProxy } from "../support/cut-proxy.ts";

const LIMIT = 3;
const POLICY = `
apiVersion: paceline.dev/v1alpha1
kind: PacingPolicy
youngForSeconds: 3600
nodeClasses:
  - name: test
    slots: { initial: ${LIMIT}, min: ${LIMIT}, max: ${LIMIT} }
`;
const LEASE_TIMES = { durationMs: 3_000, renewDeadlineMs: 2_000, retryMs: 300 };

let plane: ControlPlane;
let admin: ApiClient;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "paceline-release-"));
  await writeFile(join(folder, "policy.yaml"), POLICY);
  plane = await startControlPlane({ controllerManager: false });
  admin = createApiClient({ url: plane.url, token: plane.token, ca: plane.caCert });
});
afterAll(async () => {
  await admin.close();
  await plane.stop();
  await rm(folder, { recursive: true });
});

async function createNode(name: string): Promise<void> {
  await admin.create("/api/v1/nodes", { metadata: { name } });
  await admin.patch(`/api/v1/nodes/${name}`, { spec: { taints: null } }, "merge");
  const status = {
    allocatable: { cpu: "64", memory: "64Gi", pods: "200" },
    capacity: { cpu: "64", memory: "64Gi", pods: "200" },
    conditions: [{ type: "Ready", status: "True", reason: "Ready", lastTransitionTime: new Date().toISOString() }],
  };
  await admin.patch(`/api/v1/nodes/${name}/status`, { status }, "merge");
}

/** Pods as the DaemonSet controller makes them and the webhook gates them. */
async function createHerd(node: string, count: number): Promise<void> {
  const term = { matchFields: [{ key: "metadata.name", operator: "In", values: [node] }] };
  const required = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] } };
  for (let index = 0; index < count; index++) {
    await admin.create("/api/v1/namespaces/default/pods", {
      metadata: { name: `${node}-${index}` },
      spec: {
        containers: [{ name: "app", image: "app:1" }],
        schedulingGates: [{ name: GATE }],
        affinity: { nodeAffinity: required },
      },
    });
  }
}

/** Watches one node's pods as an outsider, and plays its kubelet. */
interface Observer extends AsyncDisposable {
  readonly pods: ReadonlyMap<string, PodFacts>;
  /** The most pods with a slot at a time. */
  readonly peak: number;
  /** Milliseconds from a slot coming free to the next release, as seen from outside. */
  readonly delaysMs: readonly number[];
  started(): number;
}

function observe(node: string, startMs: number): Observer {
  const interner = createShapeInterner();
  const pods = new Map<string, PodFacts>();
  const starting = new Set<string>();
  const delaysMs: number[] = [];
  const freedAtMs: number[] = [];
  let peak = 0;
  const start = async (pod: PodFacts) => {
    await new Promise((resolve) => setTimeout(resolve, startMs));
    const now = new Date().toISOString();
    const status = {
      phase: "Running",
      conditions: [{ type: "Ready", status: "True", lastTransitionTime: now }],
      containerStatuses: [{ name: "app", image: "app:1", imageID: "", started: true, ready: true, restartCount: 0 }],
    };
    freedAtMs.push(performance.now());
    await admin.patch(`/api/v1/namespaces/default/pods/${pod.name}/status`, { status }, "strategic");
  };
  const onUpsert = (pod: PodFacts) => {
    const before = pods.get(pod.uid);
    pods.set(pod.uid, pod);
    if (before?.gated === true && !pod.gated) {
      const freed = freedAtMs.shift();
      if (freed !== undefined) delaysMs.push(performance.now() - freed);
    }
    peak = Math.max(peak, [...pods.values()].filter((one) => !one.gated && !one.containersStarted).length);
    if (pod.node !== undefined && !starting.has(pod.uid)) {
      starting.add(pod.uid);
      void start(pod);
    }
  };
  const reflector: Reflector = startReflector({
    client: admin,
    path: "/api/v1/namespaces/default/pods",
    parse: (raw) => {
      const pod = podFacts(raw, interner);
      return pod.pinnedTo === node ? pod : undefined;
    },
    onUpsert,
    onDelete: (uid) => void pods.delete(uid),
    clock: systemClock,
    random: Math.random,
    log: silentLog,
  });
  return {
    pods,
    delaysMs,
    get peak() {
      return peak;
    },
    started: () => [...pods.values()].filter((pod) => pod.containersStarted).length,
    [Symbol.asyncDispose]: () => reflector.stop(),
  };
}

const quietLog = Fastify({ logger: false }).log;

async function startReplica(identity: string, proxy: CutProxy): Promise<Service> {
  const service = await startService({
    access: { url: proxy.url, token: plane.token, ca: plane.caCert },
    namespace: "default",
    host: "127.0.0.1",
    port: 0,
    policyFile: join(folder, "policy.yaml"),
    identity,
    log: quietLog,
    leaseTimes: LEASE_TIMES,
  });
  await service.ready;
  return service;
}

const within = { timeout: 60_000, interval: 20 };

describe("the release loop on a real control plane", () => {
  it("starts a herd in batches of the limit, and fills a free slot within 100 ms", async () => {
    await using proxy = await startCutProxy(plane.url);
    const service = await startReplica("alone", proxy);
    await createNode("quick");
    await using node = observe("quick", 150);
    await createHerd("quick", 60);
    await expect.poll(() => node.started(), within).toBe(60);
    expect(node.peak).toBe(LIMIT);
    const sorted = [...node.delaysMs].sort((a, b) => a - b);
    const percentile = (share: number) => Math.round(sorted[Math.floor(share * (sorted.length - 1))] ?? NaN);
    console.log(`slot free → released: p50 ${percentile(0.5)} ms, p99 ${percentile(0.99)} ms, n ${sorted.length}`);
    expect(percentile(0.9)).toBeLessThanOrEqual(100);
    await service.stop();
  });

  it("neither loses nor doubles anything when the leader is cut off in the middle", async () => {
    await using near = await startCutProxy(plane.url);
    await using far = await startCutProxy(plane.url);
    const [one, other] = [await startReplica("one", near), await startReplica("other", far)];
    await expect.poll(() => one.isLeader || other.isLeader, within).toBe(true);
    await createNode("twice");
    await using node = observe("twice", 150);
    await createHerd("twice", 30);
    await expect.poll(() => node.started(), within).toBeGreaterThanOrEqual(9);
    const [leader, proxy, heir] = one.isLeader ? [one, near, other] : [other, far, one];
    proxy.cut();
    await expect.poll(() => heir.isLeader, within).toBe(true);
    expect(leader.isLeader).toBe(false);
    await expect.poll(() => node.started(), within).toBe(30);
    expect(node.peak).toBe(LIMIT);
    await Promise.all([one.stop(), other.stop()]);
  });
});
