import { describe, expect, test } from "vitest";
import { createPacer } from "../../../../src/core/pacer.ts";
import { type Hold, type ReplicaState } from "../../../../src/core/verdict.ts";
import { imageName, nodeName } from "../../../../src/core/ids.ts";
import { defaultPolicy } from "../../../../src/policy/parse.ts";
import type { NodeFacts, PodFacts } from "../../../../src/core/facts.ts";
import { pacerWith, slots } from "../../../support/core-plan.ts";
import { aGatedPod, aNode, anOldNode, aPod, aShape, bound, START_MS } from "../../../support/core-facts.ts";

const healthy: ReplicaState = { synced: true, leaderAlive: true };

function verdictOn(pod: PodFacts, nodes: readonly NodeFacts[], replica = healthy, policy = defaultPolicy()) {
  const pacer = createPacer(policy);
  for (const node of nodes) pacer.upsertNode(node, START_MS);
  return pacer.admit(pod, replica, START_MS + 1_000);
}

const pinned = (node: string, shape = aShape({ ownerKind: "DaemonSet" })) =>
  aPod("p", { pinnedTo: nodeName(node), shape });

describe("admission holds what only young nodes can take", () => {
  test("a DaemonSet pod that is pinned to a young node is held, and says for which", () => {
    expect(verdictOn(pinned("n1"), [aNode("n1")])).toMatchObject({
      kind: "hold",
      reason: "AwaitingRelease",
      node: "n1",
      message: "node n1 is young",
    });
  });

  test("a DaemonSet pod is held while its node has not joined yet", () => {
    const joining = aNode("n1", {
      readySinceMs: undefined,
      taints: [{ key: "node.kubernetes.io/not-ready", value: "", effect: "NoSchedule" }],
    });
    expect(verdictOn(pinned("n1"), [joining]).kind).toBe("hold");
  });

  test("a DaemonSet pod of a settled node passes", () => {
    expect(verdictOn(pinned("n1"), [anOldNode("n1"), aNode("n2")])).toEqual({ kind: "allow", reason: "NodeSettled" });
  });

  test("a pod that only young nodes can take is held for any of them", () => {
    const full = anOldNode("old", { allocatable: { cpu: 10, memory: 10, pods: 110 } });
    expect(verdictOn(aPod("p"), [full, aNode("n1"), aNode("n2")])).toMatchObject({ kind: "hold", node: undefined });
  });

  test("a pod that a settled node has room for passes", () => {
    expect(verdictOn(aPod("p"), [anOldNode("old"), aNode("n1")])).toEqual({ kind: "allow", reason: "SettledNodeFits" });
  });

  test("what is requested on the settled node counts: once it is full, the pod is held", () => {
    const pacer = createPacer(defaultPolicy());
    // Under admission, pods of a ReplicaSet have no name yet.
    const small = anOldNode("old", { allocatable: { cpu: 150, memory: 1e12, pods: 110 } });
    for (const node of [small, aNode("n1")]) pacer.upsertNode(node, START_MS);
    expect(pacer.admit(aPod(""), healthy, START_MS).kind).toBe("allow");
    pacer.upsertPod(bound(aPod("first"), "old"), START_MS);
    expect(pacer.admit(aPod(""), healthy, START_MS).kind).toBe("hold");
    pacer.deletePod(aPod("first").uid, START_MS);
    expect(pacer.admit(aPod(""), healthy, START_MS).kind).toBe("allow");
  });

  test("a settled node that goes is no room from then on, and one that settles soon is", () => {
    const pacer = createPacer(defaultPolicy({ youngForSeconds: 60 }));
    for (const node of [anOldNode("old"), aNode("n1")]) pacer.upsertNode(node, START_MS);
    const verdict = (name: string, atMs: number) =>
      pacer.admit(aPod(name, { shape: aShape({ ownerName: name }) }), healthy, atMs).kind;
    const settlesMs = (aNode("n1").readySinceMs ?? 0) + 60_000;
    expect(verdict("a", settlesMs - 100)).toBe("allow");
    pacer.deleteNode(nodeName("old"), settlesMs - 90);
    expect(verdict("b", settlesMs - 80)).toBe("hold");
    expect(verdict("c", settlesMs + 250)).toBe("allow");
  });
});

describe("admission never hides demand", () => {
  test("a pod that fits no node that exists passes, so that the autoscaler sees it", () => {
    const huge = aPod("p", { shape: aShape({ requests: { cpu: 64_000, pods: 1 } }) });
    expect(verdictOn(huge, [aNode("n1")])).toEqual({ kind: "allow", reason: "NoNodeFits" });
  });

  test("a pod that selects labels no node has passes", () => {
    const gpu = aPod("p", { shape: aShape({ nodeSelector: { gpu: "yes" } }) });
    expect(verdictOn(gpu, [aNode("n1")]).kind).toBe("allow");
  });

  test("a pod that tolerates no taint of the young node passes", () => {
    const tainted = aNode("n1", { taints: [{ key: "team", value: "a", effect: "NoSchedule" }] });
    expect(verdictOn(aPod("p"), [tainted]).kind).toBe("allow");
  });

  test("a pod with inter-pod rules is judged like others: it waits for young nodes, and passes where a settled one has room", () => {
    const pod = aPod("p", { shape: aShape({ interPodRules: true }) });
    expect(verdictOn(pod, [aNode("n1")]).kind).toBe("hold");
    expect(verdictOn(pod, [aNode("n1"), anOldNode("old")])).toEqual({ kind: "allow", reason: "SettledNodeFits" });
  });
});

describe("admission fails open and spares what the cluster lives on", () => {
  test.each([
    ["caches are not synced", { synced: false, leaderAlive: true }, "NotSynced"],
    ["no leader is alive", { synced: true, leaderAlive: false }, "NoLeader"],
  ] as const)("nothing is held while %s", (_when, replica, reason) => {
    expect(verdictOn(pinned("n1"), [aNode("n1")], replica)).toEqual({ kind: "allow", reason });
  });

  test.each([
    ["kube-system", aShape({ namespace: "kube-system" })],
    ["system-node-critical", aShape({ priorityClassName: "system-node-critical", priority: 2_000_001_000 })],
    ["a mirror pod", aShape({ mirror: true })],
    ["Paceline itself", aShape({ labels: { "paceline.dev/component": "serve" } })],
  ])("%s is never held", (_what, shape) => {
    expect(verdictOn(pinned("n1", shape), [aNode("n1")])).toEqual({ kind: "allow", reason: "Exempt" });
  });

  test("a pod that has a node, or our gate already, passes", () => {
    expect(verdictOn(aPod("p", { node: nodeName("n1") }), [aNode("n1")])).toMatchObject({ reason: "AlreadyBound" });
    expect(verdictOn(aGatedPod("p"), [aNode("n1")])).toMatchObject({ reason: "AlreadyGated" });
  });

  test("mode off holds nothing", () => {
    expect(verdictOn(pinned("n1"), [aNode("n1")], healthy, defaultPolicy({ mode: "off" })).kind).toBe("allow");
  });

  test("observe mode allows and says what it would have held", () => {
    const verdict = verdictOn(pinned("n1"), [aNode("n1")], healthy, defaultPolicy({ mode: "observe" }));
    expect(verdict).toMatchObject({ kind: "allow", reason: "Observing", would: { kind: "hold", node: "n1" } });
  });

  test("a pod for a node that nobody has seen passes", () => {
    expect(verdictOn(pinned("n9"), [aNode("n1")])).toEqual({ kind: "allow", reason: "NodeUnknown" });
  });
});

describe("room elsewhere: a pod that brings images", () => {
  const shape = aShape({ image: "app", ownerName: "web" });
  const images = new Map([[imageName("app"), 1]]);
  const two = slots(2);

  test("waits for the leader while a young node stands open, though a settled one has room", () => {
    const verdict = verdictOn(aPod("p", { shape }), [anOldNode("old"), aNode("young")]);
    expect(verdict).toMatchObject({ kind: "hold", reason: "AwaitingRelease", node: undefined });
    expect((verdict as Hold).message).toContain("node young is young and stands open");
  });

  test("passes where the young node does not stand open to it: fenced, cordoned, full, or not for it", () => {
    const fence = { value: "young", sinceMs: START_MS };
    const others = [{ fence }, { unschedulable: true }, { allocatable: { cpu: 0, pods: 0 } }];
    for (const more of others) {
      expect(verdictOn(aPod("p", { shape }), [anOldNode("old"), aNode("young", more)]).kind).toBe("allow");
    }
  });

  test("waits for the leader also where a settled node has the images: kube-scheduler might take the young one", () => {
    expect(verdictOn(aPod("p", { shape }), [anOldNode("old", { images }), aNode("young")]).kind).toBe("hold");
    expect(verdictOn(aPod("p", { shape }), [anOldNode("old"), aNode("young", { images })]).kind).toBe("allow");
  });

  test("is counted on a node that has the images, too: room for one is room for one", () => {
    const room = { images, allocatable: { cpu: 100, memory: 1e12, pods: 1 } };
    const pacer = pacerWith([anOldNode("warm", room), anOldNode("cold")], [], slots(1));
    const kinds = Array.from({ length: 3 }, () => pacer.admit(aPod("", { shape }), healthy, START_MS).kind);
    expect(kinds).toEqual(["allow", "hold", "hold"]); // one on the cold node; the warm one might not be taken
  });

  test("and whose creation is refused afterwards uses up nothing that the leader gives", () => {
    const pacer = pacerWith([anOldNode("old")], [aGatedPod("other", { shape })], two);
    for (let at = 0; at < 9; at += 1) pacer.admit(aPod("", { shape, namespace: "evil" }), healthy, START_MS);
    expect(pacer.plan(START_MS).releases).toMatchObject([{ pod: { name: "other" }, node: "old" }]);
  });

  test("is counted on settled nodes at once: more than they can feed are held, before any is seen", () => {
    const pacer = pacerWith([anOldNode("old")], [], two);
    const kinds = Array.from({ length: 4 }, () => pacer.admit(aPod("", { shape }), healthy, START_MS).kind);
    expect(kinds).toEqual(["allow", "allow", "hold", "hold"]);
  });

  test("counts for nothing in a dry run", () => {
    const pacer = pacerWith([anOldNode("old")], [], two);
    for (let at = 0; at < 4; at += 1) {
      expect(pacer.admit(aPod("", { shape }), healthy, START_MS, true).kind).toBe("allow");
    }
  });

  test("passes saturated settled nodes where the policy only observes them", () => {
    const pacer = pacerWith([anOldNode("old")], [], { ...two, settledNodes: "observe" });
    for (let at = 0; at < 4; at += 1) expect(pacer.admit(aPod("", { shape }), healthy, START_MS).kind).toBe("allow");
  });
});
