/** Pods whose writes fail take no part in plans until their next try. */
import { describe, expect, test } from "vitest";
import type { PodFacts } from "../../../../src/core/facts.ts";
import { nodeName } from "../../../../src/core/ids.ts";
import type { SetAside } from "../../../../src/core/verdict.ts";
import { aGatedPod, anOldNode, aShape, changed, START_MS } from "../../../support/core-facts.ts";
import {
  aFencedNode,
  aPendingPod,
  CORDON_TAINT,
  many,
  pacerWith,
  released,
  slots,
} from "../../../support/core-plan.ts";

const urgent = aShape({ priority: 10, ownerName: "urgent" });
const EXEMPT = aShape({ namespace: "kube-system", ownerName: "agent" });

test("six pods that rank first and are set aside give their slots to the others, and still say why they wait", () => {
  const first = many(6, (name) => aGatedPod(`first-${name}`, { shape: urgent }));
  const pacer = pacerWith([aFencedNode("n1")], [...first, ...many(2, (name) => aGatedPod(name))], slots(2));
  expect(released(pacer.plan(START_MS))).toEqual(["first-p0", "first-p1"]);
  const plan = pacer.plan(START_MS, new Map(first.map(({ uid }) => [uid, "denied by kyverno"])));
  expect(released(plan)).toEqual(["p0", "p1"]);
  expect(plan.held.map(({ pod, hold }) => [pod.name, hold.reason, hold.message])).toEqual(
    first.map(({ name }) => [name, "WriteFailed", "its release is tried again: denied by kyverno"]),
  );
});

test("so do pods that only a fence keeps out, exempt ones and those at their cap included", () => {
  const first = many(2, (name) => aPendingPod(`first-${name}`, { shape: urgent, createdAtMs: START_MS - 9_000 }));
  const exempt = aPendingPod("exempt", { shape: EXEMPT });
  const aside = new Map([...first, exempt].map(({ uid }) => [uid, "denied"]));
  const pods = [...first, exempt, aPendingPod("other", { createdAtMs: START_MS - 9_000 })];
  const pacer = pacerWith([aFencedNode("n1")], pods, slots(1));
  expect(released(pacer.plan(START_MS, aside))).toEqual(["other"]);
  expect(pacer.keptOut(START_MS, aside).map(({ pod, hold }) => [pod.name, hold.reason])).toEqual([
    ["first-p0", "WriteFailed"],
    ["first-p1", "WriteFailed"],
    ["other", "LowerPriority"],
  ]);
  expect(released(pacer.plan(START_MS + 300_000, aside))).not.toContain("first-p0");
});

describe("a pending herd that may get no toleration keeps no fence up:", () => {
  const strict = aShape({ namespace: "strict", ownerName: "web" });
  const herd = many(40, (name) => aPendingPod(name, { namespace: "strict", shape: strict }));
  const SETTLED_IN_MS = START_MS + 5_000;
  const fencesOf = (pods: readonly PodFacts[], aside: SetAside, node = aFencedNode("n1")) =>
    pacerWith([node], pods, slots(4))
      .plan(SETTLED_IN_MS, aside)
      .fences.map((action) => (action.kind === "lift" ? action.reason : action.kind));
  const refused = (...uids: readonly PodFacts["uid"][]): SetAside =>
    Object.assign(new Map(), { refused: new Set(uids) });
  const first = herd[0]?.uid as PodFacts["uid"];

  test("one whose release is refused again and again stands for those that are like it", () => {
    expect(fencesOf(herd, refused())).toEqual([]);
    expect(fencesOf(herd, new Map([[first, "API server is away"]]))).toEqual([]);
    expect(fencesOf(herd, refused(first))).toEqual(["NothingPending"]);
  });

  test("nor do gated ones, or those that run on this node alone", () => {
    const gated = herd.map(({ name }) => aGatedPod(name, { namespace: "strict", shape: strict }));
    expect(fencesOf(gated, refused())).toEqual([]);
    expect(fencesOf(gated, refused(first))).toEqual(["NothingPending"]);
    const pinned = herd.map((pod) => changed(pod, { pinnedTo: nodeName("n1") }));
    expect(fencesOf(pinned, refused())).toEqual([]);
    expect(fencesOf(pinned, refused(first))).toEqual(["NothingPending"]);
  });

  test("another herd beside it does", () => {
    expect(fencesOf([...herd, ...many(9, (name) => aPendingPod(`ok-${name}`))], refused(first))).toEqual([]);
  });

  test("none goes up for it on a cordoned node", () => {
    const cordoned = anOldNode("n1", { unschedulable: true, taints: [CORDON_TAINT] });
    const raised = (aside: SetAside) => {
      const pacer = pacerWith([cordoned], herd, slots(4));
      pacer.daemonSetsListed();
      return pacer.plan(SETTLED_IN_MS, aside).fences.map(({ kind }) => kind);
    };
    expect(raised(refused())).toContain("raise");
    expect(raised(refused(first))).not.toContain("raise");
  });
});

test("a pod that another client was changing keeps its reason", () => {
  const pod = aGatedPod("p", { hold: { node: undefined, reason: "DiskBacklog", sinceMs: START_MS } });
  const { held, releases } = pacerWith([aFencedNode("n1")], [pod]).plan(START_MS, new Map([[pod.uid, ""]]));
  expect([releases, held.map(({ hold }) => hold.reason)]).toEqual([[], ["DiskBacklog"]]);
});
