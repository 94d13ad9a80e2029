/** Pods of which only kube-scheduler can tell where they fit: which nodes they are given, what its refusals tell. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { PodFacts } from "../../../../src/core/facts.ts";
import { nodeName } from "../../../../src/core/ids.ts";
import { EVERY_FENCE, type Plan, type Release } from "../../../../src/core/verdict.ts";
import { aDaemonPod, aGatedPod, aNode, anOldNode, aPod, aShape, bound, START_MS } from "../../../support/core-facts.ts";
import {
  aFencedNode,
  aJoiningNode,
  aPendingPod,
  many,
  pacerWith,
  released,
  slots,
} from "../../../support/core-plan.ts";

const shape = aShape({ interPodRules: true, ownerName: "spread" });
/** A pod like those that wait has found a node: their rules let them go somewhere. */
const accepted = bound(aPod("accepted", { shape, ready: true, containersStarted: true }), "n9");
const gated = (count: number) => many(count, (name) => aGatedPod(name, { shape, createdAtMs: START_MS - 5_000 }));
const fenced = (...names: readonly string[]) => names.map((name) => aFencedNode(name));
const opened = ({ node, others = [] }: Release) => [node, ...others.map((other) => other.node)].sort();
const openedBy = ({ releases }: Plan) => Object.fromEntries(releases.map((one) => [one.pod.name, opened(one)]));
const at = (nodes: readonly string[], atMs = START_MS): Partial<PodFacts> => {
  const [node = "", ...others] = nodes;
  return { fencesTolerated: nodes, reservation: { node: nodeName(node), others: others.map(nodeName), atMs } };
};
const refused = (name: string, ...nodes: readonly string[]) =>
  aPendingPod(name, { shape, refused: true, createdAtMs: START_MS - 9_000, ...at(nodes) });

describe("a pod with inter-pod rules", () => {
  test("is let go to every node with a free slot and room for it, with a toleration for each fence", () => {
    const full = aFencedNode("full", { allocatable: { cpu: 10, pods: 110 } });
    const starting = many(2, (name) => bound(aPod(`starting-${name}`), "busy"));
    const nodes = [...fenced("n1", "n2", "busy"), full, aNode("hot"), aJoiningNode("joining")];
    const plan = pacerWith(nodes, [...starting, ...gated(1)], slots(2)).plan(START_MS);
    expect(openedBy(plan)).toEqual({ p0: ["hot", "n1", "n2"] });
    const [first] = plan.releases;
    const all = [{ node: first?.node, fence: first?.fence }, ...(first?.others ?? [])];
    expect(all.filter(({ fence }) => fence).map(({ node, fence }) => [node, fence])).toEqual(
      expect.arrayContaining([["n1", "n1"], ["n2", "n2"]]), // prettier-ignore
    );
    expect(all).toContainEqual({ node: "hot", fence: undefined });
  });

  test("is given sixteen nodes at most: each costs a toleration on the pod, and a slot", () => {
    const nodes = many(40, (name) => aFencedNode(`n-${name}`));
    const [first] = pacerWith(nodes, gated(1), slots(2)).plan(START_MS).releases;
    expect(first && opened(first)).toHaveLength(16);
  });

  test("one of a DaemonSet, or any other pod, is given one node", () => {
    const daemon = aDaemonPod("daemon", "n1", { shape });
    const plan = pacerWith(fenced("n1", "n2"), [daemon, aGatedPod("plain")], slots(2)).plan(START_MS);
    expect(plan.releases.map((one) => opened(one).length)).toEqual([1, 1]);
  });

  test("uses a slot on each of its nodes until it is bound, and room on one of them", () => {
    const onItsWay = aPod("p", { shape, ...at(["n1", "n2"]) });
    const others = many(4, (name) => aGatedPod(`other-${name}`));
    const room = { allocatable: { cpu: 300, memory: 1e12, pods: 110 } };
    const nodes = ["n1", "n2"].map((name) => aFencedNode(name, room));
    const pacer = pacerWith(nodes, [onItsWay, ...others], slots(2));
    const plan = pacer.plan(START_MS + 1_000);
    expect(openedBy(plan)).toEqual({ "other-p0": ["n1"], "other-p1": ["n2"] });
    expect(plan.held.map(({ hold }) => hold.reason)).toEqual(["StartupSlotsFull", "StartupSlotsFull"]);
    pacer.upsertPod(bound(onItsWay, "n2"), START_MS + 1_000);
    const reserved = pacer.status(START_MS + 1_000).nodes.map((node) => [node.name, node.reserved, node.inStartup]);
    expect(reserved).toEqual([["n1", 0, 0], ["n2", 0, 1]]); // prettier-ignore
  });

  test("the first of its kind shows whether it finds a node before others take slots as well", () => {
    const pacer = pacerWith(fenced("n1", "n2"), gated(3), slots(4));
    expect(released(pacer.plan(START_MS))).toEqual(["p0"]);
    const first = aPod("p0", { shape, ...at(["n1", "n2"]) });
    pacer.upsertPod(first, START_MS);
    expect(released(pacer.plan(START_MS + 10))).toEqual([]);
    pacer.upsertPod(bound(first, "n1"), START_MS + 20);
    expect(released(pacer.plan(START_MS + 20))).toEqual(["p1", "p2"]);
  });

  test("one that waits for fenced nodes without a gate is let in to all that have a slot, but not where it may go already", () => {
    const pending = aPendingPod("pending", { shape, fencesTolerated: ["n1"] });
    expect(openedBy(pacerWith(fenced("n1", "n2", "n3"), [pending], slots(2)).plan(START_MS))).toEqual({
      pending: ["n2", "n3"],
    });
  });
});

describe("a refusal by kube-scheduler", () => {
  test("stands for pods that are like it, on the nodes that it was let go to, for 30 s", () => {
    const nodes = [...fenced("n1", "n2"), aFencedNode("n3")];
    const pods = [accepted, refused("first", "n1", "n2"), ...gated(2), aGatedPod("unlike")];
    const pacer = pacerWith(nodes, [...pods, bound(aPod("starting"), "n3")], slots(1));
    const plan = pacer.plan(START_MS + 1_000);
    expect(openedBy(plan)).toEqual({});
    expect(plan.held.map(({ pod, hold }) => [pod.name, hold.reason])).toEqual([
      ["p0", "InterPodRules"],
      ["p1", "InterPodRules"],
      ["unlike", "StartupSlotsFull"],
    ]);
    const later = pacer.plan(START_MS + 2_000); // the slots come back
    expect(openedBy(later)).toMatchObject({ unlike: [expect.anything()] });
    expect(released(later)).toEqual(["unlike"]);
    expect(later.wakeAtMs).toBeLessThanOrEqual(START_MS + 30_000);
    expect(released(pacer.plan(START_MS + 30_000))).toContain("p0");
  });

  test("counts no longer once the pod is bound: the rule lets others go, too", () => {
    const pods = [refused("first", "n1"), ...gated(1), bound(aPod("starting"), "n2")];
    const pacer = pacerWith(fenced("n1", "n2"), pods, slots(1));
    expect(released(pacer.plan(START_MS + 3_000))).toEqual([]);
    pacer.upsertPod(bound(refused("first", "n1"), "n1"), START_MS + 3_000);
    const there = bound(refused("first", "n1"), "n1");
    pacer.upsertPod({ ...there, containersStarted: true, ready: true }, START_MS + 3_000);
    expect(released(pacer.plan(START_MS + 3_000))).toEqual(["p0"]);
  });

  test("the one that was refused is let go to a node that it has not tried as soon as that has a slot", () => {
    const starting = bound(aPod("starting"), "n2");
    const first = { ...refused("first", "n1"), release: { atMs: START_MS, heldMs: 9_000 } };
    const pacer = pacerWith(fenced("n1", "n2"), [accepted, starting, first, ...gated(2)], slots(2));
    expect(openedBy(pacer.plan(START_MS + 3_000))).toEqual({ first: ["n2"] });
  });

  test("on every node that has room shows demand: those like it go to kube-scheduler, without slots (promise 3)", () => {
    const pods = [accepted, refused("first", "n1", "n2"), ...gated(2)];
    const pacer = pacerWith(fenced("n1", "n2"), pods, slots(2));
    expect(released(pacer.plan(START_MS + 1_000))).toEqual([]); // the scheduler looks at it again within 2 s
    const { releases } = pacer.plan(START_MS + 2_000);
    expect(releases).toMatchObject([
      { pod: { name: "p0" }, node: undefined, fence: undefined, reason: "NoNodeFits" },
      { pod: { name: "p1" }, node: undefined, fence: undefined, reason: "NoNodeFits" },
    ]);
    pacer.upsertNode(aJoiningNode("n3"), START_MS + 2_000);
    expect(released(pacer.plan(START_MS + 2_000))).toEqual([]); // n3 has room, and none has tried it
  });

  test("is taken from the time alone where the scheduler does not say which version of the pod it has seen", () => {
    const old = { ...refused("first", "n1"), refused: false };
    const pacer = pacerWith([...fenced("n1"), aJoiningNode("n2")], [accepted, old, ...gated(1)], slots(2));
    expect(released(pacer.plan(START_MS + 14_999))).toEqual(["p0"]);
    expect(released(pacer.plan(START_MS + 15_000))).toEqual([]);
  });

  test("says nothing of pods of another template, nor does one of a pod that was never let go", () => {
    const other = aShape({ interPodRules: true, ownerName: "other" });
    const pods = [accepted, refused("first", "n1"), aGatedPod("p", { shape: other })];
    expect(released(pacerWith(fenced("n1"), pods, slots(2)).plan(START_MS + 3_000))).toEqual(["p"]);
    const untried = aPendingPod("untried", { shape, refused: true });
    expect(released(pacerWith(fenced("n1"), [accepted, untried, ...gated(1)], slots(2)).plan(START_MS))).toHaveLength(
      2,
    );
  });

  test("does not count where a tenant has dated the reservation into the future, so that it holds up no other", () => {
    const forged = { ...refused("first", "n1"), ...at(["n1"], START_MS + 3_600_000) };
    expect(released(pacerWith(fenced("n1"), [accepted, forged, ...gated(1)], slots(2)).plan(START_MS))).toEqual(["p0"]);
  });

  test("keeps no fence up for pods that are like it", () => {
    const settledIn = { readySinceMs: START_MS - 60_000 };
    const pods = [accepted, refused("first", "n1"), aPendingPod("second", { shape })];
    const { fences } = pacerWith([aFencedNode("n1", settledIn)], pods, slots(2)).plan(START_MS + 3_000);
    expect(fences).toMatchObject([{ kind: "lift", reason: "NothingPending" }]);
  });
});

test("whatever waits, no node gets more pods than it has slots, and no pod two releases", () => {
  const nodeArb = fc.record({ starting: fc.nat(3), fenced: fc.boolean() });
  fc.assert(
    fc.property(fc.array(nodeArb, { minLength: 1, maxLength: 5 }), fc.nat(12), fc.nat(6), (given, rules, plain) => {
      const nodes = given.map((one, n) => (one.fenced ? aFencedNode(`n${n}`) : aNode(`n${n}`)));
      const there = given.flatMap(({ starting }, n) => many(starting, (name) => bound(aPod(`${name}-${n}`), `n${n}`)));
      const others = many(plain, (name) => aGatedPod(`plain-${name}`, { createdAtMs: START_MS - 7_000 }));
      const { releases } = pacerWith(nodes, [accepted, ...there, ...gated(rules), ...others], slots(3)).plan(START_MS);
      for (const [n, { starting }] of given.entries()) {
        const here = releases.filter((one) => opened(one).includes(nodeName(`n${n}`)));
        expect(here.length).toBeLessThanOrEqual(Math.max(0, 3 - starting));
      }
      expect(new Set(released({ releases })).size).toBe(releases.length);
      for (const one of releases) expect(new Set(opened(one)).size).toBe(opened(one).length);
      expect(releases.some(({ fence }) => fence === EVERY_FENCE)).toBe(false);
    }),
  );
});

test("a settled node with room takes it at once, without a slot", () => {
  const plan = pacerWith([anOldNode("old"), aFencedNode("n1")], gated(2), slots(1)).plan(START_MS);
  expect(plan.releases.map(({ reason }) => reason)).toEqual(["NodeSettled", "NodeSettled"]);
});
