/** Pods of schedulers that the policy does not name are left alone by every lever, and are load like any once bound. */
import { describe, expect, test } from "vitest";
import type { PodFacts } from "../../../../src/core/facts.ts";
import { nodeName } from "../../../../src/core/ids.ts";
import { exempt } from "../../../../src/core/rules/exempt.ts";
import { Namespaces } from "../../../../src/core/state/namespaces.ts";
import { SCHEDULER_BATCH } from "../../../../src/core/state/scheduler-batch.ts";
import { defaultPolicy } from "../../../../src/policy/parse.ts";
import { aGatedPod, aNode, anOldNode, aPod, aShape, bound, START_MS } from "../../../support/core-facts.ts";
import { aFencedNode, aPendingPod, many, pacerWith, released, slots, stateWith } from "../../../support/core-plan.ts";

const healthy = { synced: true, leaderAlive: true };
const theirs = { shape: aShape({ schedulerName: "volcano" }) };
const later = START_MS + 10_000;

const schedulers = (...schedulerNames: string[]) => ({ ...slots(1), schedulerNames });

describe("which pods are of other schedulers", () => {
  test.each(["default-scheduler", "paced"])("none of %s, if the policy says nothing", (schedulerName) => {
    expect(exempt(aShape({ schedulerName }), defaultPolicy(), new Namespaces())).toBe(false);
  });

  test("all that the policy does not name, the cluster's own scheduler included", () => {
    const policy = defaultPolicy({ schedulerNames: ["mine"] });
    expect(exempt(aShape({ schedulerName: "mine" }), policy, new Namespaces())).toBe(false);
    expect(exempt(aShape(), policy, new Namespaces())).toBe(true);
    expect(exempt(theirs.shape, defaultPolicy(), new Namespaces())).toBe(true);
  });
});

describe("a pod of another scheduler", () => {
  test("is never gated", () => {
    const pacer = pacerWith([aNode("n1")], []);
    expect(pacer.admit(aPod("p"), healthy, START_MS).kind).toBe("hold");
    expect(pacer.admit(aPod("p", theirs), healthy, START_MS)).toEqual({ kind: "allow", reason: "Exempt" });
  });

  test("is let go at once if it has our gate, and takes no slot from others", () => {
    const pacer = pacerWith([aNode("n1")], [aGatedPod("theirs", theirs), aGatedPod("ours")], slots(1));
    expect(pacer.plan(START_MS).releases).toMatchObject([
      { pod: { name: "theirs" }, node: undefined, reason: "Exempt" },
      { pod: { name: "ours" }, node: "n1", reason: "SlotFree" },
    ]);
  });

  test("is refused nothing by the extender", () => {
    const pacer = pacerWith([aNode("n1")], [bound(aPod("busy"), "n1")], { ...slots(1), extender: { enabled: true } });
    expect(pacer.offer(aPod("p"), ["n1"], healthy, START_MS).accepted).toEqual([]);
    expect(pacer.offer(aPod("p", theirs), ["n1"], healthy, START_MS).accepted).toEqual(["n1"]);
  });

  test("passes a fence without a slot once its scheduler has refused it, and is not told of as held", () => {
    const pods = [bound(aPod("busy"), "n1"), aPendingPod("refused", theirs), aPod("untried", theirs)];
    const pacer = pacerWith([aFencedNode("n1")], pods, slots(1));
    expect(pacer.keptOut(later)).toEqual([]);
    expect(pacer.plan(later).releases).toMatchObject([
      { pod: { name: "refused" }, node: undefined, fence: "n1", reason: "Exempt" },
    ]);
  });

  test("keeps no fence up, and raises none on a cordoned node", () => {
    const actions = (node: ReturnType<typeof aNode>, pods: readonly PodFacts[]) => {
      const pacer = pacerWith([node], [bound(aPod("busy"), "n1"), ...pods], { ...slots(1), steer: { enabled: false } });
      pacer.daemonSetsListed();
      return pacer.plan(later).fences.map(({ kind }) => kind);
    };
    const pending = (given: Partial<PodFacts>) => [aPod("q", given), aPendingPod("p", given)];
    expect(actions(aFencedNode("n1"), pending({}))).toEqual([]);
    expect(actions(aFencedNode("n1"), pending(theirs))).toEqual(["lift"]);
    const cordoned = anOldNode("n1", { unschedulable: true });
    expect(actions(cordoned, pending({}))).toContain("raise");
    expect(actions(cordoned, pending(theirs))).not.toContain("raise");
  });

  test("does not make kube-scheduler look behind; those of the schedulers that the policy names do", () => {
    const untried = many(SCHEDULER_BATCH, (name) => aPod(name, theirs));
    expect(stateWith([], untried).schedulerIsBehind(later)).toBe(false);
    expect(stateWith([], untried, schedulers("default-scheduler", "volcano")).schedulerIsBehind(later)).toBe(true);
  });

  test("uses a slot once it is bound to a paced node, as any pod does", () => {
    const pacer = pacerWith([aNode("n1")], [bound(aPod("theirs", theirs), "n1"), aGatedPod("ours")], slots(1));
    expect(released(pacer.plan(START_MS))).toEqual([]);
    expect(pacer.status(START_MS).nodes).toMatchObject([{ name: nodeName("n1"), inStartup: 1 }]);
  });

  test("is paced as soon as the policy names its scheduler", () => {
    const pacer = pacerWith(
      [aNode("n1")],
      many(2, (name) => aGatedPod(name, theirs)),
      schedulers("volcano"),
    );
    expect(pacer.plan(START_MS).releases).toMatchObject([{ reason: "SlotFree" }]);
  });
});
