import { describe, expect, test } from "vitest";
import type { NodeFacts, PodFacts } from "../../../../src/core/facts.ts";
import {
  aDaemonPod,
  aGatedPod,
  aNode,
  aPod,
  aShape,
  bound,
  changed,
  START_MS,
  started,
} from "../../../support/core-facts.ts";
import {
  aFencedNode,
  aNewNode,
  aPendingPod,
  CORDON_TAINT,
  inRollCall,
  many,
  NOT_READY,
  type Overrides,
  pacerWith,
  released,
  slots,
  withRollCall,
} from "../../../support/core-plan.ts";

const ROLL_CALL_MS = 3_000;
const fencesAt = (node: NodeFacts, pods: readonly PodFacts[], nowMs = START_MS, overrides: Overrides = slots(4)) =>
  pacerWith([node], pods, overrides)
    .plan(nowMs)
    .fences.filter(({ kind }) => kind !== "note")
    .map((action) => (action.kind === "lift" ? action.reason : action.kind));

const herd = many(9, (name) => aPendingPod(name));

describe("a roll call begins", () => {
  test("as soon as the node of a waiting herd is Ready, and before any pod goes there", () => {
    const plan = pacerWith([aNewNode()], herd, slots(4)).plan(START_MS);
    expect(plan.fences).toMatchObject([{ kind: "beginRollCall", node: { name: "n1" }, value: "n1" }]);
    expect(plan.releases).toEqual([]);
  });

  test("also for a herd so small that all of it could go at once", () => {
    expect(fencesAt(aNewNode(), [aPendingPod("p")])).toEqual(["beginRollCall"]);
    expect(fencesAt(aNewNode(), [aGatedPod("p")])).toEqual(["beginRollCall"]);
  });

  test("never before the node is Ready, or while it has a taint that DaemonSet pods need not tolerate", () => {
    expect(fencesAt(aNewNode({ readySinceMs: undefined, taints: [NOT_READY] }), herd)).toEqual([]);
    const cilium = { key: "node.cilium.io/agent-not-ready", value: "", effect: "NoSchedule" } as const;
    expect(fencesAt(aNewNode({ taints: [cilium] }), herd)).toEqual([]);
  });

  test("only where a herd waits: a fence that nobody waits for is lifted as before", () => {
    expect(fencesAt(aNewNode(), [])).toEqual([]);
    expect(fencesAt(aNewNode(), [], START_MS + 5_000)).toEqual(["NothingPending"]);
  });

  test("once for each node", () => {
    expect(fencesAt(aNewNode(withRollCall("done")), herd)).toEqual([]);
  });

  test("never on a node that somebody else has cordoned", () => {
    expect(fencesAt(aNewNode({ unschedulable: true }), herd)).toEqual([]);
  });

  test("never on a node that Karpenter still initialises", () => {
    const pool = { "karpenter.sh/nodepool": "general" };
    expect(fencesAt(aNewNode({ labels: pool }), herd)).toEqual([]);
    expect(fencesAt(aNewNode({ labels: { ...pool, "karpenter.sh/initialized": "true" } }), herd)).toEqual([
      "beginRollCall",
    ]);
  });

  test("never where the policy says no, and never on a fence that is not ours yet", () => {
    expect(fencesAt(aNewNode(), herd, START_MS, { ...slots(4), fence: { rollCall: false } })).toEqual([]);
    expect(fencesAt(aNewNode({ fence: { value: "", sinceMs: undefined } }), herd)).toEqual(["adopt"]);
  });

  test("or never: pods wait 30 s for its beginning, because the write may be refused, and go without it then", () => {
    const pacer = pacerWith([aNewNode()], herd, slots(4));
    expect(pacer.plan(START_MS + 29_999)).toMatchObject({ fences: [{ kind: "beginRollCall" }], releases: [] });
    const late = pacer.plan(START_MS + 30_000);
    expect(late.fences).toEqual([]);
    expect(late.releases).toHaveLength(4);
  });
});

describe("an open roll call", () => {
  test("ends when no DaemonSet pod has come for a second, whoever leads then; the plan wakes for it", () => {
    const pacer = pacerWith([inRollCall()], herd, slots(4));
    const plan = pacer.plan(START_MS + 500);
    expect(plan.fences).toEqual([]);
    expect(plan.wakeAtMs).toBe(START_MS + 1_000);
    pacer.upsertPod(aDaemonPod("d", "n1", { createdAtMs: START_MS + 900 }), START_MS + 900);
    expect(pacer.plan(START_MS + 1_899).fences).toEqual([]);
    expect(pacer.plan(START_MS + 1_900).fences).toMatchObject([{ kind: "endRollCall", value: "n1" }]);
  });

  test("lasts three seconds at most, however many come", () => {
    const pacer = pacerWith([inRollCall()], [...herd, aDaemonPod("d", "n1", { createdAtMs: START_MS + 2_900 })]);
    expect(pacer.plan(START_MS + ROLL_CALL_MS - 1).fences).toEqual([]);
    expect(pacer.plan(START_MS + ROLL_CALL_MS).fences).toMatchObject([{ kind: "endRollCall" }]);
  });

  test("ends at once if its beginning cannot be read, or is in the future: another clock wrote it", () => {
    expect(fencesAt(inRollCall(withRollCall("open", 0)), herd)).toEqual(["endRollCall"]);
    expect(fencesAt(inRollCall(withRollCall("open", START_MS + 3_600_000)), herd)).toEqual(["endRollCall"]);
  });

  test("lets no pod of the herd go, and asks for no other node: the pods go on waiting for this one", () => {
    const gated = aGatedPod("gated");
    const plan = pacerWith([inRollCall()], [...herd, gated], slots(4)).plan(START_MS + 500);
    expect(plan.releases).toEqual([]);
    expect(plan.held).toMatchObject([{ pod: { name: "gated" }, hold: { reason: "NodeJoining" } }]);
    expect(plan.held[0]?.hold.message).toContain("roll call");
  });

  test("lets the node's DaemonSet pods go, with the toleration for the fence that comes back", () => {
    const tolerations = [{ key: CORDON_TAINT.key, operator: "Exists", value: "", effect: "NoSchedule" }] as const;
    const daemon = aDaemonPod("d", "n1", { shape: aShape({ ownerKind: "DaemonSet", tolerations }) });
    const plan = pacerWith([inRollCall()], [...herd, daemon], slots(4)).plan(START_MS + 500);
    expect(plan.releases).toMatchObject([{ pod: { name: "d" }, node: "n1", fence: "n1" }]);
  });

  test("the webhook holds new pods of the herd and DaemonSet pods as on any young node", () => {
    const pacer = pacerWith([inRollCall()], herd, slots(4));
    const replica = { synced: true, leaderAlive: true };
    const now = START_MS + 500;
    expect(pacer.admit(aPod("new"), replica, now).kind).toBe("hold");
    const daemon = changed(aDaemonPod("d", "n1"), { gated: false, hold: undefined });
    expect(pacer.admit(daemon, replica, now)).toMatchObject({ kind: "hold", node: "n1" });
  });

  test.each([
    ["PacingOff", { mode: "observe" }],
    ["PacingOff", { fence: { enabled: false } }],
    ["NotSelected", { fence: { nodeSelector: { matchLabels: { pool: "paced" } } } }],
    ["FenceCapReached", { fence: { maxSeconds: 1 } }],
  ] as const)("gives way to the lift of its fence: %s", (reason, overrides) => {
    expect(fencesAt(inRollCall(), herd, START_MS + 1_000, overrides)).toEqual([reason]);
  });

  test("shows in the status", () => {
    const [node] = pacerWith([inRollCall()], herd).status(START_MS).nodes;
    expect(node).toMatchObject({ fenced: true, inRollCall: true });
  });
});

describe("after a roll call", () => {
  test("pods go on waiting while the taint of the cordon is still there", () => {
    const node = aFencedNode("n1", { taints: [CORDON_TAINT], ...withRollCall("done") });
    const plan = pacerWith([node], [...herd, aGatedPod("gated")], slots(4)).plan(START_MS + 60_000);
    expect(plan).toMatchObject({ releases: [], fences: [], held: [{ pod: { name: "gated" } }] });
  });

  test("DaemonSet pods stand first", () => {
    const pods = [...herd, aDaemonPod("d", "n1"), aDaemonPod("e", "n1")];
    const plan = pacerWith([aFencedNode("n1", withRollCall("done"))], pods, slots(3)).plan(START_MS + 3_100);
    expect(released(plan).slice(0, 2)).toEqual(["d", "e"]);
    expect(plan.releases).toHaveLength(3);
  });

  test("a cordon of somebody else keeps all waiting, as it always did", () => {
    const node = aFencedNode("n1", { unschedulable: true, taints: [CORDON_TAINT], ...withRollCall("done") });
    expect(fencesAt(node, herd, START_MS + 60_000)).toEqual([]);
  });
});

describe("the room of a pod that can go nowhere else", () => {
  const room = (pods: number) => ({ allocatable: { cpu: 16_000, memory: 1e12, pods } });

  test("stays free: a node with room for three and a DaemonSet pod that waits gives two to the herd", () => {
    const running = started(bound(aPod("there"), "n1"));
    const waiting = aDaemonPod("d", "n1", { gatedByOthers: true }); // it cannot go yet
    const pods = [running, waiting, ...many(9, (name) => aGatedPod(name))];
    const plan = pacerWith([aNode("n1", room(4))], pods, slots(8)).plan(START_MS);
    expect(plan.releases.filter(({ node }) => node === "n1").map(({ pod }) => pod.name)).toEqual(["p0", "p1"]);
  });

  test("is nobody's once the pod has gone", () => {
    const node = aNode("n1", room(3));
    const plan = pacerWith([node], [aDaemonPod("d", "n1"), ...many(9, (name) => aGatedPod(name))], slots(8)).plan(
      START_MS,
    );
    expect(plan.releases.filter(({ node: to }) => to === "n1")).toHaveLength(3);
  });
});
