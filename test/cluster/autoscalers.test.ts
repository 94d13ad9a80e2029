/** Karpenter itself beside Paceline, on a real control plane; Cluster Autoscaler is no Go module: see the bench. */
import { beforeAll, describe, expect, test } from "vitest";
import { run } from "../../bench/autoscalers/run.ts";
import { createPool, findKarpenter, NODE_CLAIMS, NODE_POOLS, startKarpenter } from "../../dev/autoscalers/karpenter.ts";
import { startKubelets } from "../../dev/autoscalers/kubelets.ts";
import { applyPolicy } from "../../dev/install.ts";
import { FENCE_TAINT_KEY } from "../../src/api/names.ts";
import { systemClock } from "../../src/kube/clock.ts";
import { silentLog } from "../../src/kube/log.ts";
import { type KubeObject, recordOf, recordsOf, textOf } from "../../src/kube/parse/kube-json.ts";
import { startReflector } from "../../src/kube/watch/reflector.ts";
import { eventually } from "../support/control-plane.ts";
import {
  conditionOf,
  limitOf,
  type PacedCluster,
  PODS,
  smallPod,
  startPacedCluster,
  startReplicaWithWebhooks,
} from "../support/paced-cluster.ts";

/** A guard against hanging: with a cold build cache it takes three minutes on two cores. */
const BUILD_MS = 1_800_000;

beforeAll(() => findKarpenter(), BUILD_MS);

describe("promise 3: a herd gets as many nodes as without Paceline, and none is taken away under it", () => {
  const AS_WITHOUT = { firstNodes: 3, allNodes: 5, removedNodes: 0 };

  test("from Karpenter, consolidation at once", async () => {
    expect(await run({ autoscaler: "karpenter", levers: "all", consolidateAfter: "0s" })).toMatchObject(AS_WITHOUT);
  });

  test("from Karpenter, though its NodePool does not name the fence", async () => {
    expect(await run({ autoscaler: "karpenter", levers: "all", namesFence: false })).toMatchObject(AS_WITHOUT);
  });
});

test("a fence that was lifted before Karpenter registered the node comes back with it, and is lifted again", async () => {
  await using cluster = await startPacedCluster(limitOf(1));
  await startReplicaWithWebhooks(cluster);
  const { client } = cluster.plane;
  const karpenter = await startKarpenter(cluster.plane);
  await createPool(client, {
    startupTaints: [{ key: FENCE_TAINT_KEY, effect: "NoSchedule" }],
    registrationDelay: "1h", // the test itself creates the Node, as a kubelet does: with the startup taints
  });
  await client.create(PODS, smallPod("waits", 1));
  const providerID = await eventually("a machine is launched", async () => {
    const [claim] = (await client.list(NODE_CLAIMS)).items;
    return textOf(recordOf(claim?.["status"])["providerID"]) || undefined;
  });
  karpenter.signal("SIGSTOP");
  const name = providerID.replace("kwok://", "");
  await using fences = fencesSeen(cluster, name);
  await client.create("/api/v1/nodes", {
    metadata: { name, labels: { "karpenter.sh/nodepool": "pool", "kubernetes.io/hostname": name } },
    spec: {
      providerID,
      taints: [
        { key: "karpenter.sh/unregistered", effect: "NoExecute" },
        { key: FENCE_TAINT_KEY, effect: "NoSchedule" },
      ],
    },
  });
  await eventually("it is fenced", () => fences.values.length === 1);
  await applyPolicy(client, limitOf(1, { fence: { enabled: false } }));
  await eventually("its fence is lifted", () => fences.values.length === 2);
  karpenter.signal("SIGCONT");
  await eventually("Karpenter registers it", async () => isRegistered(await client.get(`/api/v1/nodes/${name}`)));
  await eventually("the fence is lifted again", () => fences.values.length === 4);
  expect(fences.values).toEqual([true, false, true, false]);
  const ready = { type: "Ready", status: "True", lastTransitionTime: new Date().toISOString() };
  const resources = { cpu: "4", memory: "16Gi", "ephemeral-storage": "100Gi", pods: "110" };
  const status = { conditions: [ready], capacity: resources, allocatable: resources };
  await client.patch(`/api/v1/nodes/${name}/status`, { status }, "strategic");
  await eventually("the machine is initialized", async () => {
    const [claim] = (await client.list(NODE_CLAIMS)).items;
    return conditionOf(claim ?? {}, "Initialized")["status"] === "True";
  });
});

const isRegistered = ({ metadata }: KubeObject) => metadata?.labels?.["karpenter.sh/registered"] === "true";

test("naming the fence in a NodePool that has nodes drifts them: Karpenter replaces them", async () => {
  await using cluster = await startPacedCluster(limitOf(1));
  const { client } = cluster.plane;
  await using kubelets = startKubelets(client);
  await startKarpenter(cluster.plane);
  await createPool(client);
  await client.create(PODS, smallPod("there", 1));
  const claims = async () => (await client.list(NODE_CLAIMS)).items;
  const [first] = await eventually("its machine is initialized", async () => {
    const all = await claims();
    return all.some((claim) => conditionOf(claim, "Initialized")["status"] === "True") && all;
  });
  const startupTaints = [{ key: FENCE_TAINT_KEY, effect: "NoSchedule" }];
  await client.patch(`${NODE_POOLS}/pool`, { spec: { template: { spec: { startupTaints } } } }, "merge");
  await eventually("the machine is drifted", async () => {
    const same = (await claims()).find(({ metadata }) => metadata?.uid === first?.metadata?.uid);
    return conditionOf(same ?? {}, "Drifted")["status"] === "True";
  });
  await eventually("another one is launched", () => kubelets.machines.size === 2);
});

/** Whether the node is fenced, at each change. */
function fencesSeen({ plane: { client } }: PacedCluster, name: string) {
  const values: boolean[] = [];
  const reflector = startReflector({
    client,
    path: "/api/v1/nodes",
    query: { fieldSelector: `metadata.name=${name}` },
    parse: (raw) => recordsOf(recordOf(raw["spec"])["taints"]).some(({ key }) => key === FENCE_TAINT_KEY),
    onUpsert: (isFenced) => {
      if (values.at(-1) !== isFenced) values.push(isFenced);
    },
    onDelete: () => undefined,
    clock: systemClock,
    random: Math.random,
    log: silentLog,
  });
  return { values, [Symbol.asyncDispose]: () => reflector.stop() };
}
