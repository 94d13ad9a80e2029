/** Pods that others have a say in, on a real API server and scheduler: other schedulers', Kueue's, and gangs. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { GATE, HOLD_ANNOTATION, RELEASE_ANNOTATION, RESERVATION_ANNOTATION } from "../../src/api/names.ts";
import { parseRelease } from "../../src/kube/parse/annotations.ts";
import { type KubeObject, recordOf } from "../../src/kube/parse/kube-json.ts";
import { eventually } from "../support/control-plane.ts";
import {
  gatesOf,
  isReady,
  limitOf,
  type PacedCluster,
  PODS,
  smallPod,
  startPacedCluster,
  startReplicaWithWebhooks,
} from "../support/paced-cluster.ts";
import { readStarts } from "../support/start-witness.ts";

const LIMIT = 2;
const THEIRS = "kueue.x-k8s.io/admission";
const GANG = 64;
/** Acceptance: a Permit that waits for a gang's last pod times out after a minute. */
const WHOLE_WITHIN_MS = 5_000;

let cluster: PacedCluster;

beforeAll(async () => {
  cluster = await startPacedCluster(limitOf(LIMIT));
  await startReplicaWithWebhooks(cluster);
  await cluster.join("node", 2);
});
afterAll(() => cluster.stop());

const create = (pod: KubeObject) => cluster.plane.client.create(PODS, pod);
const podsOf = async (app: string) => (await cluster.plane.client.list(PODS, { labelSelector: `app=${app}` })).items;
const readyPods = (app: string, count: number) =>
  eventually(`${count} pods of ${app} are Ready`, async () => {
    const pods = await podsOf(app);
    return pods.length === count && pods.every(isReady) ? pods : undefined;
  });

test("Kueue's pods keep both gates, and are paced when Kueue lets them go", async () => {
  const names = Array.from({ length: 8 }, (_, index) => `kueue-${index}`);
  const spec = { schedulingGates: [{ name: THEIRS }], nodeSelector: { "kubernetes.io/hostname": "node-1" } };
  const created = await Promise.all(names.map((name, index) => create(smallPod(name, index, spec, { app: "kueue" }))));
  for (const pod of created) {
    expect(gatesOf(pod)).toEqual([THEIRS, GATE]);
    expect(JSON.parse(pod.metadata?.annotations?.[HOLD_ANNOTATION] ?? "")).toMatchObject({ reason: "OtherGates" });
  }
  const letGo = { spec: { schedulingGates: [{ $patch: "delete", name: THEIRS }] } };
  await Promise.all(names.map((name) => cluster.plane.client.patch(`${PODS}/${name}`, letGo, "strategic")));
  const pods = await readyPods("kueue", names.length);
  const starts = await readStarts(cluster.plane.auditLogPath, ["default"]);
  expect(starts.peak("node-1")).toBe(LIMIT);
  for (const { metadata } of pods) expect(metadata?.annotations).toHaveProperty([RELEASE_ANNOTATION]);
});

test("a pod of Volcano's is touched by nothing of Paceline's", async () => {
  const pod = await create(smallPod("volcano", 0, { schedulerName: "volcano" }, { app: "volcano" }));
  await create(smallPod("ours", 1, {}, { app: "ours" }));
  await readyPods("ours", 1); // the leader has planned since
  const [now] = await podsOf("volcano");
  expect(gatesOf(pod)).toEqual([]);
  expect(now?.metadata).toEqual(pod.metadata);
  expect(now?.["spec"]).toEqual(pod["spec"]);
});

test(`a gang of ${GANG} on two nodes is let go whole, and all of it starts`, async () => {
  const labels = { app: "gang", "scheduling.x-k8s.io/pod-group": "gang" };
  const names = Array.from({ length: GANG }, (_, index) => `gang-${index}`);
  await Promise.all(names.map((name) => create(smallPod(name, 0, {}, labels))));
  const pods = await readyPods("gang", GANG);
  const released = pods.map(({ metadata }) => parseRelease(metadata?.annotations?.[RELEASE_ANNOTATION])?.atMs ?? 0);
  const tookMs = Math.max(...released) - Math.min(...released);
  console.log(`the gang was let go within ${tookMs} ms`);
  expect(tookMs).toBeLessThan(WHOLE_WITHIN_MS);
  const nodes = pods.map((pod) => recordOf(pod["spec"])["nodeName"]);
  expect(new Set(nodes)).toEqual(new Set(["node-1", "node-2"]));
  expect(pods.filter(({ metadata }) => metadata?.annotations?.[RESERVATION_ANNOTATION]).length).toBe(GANG);
});
