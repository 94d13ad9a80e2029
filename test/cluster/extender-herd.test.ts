/** The extender on a real control plane: a herd is held to its limit exactly, nobody is preempted, and nothing hangs. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { issueClientCertificate } from "../../src/cluster/certificates.ts";
import { type KubeObject, textOf } from "../../src/cluster/kube-json.ts";
import { createBareNode, eventually } from "../support/control-plane.ts";
import {
  conditionOf,
  gatesOf,
  limitOf,
  nodeNameOf,
  type PacedCluster,
  PODS,
  type Replica,
  smallPod,
  startPacedCluster,
} from "../support/paced-cluster.ts";

const LIMIT = 3;
const policy = limitOf(LIMIT, { extender: { enabled: true }, gate: { enabled: true }, fence: { enabled: false } });

/** Nodes here are Node objects that nobody runs: what is bound stays in startup, so that a limit can be counted at rest. */
async function clusterWithExtender(): Promise<{ cluster: PacedCluster; replica: Replica }> {
  const cluster = await startPacedCluster(policy, { scheduler: false });
  const replica = await cluster.startReplica();
  const { authority, caCert } = cluster.plane;
  const client = await issueClientCertificate(authority, { commonName: "kube-scheduler", days: 1, nowMs: Date.now() });
  await cluster.plane.startScheduler({ extenderUrl: replica.url, extenderTls: { ca: caCert, client } });
  return { cluster, replica };
}

async function createHerd(cluster: PacedCluster, count: number, spec: Record<string, unknown> = {}): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    await cluster.plane.client.create(PODS, smallPod(`herd-${index}`, index, spec));
  }
}

/**
 * So many pods are bound, and every other one is refused with a sentence about slots: the scheduler has no question
 * left. The count is awaited, because the scheduler may learn of a node after it has refused pods for the others.
 */
async function atRest(cluster: PacedCluster, { bound: wanted, refused: others }: { bound: number; refused: number }) {
  return eventually(`${wanted} pods are bound and ${others} refused`, async () => {
    const pods = (await cluster.pods()).filter(({ metadata }) => metadata?.name?.startsWith("herd-"));
    const bound = pods.filter((pod) => nodeNameOf(pod) !== "");
    const refused = pods.filter((pod) => nodeNameOf(pod) === "" && refusedForSlots(pod));
    return refused.length >= others && bound.length >= wanted ? { bound, refused } : undefined;
  });
}

const refusedForSlots = (pod: KubeObject) =>
  textOf(conditionOf(pod, "PodScheduled")["message"]).includes("startup slots");

describe.each([1, 3])("a herd meets %i young nodes", (nodes) => {
  let cluster: PacedCluster;
  beforeAll(async () => {
    ({ cluster } = await clusterWithExtender());
    for (let index = 1; index <= nodes; index += 1) await createBareNode(cluster.plane.client, `young-${index}`);
  });
  afterAll(() => cluster.stop());

  test("each takes its limit exactly, and the others are told why", async () => {
    await createHerd(cluster, LIMIT * nodes + 5);
    const { bound, refused } = await atRest(cluster, { bound: LIMIT * nodes, refused: 5 });
    const perNode = Object.values(Object.groupBy(bound, nodeNameOf)).map((pods) => pods?.length);
    expect(perNode).toEqual(Array(nodes).fill(LIMIT));
    expect(refused).toHaveLength(5);
  });
});

test("a high-priority pod that pacing refuses preempts no running low-priority pod", async () => {
  const { cluster } = await clusterWithExtender();
  await using _ = cluster;
  const { client } = cluster.plane;
  await client.create("/apis/scheduling.k8s.io/v1/priorityclasses", { metadata: { name: "high" }, value: 1_000 });
  await createBareNode(client, "young-1", 10);
  const { metadata } = await client.create(PODS, { ...smallPod("low", 90), metadata: { name: "low" } });
  await eventually("low is bound", async () => nodeNameOf(await client.get(`${PODS}/low`)) !== "");
  const running = { name: "main", image: "x", imageID: "x", started: true, ready: true, restartCount: 0 };
  const status = { phase: "Running", containerStatuses: [{ ...running, state: { running: {} } }] };
  await client.patch(`${PODS}/low/status`, { status }, "strategic");
  await createHerd(cluster, LIMIT + 2, { priorityClassName: "high" });
  const { bound, refused } = await atRest(cluster, { bound: LIMIT, refused: 2 });
  expect([bound.length, refused.length]).toEqual([LIMIT, 2]);
  expect((await client.get(`${PODS}/low`)).metadata).toMatchObject({ uid: metadata?.uid });
  expect((await client.get(`${PODS}/low`)).metadata).not.toHaveProperty("deletionTimestamp");
  for (const pod of refused) expect(pod["status"]).not.toHaveProperty("nominatedNodeName");
});

describe("when things break", () => {
  let cluster: PacedCluster;
  let replica: Replica;
  beforeAll(async () => {
    ({ cluster, replica } = await clusterWithExtender());
    await cluster.installWebhooks(replica, ["gate", "fence", "policyValidation"]);
    await createBareNode(cluster.plane.client, "young-1", 60);
  });
  afterAll(() => cluster.stop());

  test("malformed requests get a 4xx that names the place, and a 5 MB body is refused; the service lives on", async () => {
    const review = await replica.post("/mutate/pods", JSON.stringify({ kind: "AdmissionReview", request: {} }));
    expect(review.status).toBe(400);
    expect(review.text).toContain("request");
    const args = await replica.post("/scheduler/filter", JSON.stringify({ Pod: 7 }));
    expect(args.status).toBe(400);
    expect(args.text).toContain("Pod");
    expect((await replica.post("/mutate/pods", "{")).status).toBe(400);
    const large = JSON.stringify({ filler: "x".repeat(5 * 1024 * 1024) });
    // The service answers 413 and closes at once; a client that is still writing may see no more than the closed pipe.
    const refused = replica.post("/mutate/pods", large).then(({ status }) => String(status), String);
    expect(await refused).toMatch(/413|EPIPE|ECONNRESET|other side closed/);
    expect(await replica.ready()).toBe(true);
  });

  test("a malformed policy is refused at admission, with every error", async () => {
    const text = "apiVersion: paceline.dev/v1alpha1\nkind: PacingPolicy\nmode: sometimes\nmaxHoldSeconds: 9000\n";
    const change = { data: { "policy.yaml": text } };
    const path = "/api/v1/namespaces/paceline/configmaps/paceline-policy";
    await expect(cluster.plane.client.patch(path, change, "merge")).rejects.toThrow(/mode.*maxHoldSeconds/s);
  });

  test("the API server is restarted, and the service recovers by itself", async () => {
    await cluster.plane.restartApiServer();
    await cluster.plane.client.create(PODS, smallPod("after-restart", 50));
    await eventually(
      "a pod is bound",
      async () => {
        const pod = await cluster.plane.client.get(`${PODS}/after-restart`);
        return nodeNameOf(pod) !== "";
      },
      60_000,
    );
    expect(await replica.ready()).toBe(true);
  });

  test("pods of kube-system are never gated", async () => {
    const pod = await cluster.plane.client.create("/api/v1/namespaces/kube-system/pods", smallPod("dns", 51));
    expect(gatesOf(pod)).toEqual([]);
  });

  test("with the service down, pods are created and scheduled as if it were not there", async () => {
    await replica.process.kill();
    for (let index = 0; index < 10; index += 1) {
      await cluster.plane.client.create(PODS, smallPod(`free-${index}`, 60 + index));
    }
    await eventually(
      "all ten are bound",
      async () => {
        const pods = (await cluster.pods()).filter(({ metadata }) => metadata?.name?.startsWith("free-"));
        return pods.length === 10 && pods.every((pod) => nodeNameOf(pod) !== "");
      },
      60_000,
    );
  });
});
