import { describe, expect, test } from "vitest";
import type { NodeFacts, PodFacts } from "../../../../src/core/facts.ts";
import { nodeName } from "../../../../src/core/ids.ts";
import { planFences } from "../../../../src/core/plan/fences.ts";
import type { ClusterState } from "../../../../src/core/state/cluster-state.ts";
import {
  aDaemonPod,
  aGatedPod,
  aNode,
  anOldNode,
  aPod,
  aShape,
  bound,
  changed,
  START_MS,
  started,
} from "../../../support/core-facts.ts";
import {
  aFencedNode,
  aJoiningNode,
  aPendingPod,
  many,
  NOT_READY,
  type Overrides,
  pacerWith,
  planOf,
  released,
  slots,
  stateWith,
} from "../../../support/core-plan.ts";

describe("the soft taint of young nodes (steer)", () => {
  const actions = (nodes: readonly NodeFacts[], overrides: Overrides = {}, nowMs = START_MS + 5_000) =>
    planFences(planOf(stateWith(nodes, [], { youngForSeconds: 600, ...overrides }), nowMs));
  const kinds = (...given: Parameters<typeof actions>) => actions(...given).map(({ kind }) => kind);

  test("takes the fence's place in the same write, for as long as the node is young", () => {
    expect(actions([aFencedNode("n1")])).toMatchObject([{ kind: "lift", reason: "NothingPending", steer: "n1" }]);
    expect(kinds([aNode("n1", { steered: true })])).toEqual([]);
    expect(kinds([aNode("n1", { steered: true })], {}, START_MS + 600_000)).toEqual(["unsteer"]);
  });

  test("is put on a young node that never had a fence, and on no settled one", () => {
    expect(actions([aNode("n1"), anOldNode("old")])).toMatchObject([{ kind: "steer", value: "n1" }]);
    expect(kinds([aJoiningNode("n1", { fence: undefined })])).toEqual([]); // it takes no pods yet
  });

  test("is never put on a node of Karpenter's, which may launch another for it; one that came with it keeps it", () => {
    const labels = { "karpenter.sh/nodepool": "default" };
    expect(kinds([aNode("n1", { labels })])).toEqual([]);
    const [lift] = actions([aFencedNode("n1", { labels })]);
    expect(lift).toMatchObject({ kind: "lift", steer: undefined });
    expect(kinds([aNode("n1", { labels, steered: true })])).toEqual([]);
  });

  test("goes when pacing or the lever is off, or only observes", () => {
    const node = aNode("n1", { steered: true });
    for (const overrides of [{ mode: "off" }, { mode: "observe" }, { steer: { enabled: false } }] as const) {
      expect(kinds([node], overrides)).toEqual(["unsteer"]);
    }
  });

  test("wakes the leader when the node stops being young", () => {
    const plan = pacerWith([aNode("n1", { steered: true })], [], { youngForSeconds: 60 }).plan(START_MS);
    expect(plan.wakeAtMs).toBe(START_MS + 60_000);
  });
});

describe("what becomes of a fence", () => {
  const SETTLED_IN_MS = START_MS + 5_000;
  const actions = (state: ClusterState, nowMs = SETTLED_IN_MS) =>
    planFences(planOf(state, nowMs)).map((action) => (action.kind === "lift" ? action.reason : action.kind));

  test("nodes without one are left alone", () => {
    const steer = { enabled: false };
    expect(actions(stateWith([aNode("n1"), anOldNode("old")], [], { steer }))).toEqual([]);
  });

  test("one that the policy's selector does not select is lifted", () => {
    const fence = { nodeSelector: { matchLabels: { pool: "paced" } } };
    expect(actions(stateWith([aFencedNode("n1")], [aPendingPod("p")], { fence }))).toEqual(["NotSelected"]);
    const selected = aFencedNode("n1", { labels: { pool: "paced" } });
    expect(actions(stateWith([selected], [aPendingPod("p")], { fence }))).toEqual([]);
  });

  test("one of which nobody knows since when it is up counts since the node was created", () => {
    const node = aFencedNode("n1", { fence: { value: "n1", sinceMs: undefined } });
    const state = stateWith([node], [aPendingPod("p")], { fence: { maxSeconds: 30 } });
    expect(actions(state, START_MS + 29_999)).toEqual([]);
    expect(actions(state, START_MS + 30_000)).toEqual(["FenceCapReached"]);
  });

  test("promise 2: one that says it went up after its node came counts since its node was created", () => {
    const node = aFencedNode("n1", { fence: { value: "n1", sinceMs: START_MS + 3_600_000 } });
    const state = stateWith([node], [aPendingPod("p")], { fence: { maxSeconds: 30 } });
    expect(actions(state, START_MS + 29_999)).toEqual([]);
    expect(actions(state, START_MS + 30_000)).toEqual(["FenceCapReached"]);
  });

  test("it goes as soon as nothing that fits waits for a slot, though pods still start on its node", () => {
    const starting = bound(aPod("starting"), "n1");
    const elsewhere = aPendingPod("elsewhere", { shape: aShape({ nodeSelector: { disk: "fast" } }) });
    expect(actions(stateWith([aFencedNode("n1")], [starting, aPendingPod("waits")]))).toEqual([]);
    expect(actions(stateWith([aFencedNode("n1")], [starting, elsewhere]))).toEqual(["NothingPending"]);
    expect(actions(stateWith([aFencedNode("n1")], [starting]))).toEqual(["NothingPending"]);
  });

  test("it stays until pods that were released to another node are bound there: they might come here instead", () => {
    const nodes = [aFencedNode("n1"), aFencedNode("n2")];
    const onItsWay = aPendingPod("p", {
      fencesTolerated: ["n2"],
      reservation: { node: nodeName("n2"), atMs: START_MS },
    });
    expect(actions(stateWith(nodes, [onItsWay]))).toEqual(["NothingPending"]); // n2's own: the pod needs no fence there
    expect(actions(stateWith(nodes, [bound(onItsWay, "n2")]))).toEqual(["NothingPending", "NothingPending"]);
    const plan = pacerWith(nodes, [aPendingPod("last")], slots(1), SETTLED_IN_MS).plan(SETTLED_IN_MS);
    expect(released(plan)).toEqual(["last"]);
    expect(plan.fences.map(({ node }) => node.name)).toEqual([plan.releases[0]?.node]);
  });

  test("it stays for every kind of pod that waits for its node: gated, pending, or pinned to it", () => {
    const agent = { shape: aShape({ ownerKind: "DaemonSet" }), pinnedTo: nodeName("n1") };
    for (const pod of [aGatedPod("p"), aPendingPod("p"), aPendingPod("p", agent), aDaemonPod("p", "n1")]) {
      expect(actions(stateWith([aFencedNode("n1")], [pod]))).toEqual([]);
    }
  });

  test("it does not stay for pods that do not fit its node, or are pinned to another one", () => {
    const elsewhere = aShape({ nodeSelector: { disk: "fast" } });
    const other = { shape: aShape({ ownerKind: "DaemonSet" }), pinnedTo: nodeName("n2") };
    for (const pod of [aGatedPod("p", { shape: elsewhere }), aPendingPod("p", other)]) {
      expect(actions(stateWith([aFencedNode("n1")], [pod]))).toEqual(["NothingPending"]);
    }
  });

  test("the plan wakes when the node has settled in, stops being young, and when the cap is reached", () => {
    const wakes = (node: NodeFacts, nowMs: number, maxSeconds = 40) => {
      const plan = planOf(stateWith([node], [aPendingPod("p")], { youngForSeconds: 60, fence: { maxSeconds } }), nowMs);
      planFences(plan);
      return (plan.wakeAtMs ?? 0) - START_MS;
    };
    const node = aFencedNode("n1");
    expect([wakes(node, START_MS), wakes(node, SETTLED_IN_MS)]).toEqual([5_000, 40_000]);
    expect(wakes(node, SETTLED_IN_MS, 70)).toBe(60_000);
  });
});

describe("a fence", () => {
  test("is lifted when nothing waits, its cap is reached, the node has settled, or pacing is off", () => {
    const lift = (nodes: NodeFacts[], pods: PodFacts[], atMs: number, overrides: Overrides = slots(1)) =>
      pacerWith(nodes, pods, overrides)
        .plan(atMs)
        .fences.map((action) => action.kind === "lift" && action.reason);
    const busy = [bound(aPod("busy"), "n1"), aPendingPod("p")];
    expect(lift([aFencedNode("n1")], busy, START_MS + 6_000)).toEqual([]);
    expect(lift([aFencedNode("n1")], [], START_MS + 4_999)).toEqual([]);
    expect(lift([aFencedNode("n1")], [], START_MS + 5_000)).toEqual(["NothingPending"]);
    expect(lift([aFencedNode("n1")], busy, START_MS + 30_000, { ...slots(1), fence: { maxSeconds: 30 } })).toEqual([
      "FenceCapReached",
    ]);
    expect(lift([aFencedNode("n1")], busy, START_MS + 60_000, { ...slots(1), youngForSeconds: 60 })).toEqual([
      "NodeSettled",
    ]);
    expect(lift([aFencedNode("n1")], busy, START_MS, { ...slots(1), mode: "observe" })).toEqual(["PacingOff"]);
    expect(lift([aFencedNode("n1")], busy, START_MS, { ...slots(1), fence: { enabled: false } })).toEqual([
      "PacingOff",
    ]);
  });

  test("that somebody else put up is adopted with the node's own value", () => {
    const foreign = aFencedNode("n1", { fence: { value: "", sinceMs: undefined } });
    expect(pacerWith([foreign], [aPendingPod("p")], slots(1)).plan(START_MS).fences).toMatchObject([
      { kind: "adopt", value: "n1" },
    ]);
  });

  test("of a full node stays while lifting it would make kube-scheduler try very many pods in vain", () => {
    const full = changed(aFencedNode("n1"), { allocatable: { cpu: 16_000, memory: 1e12, pods: 1 } });
    const liftedBeside = (waiting: number) => {
      const there = started(bound(aPod("there"), "n1"));
      const pacer = pacerWith([full], [there, ...many(waiting, (name) => aPendingPod(name))], slots(4));
      return pacer.plan(START_MS + 60_000).fences.length;
    };
    expect(liftedBeside(500)).toBe(1);
    expect(liftedBeside(501)).toBe(0);
  });

  test("is neither kept up nor opened for pods that tolerate every taint: they pass by themselves", () => {
    const tolerant = aPendingPod("tolerant", { fencesTolerated: ["*"] });
    const plan = pacerWith([aFencedNode("n1")], [tolerant], slots(1)).plan(START_MS + 5_000);
    expect(plan).toMatchObject({ releases: [], fences: [{ kind: "lift", reason: "NothingPending" }] });
  });

  test("stays on a cordoned node, whose herd comes when it is uncordoned, and lets nobody in meanwhile", () => {
    const cordoned = changed(aFencedNode("n1"), { unschedulable: true });
    const plan = pacerWith([cordoned], [aPendingPod("p")], slots(1)).plan(START_MS + 60_000);
    expect(plan).toMatchObject({ releases: [], fences: [{ kind: "note" }] });
  });

  test("stays while a pod waits that the scheduler has not tried yet, and lets it in after two seconds", () => {
    const pacer = pacerWith([aFencedNode("n1")], [aPod("new", { createdAtMs: START_MS + 60_000 })], slots(1));
    expect(pacer.plan(START_MS + 61_000)).toMatchObject({ releases: [], fences: [] });
    expect(released(pacer.plan(START_MS + 62_000))).toEqual(["new"]);
  });

  test("stays while a startup taint of somebody else keeps the herd out", () => {
    const warming = {
      key: "startup-taint.cluster-autoscaler.kubernetes.io/warm",
      value: "",
      effect: "NoSchedule",
    } as const;
    const ready = aFencedNode("n1", { taints: [warming] });
    expect(pacerWith([ready], [aPendingPod("p")], slots(1)).plan(START_MS + 60_000)).toMatchObject({
      releases: [],
      fences: [{ kind: "note" }],
    });
  });

  test("is lifted when its node does not become Ready for minutes, but not when it was Ready in between", () => {
    const joining = aJoiningNode("n1");
    const actions = (node: NodeFacts) =>
      pacerWith([node], [aPendingPod("p")], slots(1)).plan(START_MS + 180_000).fences;
    expect(actions(joining)).toMatchObject([{ kind: "lift", reason: "NodeNotReady" }]);
    expect(actions(changed(joining, { notReadySinceMs: START_MS + 90_000 }))).toEqual([]);
  });

  test("is lifted again when Karpenter, which registers the node later, has put its startup taint back", () => {
    const unregistered = { key: "karpenter.sh/unregistered", value: "", effect: "NoExecute" } as const;
    const joining = aJoiningNode("n1", { taints: [NOT_READY, unregistered] });
    const pacer = pacerWith([joining], [aPendingPod("p")], slots(1));
    const kinds = (nowMs: number) => pacer.plan(nowMs).fences.map(({ kind }) => kind);
    expect(kinds(START_MS + 180_000)).toEqual(["lift"]);
    pacer.upsertNode(changed(joining, { fence: undefined }), START_MS + 181_000);
    expect(kinds(START_MS + 181_000)).toEqual([]);
    const back = { fence: { value: "", sinceMs: undefined }, taints: [NOT_READY] } as const;
    pacer.upsertNode(changed(joining, back), START_MS + 182_000);
    expect(kinds(START_MS + 182_000)).toEqual(["lift"]);
  });
});
