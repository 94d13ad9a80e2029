/**
 * The roll call on a real control plane: kube-controller-manager creates the pods of a DaemonSet without tolerations on
 * a fenced node, and kube-scheduler lets no pod of the herd onto it meanwhile.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FENCE_TAINT_KEY, ROLL_CALL_ANNOTATION, ROLL_CALL_TAINT, YOUNG_TAINT_KEY } from "../../src/api/names.ts";
import { type KubeObject, recordOf, recordsOf, textOf } from "../../src/kube/parse/kube-json.ts";
import { eventually } from "../support/control-plane.ts";
import {
  allReady,
  conditionOf,
  gatesOf,
  imageNamed,
  limitOf,
  nodeNameOf,
  type PacedCluster,
  PODS,
  smallPod,
  startPacedCluster,
  startReplicaWithWebhooks,
} from "../support/paced-cluster.ts";

const HERD = 12;
const NODE = "young-1";

/** What the API server showed at one moment. */
interface Moment {
  readonly cordoned: boolean;
  /** Effect of the fence; "" where there is none. */
  readonly fence: string;
  /** The taint by which Cluster Autoscaler takes the node for one that is still to come. */
  readonly marked: boolean;
  readonly daemons: readonly KubeObject[];
  readonly herd: readonly KubeObject[];
}

const isDaemon = ({ metadata }: KubeObject) => metadata?.labels?.["app"] === "agent";

async function look({ plane: { client } }: PacedCluster): Promise<Moment | undefined> {
  const pods = (await client.list(PODS)).items; // first, so that what is bound here was bound before the node was read
  const node = (await client.list("/api/v1/nodes")).items.find(({ metadata }) => metadata?.name === NODE);
  if (!node) return undefined;
  const spec = recordOf(node["spec"]);
  const fence = recordsOf(spec["taints"]).find(({ key }) => key === FENCE_TAINT_KEY);
  return {
    cordoned: spec["unschedulable"] === true,
    fence: textOf(fence?.["effect"]),
    marked: recordsOf(spec["taints"]).some(
      ({ key, effect }) => key === ROLL_CALL_TAINT.key && effect === ROLL_CALL_TAINT.effect,
    ),
    daemons: pods.filter(isDaemon),
    herd: pods.filter((pod) => !isDaemon(pod)),
  };
}

/** Looks until told to stop. */
function watchMoments(cluster: PacedCluster) {
  const moments: Moment[] = [];
  const stopping = new AbortController();
  const looking = (async () => {
    while (!stopping.signal.aborted) {
      const moment = await look(cluster);
      if (moment) moments.push(moment);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();
  return async () => {
    stopping.abort();
    await looking;
    return moments;
  };
}

async function createAgent({ plane: { client } }: PacedCluster): Promise<void> {
  const { spec } = smallPod("agent", 50);
  const template = { metadata: { labels: { app: "agent" } }, spec };
  await client.create("/apis/apps/v1/namespaces/default/daemonsets", {
    metadata: { name: "agent" },
    spec: { selector: { matchLabels: { app: "agent" } }, template },
  });
}

const boundAtMs = (pod: KubeObject) => Date.parse(textOf(conditionOf(pod, "PodScheduled")["lastTransitionTime"]));

describe("a DaemonSet without tolerations, and a herd that waits for its node", () => {
  let cluster: PacedCluster;
  let moments: readonly Moment[];
  let pods: readonly KubeObject[];
  beforeAll(async () => {
    cluster = await startPacedCluster(limitOf(2));
    await startReplicaWithWebhooks(cluster);
    await createAgent(cluster);
    for (let index = 0; index < HERD; index += 1) {
      await cluster.plane.client.create(PODS, smallPod(`herd-${index}`, index));
    }
    await eventually("the scheduler has looked at all", async () =>
      (await cluster.pods()).every((pod) => conditionOf(pod, "PodScheduled")["reason"] === "Unschedulable"),
    );
    const stop = watchMoments(cluster);
    await cluster.join("young", 1);
    pods = await allReady(cluster, HERD + 1);
    await eventually("the fence is down", async () => (await look(cluster))?.fence === "");
    moments = await stop();
  });
  afterAll(() => cluster.stop());

  test("its pod is created during the roll call, by a cordon that stands in for the fence", () => {
    const rollCall = moments.filter(({ cordoned }) => cordoned);
    expect(rollCall.length).toBeGreaterThan(0);
    expect(new Set(rollCall.map(({ fence }) => fence))).toEqual(new Set(["PreferNoSchedule"]));
    expect(rollCall.every(({ marked }) => marked)).toBe(true); // node-lifecycle-controller leaves it there
    expect(moments.some(({ cordoned, marked }) => marked && !cordoned)).toBe(false);
    // It may end between two looks, but the fence that is back lets no pod of the DaemonSet be created.
    const after = moments.slice(moments.lastIndexOf(rollCall.at(-1) as Moment) + 2);
    const fencedAgain = after.filter(({ fence }) => fence === "NoSchedule");
    expect(fencedAgain.length).toBeGreaterThan(0);
    expect(fencedAgain.every(({ daemons }) => daemons.length === 1)).toBe(true);
    const before = moments.slice(0, moments.indexOf(rollCall[0] as Moment));
    expect(before.every(({ daemons, fence }) => daemons.length === 0 && fence === "NoSchedule")).toBe(true);
  });

  test("no pod of the herd is bound before or during the roll call, nor without the toleration of its release", () => {
    const last = moments.findLastIndex(({ cordoned }) => cordoned);
    for (const { herd } of moments.slice(0, last + 1)) expect(herd.map(nodeNameOf).filter(Boolean)).toEqual([]);
    const whileFenced = moments.filter(({ fence }) => fence === "NoSchedule");
    for (const pod of whileFenced.flatMap(({ herd }) => herd).filter((one) => nodeNameOf(one) !== "")) {
      const tolerations = recordsOf(recordOf(pod["spec"])["tolerations"]);
      expect(tolerations.some(({ key, value }) => key === FENCE_TAINT_KEY && value === NODE)).toBe(true);
    }
  });

  test("its pod is bound before every pod of the herd", () => {
    const [daemon] = pods.filter(isDaemon);
    const firstOfHerd = Math.min(...pods.filter((pod) => !isDaemon(pod)).map(boundAtMs));
    expect(boundAtMs(daemon ?? {})).toBeLessThanOrEqual(firstOfHerd);
    expect(nodeNameOf(daemon ?? {})).toBe(NODE);
    expect(textOf(recordsOf(recordOf(daemon?.["spec"])["containers"])[0]?.["image"])).toBe(imageNamed(50));
  });

  test("in the end nothing is left but the note and the soft taint of young nodes: no cordon, no gate", async () => {
    const node = await eventually("kube-controller-manager has taken its taint off", async () => {
      const raw = await cluster.plane.client.get(`/api/v1/nodes/${NODE}`);
      const taints = recordsOf(recordOf(raw["spec"])["taints"]).map(({ key }) => key);
      return taints.every((key) => key === YOUNG_TAINT_KEY) ? raw : undefined;
    });
    expect(recordOf(node["spec"])["unschedulable"]).toBeUndefined();
    expect(node.metadata?.annotations).toHaveProperty([ROLL_CALL_ANNOTATION]);
    expect((await cluster.pods()).flatMap(gatesOf)).toEqual([]);
  });
});
