import { describe, expect, test } from "vitest";
import { createPacer } from "../../../../src/core/pacer.ts";
import { nodeName } from "../../../../src/core/ids.ts";
import { defaultPolicy } from "../../../../src/policy/parse.ts";
import type { NodeFacts, PodFacts } from "../../../../src/core/facts.ts";
import { aNode, anOldNode, aPod, aShape, bound, START_MS, started } from "../../../support/core-facts.ts";

const healthy = { synced: true, leaderAlive: true };
const policy = (initial: number) =>
  defaultPolicy({
    startup: { deadlineSeconds: 3_600 },
    extender: { enabled: true },
    nodeClasses: [{ name: "test", slots: { initial } }],
  });

function pacerWith(nodes: readonly NodeFacts[], pods: readonly PodFacts[], slots: number) {
  const pacer = createPacer(policy(slots));
  for (const node of nodes) pacer.upsertNode(node, START_MS);
  for (const pod of pods) pacer.upsertPod(pod, START_MS);
  return pacer;
}

describe("an offer of the extender takes a slot", () => {
  test("a budget of two lets two pods through though no binding is visible yet", () => {
    const pacer = pacerWith([aNode("n1")], [], 2);
    const ask = (name: string) => pacer.offer(aPod(name), ["n1"], healthy, START_MS).accepted.length;
    expect(["a", "b", "c"].map(ask)).toEqual([1, 1, 0]);
  });

  test("refusals name the node, the reason and the figures", () => {
    const pacer = pacerWith([aNode("n1")], [bound(aPod("busy"), "n1")], 1);
    expect(pacer.offer(aPod("p"), ["n1"], healthy, START_MS).refused.get("n1")).toEqual({
      kind: "hold",
      reason: "StartupSlotsFull",
      message: "all 1 startup slots of node n1 are in use (1 in startup)",
      node: "n1",
    });
  });

  test("an offer is resolved when the pod is seen bound, deleted, or asks again; the slot follows it", () => {
    const pacer = pacerWith([aNode("n1")], [], 1);
    const accepted = (name: string) => pacer.offer(aPod(name), ["n1"], healthy, START_MS).accepted.length;
    expect(accepted("a")).toBe(1);
    expect(accepted("a")).toBe(1);
    expect(accepted("b")).toBe(0);
    pacer.upsertPod(bound(aPod("a"), "elsewhere"), START_MS);
    expect(accepted("b")).toBe(1);
    pacer.deletePod(aPod("b").uid, START_MS);
    expect(accepted("c")).toBe(1);
    pacer.upsertPod(started(bound(aPod("c"), "n1")), START_MS);
    expect(accepted("d")).toBe(1);
  });

  test("a pod that was let go near its hold cap is refused nowhere, but goes where its slot is reserved (promise 2)", () => {
    const nowMs = START_MS + 300_000;
    const release = { atMs: nowMs, heldMs: 290_000 };
    const reservation = { node: nodeName("n2"), atMs: nowMs };
    const pods = [bound(aPod("busy"), "n1", nowMs), bound(aPod("busy-too"), "n2", nowMs)];
    const nodes = [aNode("n1"), aNode("n2")];
    const ask = (pod: PodFacts) =>
      pacerWith(nodes, [...pods, pod], 1).offer(pod, ["n1", "n2"], healthy, nowMs).accepted;
    expect(ask(aPod("p", { release }))).toHaveLength(1);
    expect(ask(aPod("p", { release, reservation }))).toEqual(["n2"]);
    expect(ask(aPod("p", { release: { atMs: nowMs, heldMs: 10_000 } }))).toEqual([]);
    expect(ask(aPod("p", { release, createdAtMs: nowMs - 1_000 }))).toEqual([]); // a tenant wrote it
  });

  test("an offer that is never resolved expires", () => {
    const pacer = pacerWith([aNode("n1")], [], 1);
    pacer.offer(aPod("a"), ["n1"], healthy, START_MS);
    expect(pacer.offer(aPod("b"), ["n1"], healthy, START_MS + 14_999).accepted).toEqual([]);
    expect(pacer.offer(aPod("b"), ["n1"], healthy, START_MS + 15_000).accepted).toEqual(["n1"]);
  });

  test("of three young nodes the one with most room is offered, and all settled ones", () => {
    const nodes = [aNode("n1"), aNode("n2"), anOldNode("old")];
    const pacer = pacerWith(nodes, [bound(aPod("busy"), "n1")], 2);
    const { accepted, refused } = pacer.offer(aPod("p"), ["n1", "n2", "old"], healthy, START_MS);
    expect(accepted).toEqual(["n2", "old"]);
    expect(refused.get("n1")?.reason).toBe("OfferedOtherNode");
  });

  test("a reservation of the leader is honoured for its pod and kept from others", () => {
    const reserved = aPod("reserved", { reservation: { node: nodeName("n1"), atMs: START_MS } });
    const pacer = pacerWith([aNode("n1")], [reserved], 1);
    expect(pacer.offer(aPod("other"), ["n1"], healthy, START_MS).accepted).toEqual([]);
    expect(pacer.offer(reserved, ["n1"], healthy, START_MS).accepted).toEqual(["n1"]);
  });

  test("a reservation on several nodes is honoured on whichever of them the scheduler may take, on one at a time", () => {
    const reservation = { node: nodeName("n1"), others: [nodeName("n2")], atMs: START_MS };
    const reserved = aPod("reserved", { reservation });
    const pacer = pacerWith([aNode("n1"), aNode("n2")], [reserved], 1);
    expect(pacer.offer(aPod("other"), ["n1", "n2"], healthy, START_MS).accepted).toEqual([]);
    expect(pacer.offer(reserved, ["n2"], healthy, START_MS).accepted).toEqual(["n2"]);
    expect(pacer.offer(reserved, ["n1", "n2"], healthy, START_MS).accepted).toHaveLength(1);
  });

  test("a reservation does not break the limit when the slot was taken meanwhile", () => {
    const reserved = aPod("reserved", { reservation: { node: nodeName("n1"), atMs: START_MS } });
    const pacer = pacerWith([aNode("n1")], [reserved, bound(aPod("sly"), "n1")], 1);
    expect(pacer.offer(reserved, ["n1"], healthy, START_MS).accepted).toEqual([]);
  });

  test.each([
    ["exempt pods", aPod("dns", { shape: aShape({ namespace: "kube-system" }) }), healthy],
    ["any pod while caches are not synced", aPod("p"), { synced: false, leaderAlive: true }],
  ])("%s pass everywhere", (_what, pod, replica) => {
    const pacer = pacerWith([aNode("n1")], [bound(aPod("busy"), "n1")], 1);
    expect(pacer.offer(pod, ["n1", "unheard-of"], replica, START_MS).accepted).toEqual(["n1", "unheard-of"]);
  });

  test("a node nobody has heard of is no reason to stop a pod", () => {
    expect(pacerWith([], [], 1).offer(aPod("p"), ["ghost"], healthy, START_MS).accepted).toEqual(["ghost"]);
  });
});

test("scores fall with pods in startup and with await", () => {
  const pacer = pacerWith([aNode("n1"), aNode("n2"), aNode("n3")], [bound(aPod("busy"), "n1")], 2);
  pacer.observeSample(nodeName("n3"), { atMs: START_MS, awaitMs: 500 }, START_MS);
  expect(pacer.score(aPod("p"), ["n2", "n1", "n3", "ghost"], START_MS)).toEqual([10, 8, 5, 10]);
});
