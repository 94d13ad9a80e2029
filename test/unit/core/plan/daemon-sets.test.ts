import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { DaemonSetFacts, NodeFacts, PodFacts } from "../../../../src/core/facts.ts";
import {
  aDaemonPod,
  aDaemonSet,
  aGatedPod,
  aNode,
  aPod,
  aShape,
  bound,
  changed,
  START_MS,
} from "../../../support/core-facts.ts";
import {
  aFencedNode,
  aNewNode,
  aPendingPod,
  inRollCall,
  many,
  NOT_READY,
  pacerKnowing,
  pacerWith,
  released,
  slots,
} from "../../../support/core-plan.ts";

const herd = many(9, (name) => aPendingPod(name));
const fencedOut = aDaemonSet("agent");
const tolerant = aDaemonSet("proxy", { fencesTolerated: ["*"] });

const planWith = (daemonSets: readonly DaemonSetFacts[], node: NodeFacts, pods: readonly PodFacts[] = herd) =>
  pacerKnowing(daemonSets, [node], pods, slots(4)).plan(START_MS + 100);
const kinds = (...given: Parameters<typeof planWith>) => planWith(...given).fences.map(({ kind }) => kind);

describe("a roll call is made", () => {
  test("where a DaemonSet that does not tolerate the fence lacks its pod", () => {
    expect(planWith([tolerant, fencedOut], aNewNode())).toMatchObject({
      ...{ fences: [{ kind: "beginRollCall" }], releases: [] },
    });
  });

  test.each([
    ["there is no DaemonSet", [], []],
    ["all tolerate the fence", [tolerant], []],
    ["it tolerates the fence of this very node", [aDaemonSet("agent", { fencesTolerated: ["n1"] })], []],
    ["its pod is bound there", [fencedOut], [bound(aDaemonPod("d", "n1"), "n1")]],
    ["its pod is gated", [fencedOut], [aDaemonPod("d", "n1")]],
    ["it is not meant for the node", [aDaemonSet("agent", { shape: aShape({ nodeSelector: { a: "b" } }) })], []],
  ] as const)("not where %s: the herd goes at once", (_, daemonSets, pods) => {
    const { fences, releases } = planWith(daemonSets, aNewNode(), [...herd, ...pods]);
    expect(fences).toEqual([]);
    expect(releases.length).toBeGreaterThan(0);
  });

  test("as before while DaemonSets are not known: they may not be listed", () => {
    const pacer = pacerWith([aNewNode()], herd, slots(4));
    expect(pacer.plan(START_MS + 100).fences).toMatchObject([{ kind: "beginRollCall" }]);
    pacer.upsertDaemonSet(tolerant); // the first page of several
    expect(pacer.plan(START_MS + 100).fences).toMatchObject([{ kind: "beginRollCall" }]);
    pacer.daemonSetsListed();
    expect(pacer.plan(START_MS + 100).fences).toEqual([]);
  });

  test("as before their list, once the right to list them is gone: what was known grows old", () => {
    const pacer = pacerKnowing([tolerant], [aNewNode()], herd, slots(4));
    expect(pacer.plan(START_MS + 100).fences).toEqual([]);
    const lost = pacerKnowing([tolerant, fencedOut], [aNewNode()], [aGatedPod("p")], slots(4));
    lost.forgetDaemonSets();
    expect(lost.plan(START_MS + 100).fences).toMatchObject([{ kind: "beginRollCall" }]);
    lost.daemonSetsListed();
    expect(lost.plan(START_MS + 100).releases).toMatchObject([{ node: "n1" }]); // they are forgotten
  });

  test("for a DaemonSet that comes later, and not while pods are on their way to the node: it would keep them out", () => {
    const pacer = pacerKnowing([], [aNewNode()], herd, slots(4));
    const [first] = pacer.plan(START_MS).releases;
    if (!first) throw new Error("the test expects a release");
    const reservation = { node: first.pod.pinnedTo ?? aNewNode().name, atMs: START_MS };
    const released = changed(first.pod, { reservation, fencesTolerated: ["n1"] });
    pacer.upsertPod(released, START_MS);
    pacer.upsertDaemonSet(fencedOut);
    expect(pacer.plan(START_MS + 100).fences).toEqual([]);
    pacer.upsertPod(bound(released, "n1"), START_MS + 200);
    expect(pacer.plan(START_MS + 200).fences).toMatchObject([{ kind: "beginRollCall" }]);
  });

  test("no more once the DaemonSet is deleted", () => {
    const pacer = pacerKnowing([fencedOut], [aNewNode()], herd, slots(4));
    pacer.deleteDaemonSet("default/agent");
    expect(pacer.plan(START_MS + 100).fences).toEqual([]);
  });
});

describe("an open roll call", () => {
  test("ends as soon as no DaemonSet lacks its pod, and not before", () => {
    expect(kinds([fencedOut], inRollCall())).toEqual([]);
    expect(kinds([fencedOut], inRollCall(), [...herd, aDaemonPod("d", "n1")])).toEqual(["endRollCall"]);
  });

  test("does not wait for DaemonSets that tolerate the fence: their pods come anyway", () => {
    expect(kinds([tolerant], inRollCall())).toEqual(["endRollCall"]);
  });

  test("leaves a pod that no webhook gated the moment to be bound: the fence would keep it out", () => {
    const ungated = changed(aDaemonPod("d", "n1"), { gated: false, hold: undefined });
    expect(kinds([fencedOut], inRollCall(), [...herd, ungated])).toEqual([]);
    expect(kinds([fencedOut], inRollCall(), [...herd, changed(ungated, { fencesTolerated: ["n1"] })])).toEqual([
      "endRollCall",
    ]);
    expect(kinds([fencedOut], inRollCall(), [...herd, bound(ungated, "n1")])).toEqual(["endRollCall"]);
  });

  test("ends after its usual time where a pod never comes, or DaemonSets are not known", () => {
    const ends = (pacer: ReturnType<typeof pacerWith>) => pacer.plan(START_MS + 1_000).fences;
    expect(ends(pacerKnowing([fencedOut], [inRollCall()], herd))).toMatchObject([{ kind: "endRollCall" }]);
    expect(ends(pacerWith([inRollCall()], herd))).toMatchObject([{ kind: "endRollCall" }]);
    expect(pacerWith([inRollCall()], herd).plan(START_MS + 999).fences).toEqual([]);
  });
});

describe("the room of DaemonSet pods that are still to come", () => {
  const room = (pods: number) => ({ allocatable: { cpu: 16_000, memory: 1e12, pods } });
  const gated = many(9, (name) => aGatedPod(name));
  const toNodes = ({ releases }: ReturnType<typeof planWith>) => ({
    releases: releases.filter(({ node }) => node !== undefined),
  });
  const toNode = (plan: ReturnType<typeof planWith>) => toNodes(plan).releases.length;

  test("stays free on a young node, also where they tolerate the fence", () => {
    expect(toNode(planWith([fencedOut, tolerant], aNode("n1", room(4)), gated))).toBe(2);
    expect(toNode(planWith([], aNode("n1", room(4)), gated))).toBe(4);
  });

  test("is counted once, whatever has become of the pod: to come, gated, pending, released, bound", () => {
    const d = aDaemonPod("d", "n1", { gatedByOthers: true });
    const open = changed(d, { gated: false, gatedByOthers: false, hold: undefined });
    const onItsWay = changed(open, { reservation: { node: aNewNode().name, atMs: START_MS } });
    for (const pods of [[], [d], [open], [onItsWay], [bound(open, "n1")]]) {
      expect(toNode(planWith([fencedOut], aNode("n1", room(4)), [...gated, ...pods]))).toBe(3);
    }
  });

  test("lets no pod go that would fit there: it waits for at most 30 s, as the DaemonSet's pod may never come", () => {
    const pacer = pacerKnowing([fencedOut], [aNode("n1", room(1))], gated.slice(0, 2), slots(4));
    const { releases, held, wakeAtMs } = pacer.plan(START_MS);
    expect(releases).toMatchObject([{ pod: { name: "p1" }, node: undefined, reason: "NoNodeFits" }]);
    expect(held).toMatchObject([{ pod: { name: "p0" } }]);
    expect(wakeAtMs).toBe(START_MS + 30_000);
    expect(released(toNodes(pacer.plan(START_MS + 30_000)))).toEqual(["p0"]);
  });

  test("is hidden from no autoscaler: once the DaemonSet's pod has it, a pod that fits only there is released", () => {
    const pacer = pacerKnowing([fencedOut], [aNode("n1", room(1))], gated.slice(0, 1), slots(4));
    expect(pacer.plan(START_MS).releases).toEqual([]);
    pacer.upsertPod(bound(aDaemonPod("d", "n1"), "n1"), START_MS + 100);
    expect(pacer.plan(START_MS + 100).releases).toMatchObject([{ node: undefined, reason: "NoNodeFits" }]);
  });

  test("holds for host ports, too", () => {
    const hostPorts = [{ protocol: "TCP", hostIP: "", port: 9100 }];
    const exporter = aDaemonSet("exporter", {
      shape: aShape({ ownerKind: "DaemonSet", ownerName: "exporter", hostPorts }),
    });
    const taker = aGatedPod("taker", { shape: aShape({ hostPorts }) });
    expect(planWith([exporter], aNode("n1"), [taker])).toMatchObject({ releases: [], held: [{ pod: taker }] });
  });

  test("is free for the pod of another DaemonSet that is there already", () => {
    const plan = planWith([aDaemonSet("other")], aNode("n1", room(1)), [aDaemonPod("d", "n1")]);
    expect(plan.releases).toMatchObject([{ pod: { name: "d" }, node: "n1" }]);
  });

  test("is not kept for one that does not fit: it would keep everything away from such nodes", () => {
    const huge = aDaemonSet("huge", {
      shape: aShape({ ownerKind: "DaemonSet", ownerName: "huge", requests: { cpu: 17_000, pods: 1 } }),
    });
    expect(toNode(planWith([huge, fencedOut], aNode("n1", room(4)), gated))).toBe(3);
  });

  test("is kept for 30 s after the roll call ended, and only while the node is young", () => {
    const fence = { value: "n1", sinceMs: START_MS, rollCall: { state: "done", sinceMs: START_MS + 5_000 } } as const;
    const goAt = (youngForSeconds: number, seconds: number) =>
      toNode(
        pacerKnowing([fencedOut], [aNode("n1", { ...room(4), fence })], gated, { ...slots(9), youngForSeconds }).plan(
          START_MS + seconds * 1_000,
        ),
      );
    expect([goAt(300, 37.9), goAt(300, 38)]).toEqual([3, 4]);
    expect([goAt(20, 19.9), goAt(20, 20)]).toEqual([3, 4]);
  });

  test("is kept for as long as the node keeps the pod out, and for 30 s from when it opens", () => {
    const policy = { ...slots(9), fence: { rollCall: false } };
    const closed = [
      { fence: { value: "n1", sinceMs: START_MS } },
      { taints: [NOT_READY] },
      { readySinceMs: undefined },
    ];
    for (const by of closed) {
      const pacer = pacerKnowing([fencedOut], [aNode("n1", { ...room(1), ...by })], gated.slice(0, 1), policy);
      expect(pacer.plan(START_MS + 100_000).releases).toEqual([]);
      const readySinceMs = "readySinceMs" in by ? START_MS + 100_000 : START_MS;
      pacer.upsertNode(aNode("n1", { ...room(1), readySinceMs }), START_MS + 100_000);
      expect(pacer.plan(START_MS + 129_999).releases).toEqual([]);
      expect(toNode(pacer.plan(START_MS + 130_000))).toBe(1);
    }
  });

  test("lifts no fence: a herd that fits once the room is free is still to be paced", () => {
    const large = aShape({ requests: { cpu: 16_000, pods: 1 } });
    const waits = [aPendingPod("p", { shape: large })];
    const tolerated = pacerKnowing([tolerant], [aFencedNode("n1")], waits, slots(4));
    for (const seconds of [6, 20, 32]) expect(tolerated.plan(START_MS + seconds * 1_000)).toMatchObject({ fences: [] });
    expect(toNode(tolerated.plan(START_MS + 33_000))).toBe(1);
    const called = pacerKnowing([fencedOut], [aNewNode()], waits, slots(4));
    expect(called.plan(START_MS + 100).fences).toMatchObject([{ kind: "beginRollCall" }]);
  });

  test("lifts the fence that keeps the DaemonSet's pod itself out, when nothing else may go there", () => {
    const large = aShape({ requests: { cpu: 16_000, pods: 1 } });
    const policy = { ...slots(4), fence: { rollCall: false } };
    const pacer = pacerKnowing([fencedOut], [aNewNode()], [aGatedPod("p", { shape: large })], policy);
    expect(pacer.plan(START_MS + 6_000)).toMatchObject({ fences: [{ kind: "lift" }], releases: [] });
  });

  test("is given back when the DaemonSet is deleted", () => {
    const pacer = pacerKnowing([fencedOut], [aNode("n1", room(4))], gated, slots(9));
    pacer.deleteDaemonSet("default/agent");
    expect(toNode(pacer.plan(START_MS))).toBe(4);
  });

  test("is never given away, and never more is kept: what goes to a node and what is to come fill it exactly", () => {
    const scenario = fc.record({
      cpu: fc.integer({ min: 0, max: 2_000 }),
      daemonSets: fc.array(fc.constantFrom(50, 100, 300, 900), { maxLength: 6 }),
      there: fc.nat(6),
      herd: fc.array(fc.constantFrom(40, 110, 250), { maxLength: 25 }),
    });
    fc.assert(
      fc.property(scenario, ({ cpu, daemonSets, there, herd: wanted }) => {
        const needing = (name: string, requested: number, ownerKind = "DaemonSet") =>
          aShape({ ownerKind, ownerName: name, requests: { cpu: requested, pods: 1 } });
        const all = daemonSets.map((needs, at) => aDaemonSet(`ds${at}`, { shape: needing(`ds${at}`, needs) }));
        const present = all
          .slice(0, there)
          .map((one, at) => bound(aDaemonPod(`d${at}`, "n1", { shape: one.shape }), "n1"));
        const pods = wanted.map((needs, at) =>
          aGatedPod(`p${at}`, { shape: needing(`web-${needs}`, needs, "ReplicaSet") }),
        );
        const node = aNode("n1", { allocatable: { cpu, pods: 110 } });
        const plan = pacerKnowing(all, [node], [...present, ...pods], slots(32)).plan(START_MS);
        const cpuOf = ({ shape }: Pick<PodFacts, "shape">) => shape.requests["cpu"] ?? 0;
        const sum = (some: readonly Pick<PodFacts, "shape">[]) => some.reduce((total, one) => total + cpuOf(one), 0);
        const given = plan.releases.filter((one) => one.node === "n1").map(({ pod }) => pod);
        let free = cpu - sum(present);
        for (const one of all.slice(there)) if (cpuOf(one) <= free) free -= cpuOf(one);
        expect(given.length === 0 || sum(given) <= free).toBe(true);
        const left = free - sum(given);
        for (const { pod, reason } of plan.releases)
          if (reason === "NoNodeFits") expect(cpuOf(pod)).toBeGreaterThan(left);
      }),
      { numRuns: 300 },
    );
  });
});

describe("a pod that waits for a node alone, ungated", () => {
  test("has its room there until it is bound, while the node is young", () => {
    const room = { allocatable: { cpu: 16_000, memory: 1e12, pods: 2 } };
    const waits = aPod("waits", { pinnedTo: aNode("n1").name });
    const plan = pacerWith([aNode("n1", room)], [waits, ...many(3, (name) => aGatedPod(name))], slots(9)).plan(
      START_MS,
    );
    expect(released({ releases: plan.releases.filter(({ node }) => node === "n1") })).toEqual(["p0"]);
  });
});
