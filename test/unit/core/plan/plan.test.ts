import { describe, expect, test } from "vitest";
import { aDaemonPod, aGatedPod, aNode, aPod, aShape, bound, changed, START_MS } from "../../../support/core-facts.ts";
import { nodeName } from "../../../../src/core/ids.ts";
import {
  aFencedNode,
  aJoiningNode,
  aPendingPod,
  many,
  NOT_READY,
  pacerWith,
  released,
  slots,
} from "../../../support/core-plan.ts";

describe("the whole plan", () => {
  test("a herd of DaemonSet pods is released up to the limit; the rest stays held with the reason", () => {
    const pacer = pacerWith(
      [aNode("n1")],
      many(10, (name) => aDaemonPod(name, "n1")),
      slots(4),
    );
    const plan = pacer.plan(START_MS);
    expect(plan.releases).toHaveLength(4);
    expect(plan.releases.every(({ node, reason }) => node === "n1" && reason === "SlotFree")).toBe(true);
    expect(plan.held).toHaveLength(6);
    expect(plan.held[0]?.hold).toMatchObject({ reason: "StartupSlotsFull", node: "n1" });
  });

  test("planning again before anything was applied gives the same answer", () => {
    const pacer = pacerWith(
      [aNode("n1")],
      many(10, (name) => aDaemonPod(name, "n1")),
      slots(4),
    );
    expect(released(pacer.plan(START_MS))).toEqual(released(pacer.plan(START_MS)));
  });

  test("pending pods pass one batch at a time, each with the toleration of its node", () => {
    const pacer = pacerWith(
      [aFencedNode("n1"), aFencedNode("n2")],
      many(20, (name) => aPendingPod(name)),
      slots(3),
    );
    const { releases } = pacer.plan(START_MS);
    expect(releases).toHaveLength(6);
    expect(releases.every(({ node, fence }) => fence === node)).toBe(true);
    expect(new Set(released({ releases })).size).toBe(6);
  });

  test("while as many pods are released as kube-scheduler binds within seconds, no more are, and they are told so", () => {
    const nodes = many(60, (name) => aFencedNode(name));
    const reserved = nodes.flatMap((node) =>
      many(10, (name) =>
        aPendingPod(`${name}-${node.name}`, {
          fencesTolerated: [node.name],
          reservation: { node: node.name, atMs: START_MS },
        }),
      ),
    );
    const next = aPendingPod("next");
    expect(pacerWith(nodes, [...reserved.slice(0, 499), next], slots(32)).plan(START_MS).releases).toHaveLength(1);
    const busy = pacerWith(nodes, [...reserved.slice(0, 500), next], slots(32));
    expect(busy.plan(START_MS).releases).toEqual([]);
    expect(busy.keptOut(START_MS)).toMatchObject([{ pod: { name: "next" }, hold: { reason: "SchedulerBusy" } }]);
  });

  test("another machine of the same name begins anew: what was learnt of the old one is forgotten", () => {
    const pacer = pacerWith([aFencedNode("n1")], [], slots(8));
    const broken = changed(bound(aPod("broken"), "n1"), { overloadFailures: 1 });
    pacer.upsertPod(broken, START_MS + 20_000);
    expect(pacer.status(START_MS + 20_000).nodes[0]?.limit).toBe(4);
    pacer.upsertNode(changed(aFencedNode("n1"), { uid: "another" }), START_MS + 21_000);
    expect(pacer.status(START_MS + 21_000).nodes[0]?.limit).toBe(8);
  });

  test("a late answer to a write does not bring a deleted node back", () => {
    const pacer = pacerWith([aFencedNode("n1")], []);
    pacer.deleteNode(nodeName("n1"), START_MS);
    pacer.upsertNode(aNode("n1"), START_MS);
    expect(pacer.status(START_MS).nodes).toEqual([]);
  });

  test("a late answer to a write to a node does not replace another machine that has its name now", () => {
    const [first, second] = [aFencedNode("n1"), aNode("n1", { uid: "another" })];
    for (const isSeenGone of [true, false]) {
      const pacer = pacerWith([first], []);
      if (isSeenGone) pacer.deleteNode(nodeName("n1"), START_MS);
      pacer.upsertNode(second, START_MS);
      pacer.upsertNode(changed(first, { unschedulable: true }), START_MS);
      expect(pacer.status(START_MS).nodes).toMatchObject([{ name: "n1", fenced: false }]);
    }
  });
});

describe("a node that is still joining", () => {
  const joining = aJoiningNode("n1");
  const herd = [
    ...many(10, (name) => aPendingPod(`pending-${name}`)),
    ...many(10, (name) => aDaemonPod(`daemon-${name}`, "n1", { fencesTolerated: ["*"] })),
    ...many(10, (name) => aGatedPod(`gated-${name}`)),
  ];

  test("releases no pod that it would not take yet: otherwise all would come at once when it is Ready", () => {
    const pacer = pacerWith([joining], herd, slots(3));
    const plan = pacer.plan(START_MS + 60_000);
    expect(plan).toMatchObject({ releases: [], fences: [] });
    expect(plan.held).toHaveLength(20);
    expect(new Set(plan.held.map(({ hold }) => hold.reason))).toEqual(new Set(["NodeJoining"]));
    expect(plan.held[0]?.hold.message).toContain(NOT_READY.key);
    pacer.upsertNode(changed(joining, { readySinceMs: START_MS + 60_000, taints: [] }), START_MS + 60_000);
    expect(pacer.plan(START_MS + 60_000).releases).toHaveLength(3);
  });

  test("takes pods that tolerate what keeps the others out, such as its network agent", () => {
    const shape = aShape({
      ownerKind: "DaemonSet",
      tolerations: [{ key: "", operator: "Exists", value: "", effect: "" }],
    });
    const agent = aDaemonPod("cni", "n1", { shape, fencesTolerated: ["*"] });
    expect(released(pacerWith([joining], [...herd, agent], slots(3)).plan(START_MS))).toEqual(["cni"]);
  });
});
