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

/** What was stored after one change. */
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

/** Watches nodes and pods. The returned function tells every moment so far at which the node was there. */
function recordMoments({ plane: { client } }: PacedCluster, signal: AbortSignal): () => readonly Moment[] {
  const changes: KubeObject[] = [];
  const onLine = (line: string) => changes.push((JSON.parse(line) as { object: KubeObject }).object);
  for (const path of ["/api/v1/nodes", PODS]) {
    client.watch(path, { timeoutSeconds: 600 }, { onLine, signal }).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
  return () => momentsOf(changes);
}

/** The versions of all kinds come from one counter of etcd, so they put two watches into one order. */
const versionOf = ({ metadata }: KubeObject) => Number(metadata?.resourceVersion);

function momentsOf(changes: readonly KubeObject[]): readonly Moment[] {
  const moments: Moment[] = [];
  const pods = new Map<string, KubeObject>();
  let node: KubeObject | undefined;
  for (const object of changes.toSorted((a, b) => versionOf(a) - versionOf(b))) {
    const name = object.metadata?.name ?? "";
    if (object.metadata?.namespace !== undefined) pods.set(name, object);
    else if (name === NODE) node = object;
    if (node) moments.push(momentOf(node, [...pods.values()]));
  }
  return moments;
}

function momentOf(node: KubeObject, pods: readonly KubeObject[]): Moment {
  const spec = recordOf(node["spec"]);
  const taints = recordsOf(spec["taints"]);
  return {
    cordoned: spec["unschedulable"] === true,
    fence: textOf(taints.find(({ key }) => key === FENCE_TAINT_KEY)?.["effect"]),
    marked: taints.some(({ key, effect }) => key === ROLL_CALL_TAINT.key && effect === ROLL_CALL_TAINT.effect),
    daemons: pods.filter(isDaemon),
    herd: pods.filter((pod) => !isDaemon(pod)),
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
    const ending = new AbortController();
    const momentsSoFar = recordMoments(cluster, ending.signal);
    await cluster.join("young", 1);
    pods = await allReady(cluster, HERD + 1);
    moments = await eventually("the fence is down", () => {
      const soFar = momentsSoFar();
      return Promise.resolve(soFar.at(-1)?.fence === "" ? soFar : undefined);
    });
    ending.abort();
  });
  afterAll(() => cluster.stop());

  test("its pod is created during the roll call, by a cordon that stands in for the fence", () => {
    const rollCall = moments.filter(({ cordoned }) => cordoned);
    expect(rollCall.length).toBeGreaterThan(0);
    expect(new Set(rollCall.map(({ fence }) => fence))).toEqual(new Set(["PreferNoSchedule"]));
    expect(rollCall.every(({ marked }) => marked)).toBe(true); // node-lifecycle-controller leaves it there
    expect(moments.some(({ cordoned, marked }) => marked && !cordoned)).toBe(false);
    // The fence that is back lets no pod of the DaemonSet be created.
    const after = moments.slice(moments.lastIndexOf(rollCall.at(-1) as Moment) + 1);
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
