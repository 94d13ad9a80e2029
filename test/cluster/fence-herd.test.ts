/** The fence on a real control plane, under an unmodified kube-scheduler. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FENCE_TAINT_KEY } from "../../src/api/names.ts";
import { recordOf } from "../../src/kube/parse/kube-json.ts";
import { peakInStartup } from "../support/audit-peak.ts";
import { eventually } from "../support/control-plane.ts";
import {
  allReady,
  conditionOf,
  fenceOf,
  isReady,
  limitOf,
  NAMESPACE,
  nodeNameOf,
  type PacedCluster,
  PODS,
  type Replica,
  smallPod,
  startErrors,
  startPacedCluster,
  startReplicaWithWebhooks,
} from "../support/paced-cluster.ts";

const LIMIT = 3;
const KILLS = 10;
/** Times from the start of a leader until it is killed, ms. They are random but equal in every run. */
const killDelaysMs = fc.sample(fc.integer({ min: 100, max: 900 }), { numRuns: KILLS, seed: 1651 });

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function pendingHerd(cluster: PacedCluster, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    await cluster.plane.client.create(PODS, smallPod(`p${index}`, index % 30));
  }
  await eventually("the scheduler has looked at all", async () => {
    const pods = await cluster.pods();
    return pods.length === count && pods.every((pod) => conditionOf(pod, "PodScheduled")["reason"] === "Unschedulable");
  });
}

describe("60 pods pending, then two nodes join", () => {
  let cluster: PacedCluster;
  let leader: Replica;
  beforeAll(async () => {
    cluster = await startPacedCluster(limitOf(LIMIT));
    leader = await startReplicaWithWebhooks(cluster);
    await pendingHerd(cluster, 60);
  });
  afterAll(() => cluster.stop());

  test("by the audit log the limit always holds, though the leader is killed ten times; all pods run", async () => {
    await cluster.join("young", 2);
    for (const delayMs of killDelaysMs) {
      await pause(delayMs); // the leader is to die at a random point of the run
      await leader.process.kill();
      leader = await cluster.startReplica();
    }
    const pods = await allReady(cluster, 60);
    expect(pods.map(startErrors).filter((count) => count > 0)).toEqual([]);
    const peaks = peakInStartup(cluster.plane.auditLogPath, NAMESPACE);
    expect([...peaks.keys()].sort()).toEqual(["young-1", "young-2"]);
    for (const peak of peaks.values()) expect(peak).toBeLessThanOrEqual(LIMIT);
    expect(Math.max(...peaks.values())).toBe(LIMIT);
  });

  test("the fences are lifted once no pod waits", async () => {
    await eventually("both fences are down", async () => {
      const fences = await Promise.all(["young-1", "young-2"].map((node) => fenceOf(cluster, node)));
      return fences.every((fence) => fence === undefined);
    });
  });
});

/** Longer than a busy machine needs from the node's creation until the leader is killed. */
const CAP_MS = 20_000;

test("without a leader fences outlast their cap only until a replica is back; nodes that joined meanwhile have no fence", async () => {
  await using cluster = await startPacedCluster(limitOf(1, { fence: { maxSeconds: CAP_MS / 1_000 } }));
  const first = await startReplicaWithWebhooks(cluster);
  await cluster.join("fenced", 1);
  expect(await fenceOf(cluster, "fenced-1")).toBe("fenced-1");
  await first.process.kill();
  const sinceMs = Date.now();

  await cluster.join("open", 1);
  expect(await fenceOf(cluster, "open-1")).toBeUndefined();
  await cluster.plane.client.create(PODS, smallPod("meanwhile", 1));
  expect((await allReady(cluster, 1)).map(nodeNameOf)).toEqual(["open-1"]);

  await pause(Math.max(0, CAP_MS - (Date.now() - sinceMs))); // the cap itself
  expect(await fenceOf(cluster, "fenced-1")).toBe("fenced-1");
  await cluster.startReplica();
  await eventually("the fence is lifted", async () => (await fenceOf(cluster, "fenced-1")) === undefined);
});

test("pods end on valid nodes: selectors, anti-affinity, spread, host ports, extended resources", async () => {
  await using cluster = await startPacedCluster(limitOf(2));
  await startReplicaWithWebhooks(cluster);
  const { client } = cluster.plane;
  const hostname = "kubernetes.io/hostname";
  const apart = (app: string) => ({ topologyKey: hostname, labelSelector: { matchLabels: { app } } });
  const affinity = { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [apart("apart")] } };
  const spread = { maxSkew: 1, whenUnsatisfiable: "DoNotSchedule", ...apart("spread") };
  const portPod = (name: string) => {
    const pod = smallPod(name, 5, {}, { app: "port" });
    const [container] = recordOf(pod["spec"])["containers"] as object[];
    return { ...pod, spec: { containers: [{ ...container, ports: [{ containerPort: 80, hostPort: 8080 }] }] } };
  };
  const gpuPod = smallPod("gpu", 6);
  const [gpuContainer] = recordOf(gpuPod["spec"])["containers"] as object[];
  const gpu = { requests: { cpu: "20m", "example.com/gpu": "1" }, limits: { "example.com/gpu": "1" } };
  const herd = [
    smallPod("picky", 1, { nodeSelector: { disk: "b" } }),
    ...["x", "y", "z"].map((name) => smallPod(`apart-${name}`, 2, { affinity }, { app: "apart" })),
    ...["x", "y", "z", "w"].map((name) =>
      smallPod(`spread-${name}`, 3, { topologySpreadConstraints: [spread] }, { app: "spread" }),
    ),
    portPod("port-x"),
    portPod("port-y"),
    { ...gpuPod, spec: { containers: [{ ...gpuContainer, resources: gpu }] } },
  ];
  for (const pod of herd) await client.create(PODS, pod);
  await cluster.join("pair", 2, { labels: [{ disk: "a" }, { disk: "b" }] });
  for (const node of ["pair-1", "pair-2"]) expect(await fenceOf(cluster, node)).toBe(node);
  const extended = { "example.com/gpu": "1" };
  await client.patch("/api/v1/nodes/pair-2/status", { status: { capacity: extended, allocatable: extended } }, "merge");
  const pods = await eventually("all are Ready but the third of those that must be apart", async () => {
    const ready = (await cluster.pods()).filter(isReady);
    return ready.length === herd.length - 1 ? ready : undefined;
  });
  const nodesOf = (prefix: string) =>
    pods
      .filter(({ metadata }) => metadata?.name?.startsWith(prefix))
      .map(nodeNameOf)
      .sort();
  expect(nodesOf("picky")).toEqual(["pair-2"]);
  expect(nodesOf("gpu")).toEqual(["pair-2"]);
  expect(nodesOf("apart")).toEqual(["pair-1", "pair-2"]);
  expect(nodesOf("port")).toEqual(["pair-1", "pair-2"]);
  expect(nodesOf("spread")).toEqual(["pair-1", "pair-1", "pair-2", "pair-2"]);
  for (const node of ["pair-1", "pair-2"]) {
    await eventually(
      `the third keeps no fence up on ${node}`,
      async () => (await fenceOf(cluster, node)) === undefined,
    );
  }
  // By the generation that a refusal observed the leader knows whether it was of the pod with its newest toleration.
  // It may be of an older one: a toleration that cannot help makes the scheduler look again only minutes later.
  const third = (await cluster.pods()).find((pod) => !isReady(pod)) ?? {};
  const { generation } = third.metadata as { generation?: number };
  const { status, observedGeneration } = conditionOf(third, "PodScheduled");
  expect(status).toBe("False");
  expect(observedGeneration).toBeGreaterThan(0);
  expect(observedGeneration).toBeLessThanOrEqual(generation ?? 0);
});

test("a startup taint from Karpenter or the kubelet is adopted with the node's own value, and lifted", async () => {
  await using cluster = await startPacedCluster(limitOf(1));
  const replica = await cluster.startReplica();
  await cluster.installWebhooks(replica, ["gate"]);
  const { client } = cluster.plane;
  const taints = [{ key: FENCE_TAINT_KEY, effect: "NoSchedule" }];
  await client.create("/api/v1/nodes", { metadata: { name: "karpenter-1" }, spec: { taints } });
  await eventually("the leader adopts it", async () => (await fenceOf(cluster, "karpenter-1")) === "karpenter-1");
  const ready = { type: "Ready", status: "True", lastTransitionTime: new Date().toISOString() };
  await client.patch("/api/v1/nodes/karpenter-1/status", { status: { conditions: [ready] } }, "strategic");
  await eventually("and lifts it", async () => (await fenceOf(cluster, "karpenter-1")) === undefined);
});
