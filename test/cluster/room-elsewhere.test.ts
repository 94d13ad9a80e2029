/** A herd that a settled node has room for, while a young one stands open, under an unmodified kube-scheduler. */
import { expect, test } from "vitest";
import { YOUNG_TAINT_KEY } from "../../src/api/names.ts";
import { preferredTerms } from "../../src/kube/parse/facts.ts";
import { recordOf, recordsOf } from "../../src/kube/parse/kube-json.ts";
import { peakInStartup } from "../support/audit-peak.ts";
import { eventually } from "../support/control-plane.ts";
import {
  allReady,
  limitOf,
  NAMESPACE,
  nodeNameOf,
  type PacedCluster,
  PODS,
  smallPod,
  startErrors,
  startPacedCluster,
} from "../support/paced-cluster.ts";

const LIMIT = 3;
const HERD = 24;
/** Long enough that the young node is young until the herd has started. */
const YOUNG_SECONDS = 20;

const softTaintsOf = async (cluster: PacedCluster, node: string) => {
  const { spec } = await cluster.plane.client.get(`/api/v1/nodes/${node}`);
  return recordsOf(recordOf(spec)["taints"]).filter(({ key }) => key === YOUNG_TAINT_KEY);
};

test("no pod of it goes past a limit, on either node; kube-scheduler takes the nodes that the leader chose", async () => {
  await using cluster = await startPacedCluster(limitOf(LIMIT, { youngForSeconds: YOUNG_SECONDS }));
  const { client, auditLogPath } = cluster.plane;
  const replica = await cluster.startReplica();
  await cluster.installWebhooks(replica, ["gate", "fence"]);
  await cluster.join("old", 1);
  await eventually(
    "the young node has the soft taint",
    async () => (await softTaintsOf(cluster, "old-1")).length === 1,
  );
  await eventually("it has settled", async () => (await softTaintsOf(cluster, "old-1")).length === 0);
  await cluster.join("young", 1);
  await eventually("the young node stands open", async () => (await softTaintsOf(cluster, "young-1")).length === 1);

  for (let index = 0; index < HERD; index += 1) await client.create(PODS, smallPod(`p${index}`, index));
  const pods = await allReady(cluster, HERD);

  expect(pods.map(startErrors).filter((count) => count > 0)).toEqual([]);
  const peaks = peakInStartup(auditLogPath, NAMESPACE);
  expect([...peaks.keys()].sort()).toEqual(["old-1", "young-1"]);
  for (const [node, peak] of peaks) expect(peak, `most in startup on ${node}`).toBeLessThanOrEqual(LIMIT);
  for (const pod of pods) {
    const [term] = preferredTerms(recordOf(pod["spec"]));
    const [field] = recordsOf(recordOf(term?.["preference"])["matchFields"]);
    expect(field?.["values"]).toEqual([nodeNameOf(pod)]);
  }
});
