import { describe, expect, test } from "vitest";
import { imageName, nodeName } from "../../../../src/core/ids.ts";
import { SettledNodes } from "../../../../src/core/placement/settled-nodes.ts";
import { Queue, Queues, wantedImages } from "../../../../src/core/plan/queues.ts";
import type { ClusterState } from "../../../../src/core/state/cluster-state.ts";
import { aDaemonPod, aGatedPod, aNode, anOldNode, aPod, aShape, START_MS } from "../../../support/core-facts.ts";
import {
  aFencedNode,
  aPendingPod,
  many,
  pacerWith,
  planOf,
  slots,
  stateWith,
  theNode,
} from "../../../support/core-plan.ts";

const schedulable = (state: ClusterState, name: string, nowMs = START_MS) =>
  new Queues(planOf(state, nowMs), new SettledNodes()).schedulableTo(theNode(state, name));

/** The head of each queue that could go to the node. */
const headsFor = (state: ClusterState, name: string, nowMs = START_MS) =>
  schedulable(state, name, nowMs).map((queue) => queue.headFor(theNode(state, name).facts)?.name);

describe("a queue", () => {
  const [old, young] = [aGatedPod("old", { createdAtMs: START_MS - 1_000 }), aGatedPod("young")];
  const node = aNode("n1");

  test("is headed by the oldest pod that this plan has not released", () => {
    const plan = planOf(stateWith([node], [old, young]));
    const queue = new Queue(plan, old.shape, [old, young], 2);
    expect([queue.headFor(node)?.name, queue.length]).toEqual(["old", 2]);
    plan.release(old, "NoNodeFits", "");
    expect([queue.headFor(node)?.name, queue.length]).toEqual(["young", 1]);
    plan.release(young, "NoNodeFits", "");
    expect([queue.headFor(node), queue.length]).toEqual([undefined, 0]);
  });

  test("passes over a pod that passes the node's fence by itself, for that node only", () => {
    const tolerant = aPendingPod("tolerant", { fencesTolerated: ["n1"] });
    const other = aPendingPod("other");
    const queue = new Queue(planOf(stateWith([node])), other.shape, [tolerant, other], 2);
    expect(queue.headFor(aFencedNode("n1"))?.name).toBe("other");
    expect(queue.headFor(aFencedNode("n2"))?.name).toBe("tolerant");
    expect(queue.headFor(node)?.name).toBe("tolerant");
  });

  test("keeps a gated pod that tolerates the fence: its gate still holds it", () => {
    const gated = aGatedPod("gated", { fencesTolerated: ["*"] });
    const queue = new Queue(planOf(stateWith([node])), gated.shape, [gated], 1);
    expect(queue.headFor(aFencedNode("n1"))?.name).toBe("gated");
  });

  test("reads no further than it is asked: a hundred thousand pods wait behind the first", () => {
    let read = 0;
    function* pods() {
      for (; ; read += 1) yield aPendingPod(`p${read}`);
    }
    const plan = planOf(stateWith([node]));
    const queue = new Queue(plan, old.shape, pods(), 100_000);
    const head = queue.headFor(node);
    expect(head?.name).toBe("p0");
    plan.release(head ?? old, "NoNodeFits", "");
    expect(queue.headFor(node)?.name).toBe("p1");
    expect([read, queue.length]).toEqual([1, 99_999]);
  });

  test("counts no pod that its source did not give", () => {
    const plan = planOf(stateWith([node]));
    const queue = new Queue(plan, old.shape, [old], 5);
    expect(queue.length).toBe(5);
    plan.release(old, "NoNodeFits", "");
    expect([queue.headFor(node), queue.length]).toEqual([undefined, 0]);
  });
});

describe("the queues of a node", () => {
  test("hold gated pods of one shape in one queue, oldest first, and every pinned pod in one of its own", () => {
    const shape = aShape({ ownerName: "web" });
    const agent = aShape({ ownerKind: "DaemonSet" });
    const pods = [
      aGatedPod("young", { shape }),
      aGatedPod("old", { shape, createdAtMs: START_MS - 1_000 }),
      aDaemonPod("a", "n1", { shape: agent }),
      aDaemonPod("b", "n1", { shape: agent }),
      aDaemonPod("c", "n2", { shape: agent }),
    ];
    const state = stateWith([aNode("n1"), aNode("n2")], pods);
    expect(headsFor(state, "n1")).toEqual(["a", "b", "old"]);
    expect(headsFor(state, "n2")).toEqual(["c", "old"]);
  });

  test("leave out pods that the node would not take this moment, and pods that gates of others hold", () => {
    const pods = [
      aGatedPod("elsewhere", { shape: aShape({ nodeSelector: { disk: "fast" } }) }),
      aGatedPod("theirs", { gatedByOthers: true }),
      aGatedPod("ours", { shape: aShape({ ownerName: "ours" }) }),
    ];
    const taint = { key: "team", value: "a", effect: "NoSchedule" } as const;
    const state = stateWith([aNode("n1"), aNode("n2", { taints: [taint] })], pods);
    expect(headsFor(state, "n1")).toEqual(["ours"]);
    expect(headsFor(state, "n2")).toEqual([]);
  });

  test("hold pending pods for a fenced node only, and none where the policy puts up no fences", () => {
    const nodes = [aNode("open"), aFencedNode("n1")];
    expect(headsFor(stateWith(nodes, [aPendingPod("p")]), "n1")).toEqual(["p"]);
    expect(headsFor(stateWith(nodes, [aPendingPod("p")]), "open")).toEqual([]);
    expect(headsFor(stateWith(nodes, [aPendingPod("p")], { fence: { enabled: false } }), "n1")).toEqual([]);
  });

  test("leave out pending pods that are exempt, or have a slot reserved", () => {
    const system = aShape({ namespace: "kube-system" });
    const reservation = { node: nodeName("n1"), atMs: START_MS };
    const pods = [
      aPendingPod("system", { shape: system }),
      aPendingPod("pinned-system", { shape: system, pinnedTo: nodeName("n1") }),
      aPendingPod("reserved", { reservation }),
      aPendingPod("pinned", { pinnedTo: nodeName("n1") }),
    ];
    const state = stateWith([aFencedNode("n1")], pods);
    expect(headsFor(state, "n1")).toEqual(["pinned"]);
    expect(headsFor(state, "n1", START_MS + 15_000)).toEqual(["pinned", "reserved"]); // its reservation is over
  });

  test("give kube-scheduler two seconds with a new pod, and wake the plan then", () => {
    const state = stateWith([aFencedNode("n1")], [aPod("new")]);
    const plan = planOf(state, START_MS + 1_999);
    expect(new Queues(plan, new SettledNodes()).schedulableTo(theNode(state, "n1"))).toEqual([]);
    expect(plan.wakeAtMs).toBe(START_MS + 2_000);
    expect(headsFor(state, "n1", START_MS + 2_000)).toEqual(["new"]);
  });

  test("leave a new pod to kube-scheduler for longer where a settled node has room for it", () => {
    const state = stateWith([aFencedNode("n1"), anOldNode("old")], [aPod("new"), aPendingPod("tried")]);
    expect(headsFor(state, "n1", START_MS + 60_000)).toEqual(["tried"]);
  });
});

test("an image is wanted by every pod that uses it, in whichever queue it waits", () => {
  const plan = planOf(stateWith([aNode("n1")]));
  const queueOf = (images: readonly string[], count: number) =>
    new Queue(
      plan,
      aShape({ images: images.map(imageName) }),
      many(count, (name) => aPod(name)),
      count,
    );
  const wanted = wantedImages([queueOf(["app", "proxy"], 3), queueOf(["other", "proxy"], 2)]);
  expect(wanted).toEqual(
    new Map([
      [imageName("app"), 3],
      [imageName("proxy"), 5],
      [imageName("other"), 2],
    ]),
  );
});

describe("in a plan", () => {
  test("DaemonSet pods that fences of several nodes keep out are let go node by node, whichever is the oldest", () => {
    const shape = aShape({ ownerKind: "DaemonSet" }); // of one DaemonSet: all alike but for their node
    const agents = ["n1", "n2"].map((node) => aPendingPod(`agent-${node}`, { shape, pinnedTo: nodeName(node) }));
    const pacer = pacerWith([aFencedNode("n1"), aFencedNode("n2")], agents, slots(1));
    expect(pacer.plan(START_MS + 5_000).releases).toMatchObject([{ fence: "n1" }, { fence: "n2" }]);
  });

  test("a pod with a reservation on a node that is gone goes to another one at once", () => {
    const reserved = { fencesTolerated: ["n1"], reservation: { node: nodeName("n1"), atMs: START_MS } };
    const pacer = pacerWith([aFencedNode("n1"), aFencedNode("n2")], [aPendingPod("p", reserved)], slots(1));
    expect(pacer.plan(START_MS + 1_000).releases).toEqual([]);
    pacer.deleteNode(nodeName("n1"), START_MS + 1_000);
    expect(pacer.plan(START_MS + 1_000).releases).toMatchObject([{ pod: { name: "p" }, node: "n2", fence: "n2" }]);
  });
});
