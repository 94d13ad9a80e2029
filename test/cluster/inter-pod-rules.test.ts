/**
 * Pods with rules about other pods, on a real control plane: they are gated and paced like others, and end where
 * kube-scheduler alone would have put them, because it has the choice among all nodes with a free slot.
 */
import { expect, test } from "vitest";
import { GATE } from "../../src/api/names.ts";
import type { KubeObject } from "../../src/kube/parse/kube-json.ts";
import { peakInStartup } from "../support/audit-peak.ts";
import { eventually } from "../support/control-plane.ts";
import { lightNode, lightPod } from "../support/herd.ts";
import {
  allReady,
  conditionOf,
  fenceOf,
  gatesOf,
  isReady,
  limitOf,
  NAMESPACE,
  nodeNameOf,
  type PacedCluster,
  PODS,
  startPacedCluster,
  startReplicaWithWebhooks,
} from "../support/paced-cluster.ts";

const LIMIT = 2;
const HOST = "kubernetes.io/hostname";
const ZONE = "topology.kubernetes.io/zone";

/** Young, fenced nodes, by the zone that each is in. */
async function clusterWith(zones: Readonly<Record<string, string>>): Promise<PacedCluster> {
  const cluster = await startPacedCluster(limitOf(LIMIT));
  await startReplicaWithWebhooks(cluster);
  const names = Object.keys(zones);
  await Promise.all(names.map((name) => lightNode(cluster.plane, name, { labels: { [ZONE]: zones[name] ?? "" } })));
  for (const name of names) expect(await fenceOf(cluster, name)).toBe(name);
  return cluster;
}

const alike = (app: string, topologyKey: string) => ({ topologyKey, labelSelector: { matchLabels: { app } } });
const required = (rule: object) => ({ requiredDuringSchedulingIgnoredDuringExecution: [rule] });
const spread = (app: string, key: string) => ({
  topologySpreadConstraints: [{ maxSkew: 1, whenUnsatisfiable: "DoNotSchedule", ...alike(app, key) }],
});

/** Creates pods `<app>-1` … and expects every one to be gated. Only a young node has room for them. */
async function createGated(cluster: PacedCluster, app: string, count: number, spec: object): Promise<void> {
  const pods = Array.from({ length: count }, (_, n) =>
    lightPod(`${app}-${n + 1}`, { labels: { app }, spec: { ...spec } }),
  );
  const created = await Promise.all(pods.map((pod) => cluster.plane.client.create(PODS, pod)));
  for (const pod of created) expect(gatesOf(pod)).toEqual([GATE]);
}

/** How many pods of the app are on each node. */
function countsOf(pods: readonly KubeObject[], app: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const pod of pods) {
    if (pod.metadata?.name?.startsWith(`${app}-`)) counts[nodeNameOf(pod)] = (counts[nodeNameOf(pod)] ?? 0) + 1;
  }
  return counts;
}

function expectTheLimitHeld(cluster: PacedCluster): void {
  const peaks = [...peakInStartup(cluster.plane.auditLogPath, NAMESPACE).values()];
  expect(Math.max(...peaks)).toBe(LIMIT);
}

test("spread by host: as many on each node", async () => {
  await using cluster = await clusterWith({ n1: "a", n2: "a", n3: "b" });
  await createGated(cluster, "web", 15, spread("web", HOST));
  expect(countsOf(await allReady(cluster, 15), "web")).toEqual({ n1: 5, n2: 5, n3: 5 });
  expectTheLimitHeld(cluster);
});

test("spread by zone: as many in each zone, though one zone has half as many slots", async () => {
  await using cluster = await clusterWith({ n1: "a", n2: "a", n3: "b" });
  await createGated(cluster, "web", 16, spread("web", ZONE));
  const counts = countsOf(await allReady(cluster, 16), "web");
  expect((counts["n1"] ?? 0) + (counts["n2"] ?? 0)).toBe(8);
  expect(counts["n3"]).toBe(8);
  expectTheLimitHeld(cluster);
});

test("required anti-affinity by host: one of each app on each node; what is too many shows as demand at once", async () => {
  const names = ["n1", "n2", "n3", "n4"];
  await using cluster = await clusterWith(Object.fromEntries(names.map((name) => [name, "a"])));
  const apps = ["red", "green", "blue", "grey"];
  const replicas = { red: 4, green: 4, blue: 4, grey: 7 };
  await Promise.all(
    Object.entries(replicas).map(([app, count]) =>
      createGated(cluster, app, count, { affinity: { podAntiAffinity: required(alike(app, HOST)) } }),
    ),
  );
  const pods = await eventually("all that fit are Ready", async () => {
    const all = await cluster.pods();
    return all.filter(isReady).length === 16 ? all : undefined;
  });
  const ready = pods.filter(isReady);
  for (const app of apps) expect(countsOf(ready, app)).toEqual({ n1: 1, n2: 1, n3: 1, n4: 1 });
  await eventually("kube-scheduler has refused the other three, which no gate hides", async () => {
    const others = (await cluster.pods()).filter((pod) => !isReady(pod));
    return others.every(
      (pod) => gatesOf(pod).length === 0 && conditionOf(pod, "PodScheduled")["reason"] === "Unschedulable",
    );
  });
  expectTheLimitHeld(cluster);
  for (const name of names) {
    await eventually(`they keep no fence up on ${name}`, async () => (await fenceOf(cluster, name)) === undefined);
  }
});

test("required affinity to its own kind by zone: the first pod decides, all follow it", async () => {
  await using cluster = await clusterWith({ n1: "a", n2: "a", n3: "b", n4: "b" });
  await createGated(cluster, "web", 14, { affinity: { podAffinity: required(alike("web", ZONE)) } });
  const nodes = Object.keys(countsOf(await allReady(cluster, 14), "web")).sort();
  expect([["n1", "n2"], ["n3", "n4"]]).toContainEqual(nodes); // prettier-ignore
  expectTheLimitHeld(cluster);
});

test("required affinity by host to a pod that comes later: all follow it, and what was refused meanwhile is not lost", async () => {
  await using cluster = await clusterWith({ n1: "a", n2: "b" });
  await createGated(cluster, "web", 6, { affinity: { podAffinity: required(alike("cache", HOST)) } });
  await createGated(cluster, "cache", 1, {});
  const pods = await allReady(cluster, 7);
  const [node = ""] = Object.keys(countsOf(pods, "cache"));
  expect(countsOf(pods, "web")).toEqual({ [node]: 6 });
  expectTheLimitHeld(cluster);
});
