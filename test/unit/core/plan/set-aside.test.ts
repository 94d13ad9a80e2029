/** Pods whose writes fail take no part in plans until their next try. */
import { expect, test } from "vitest";
import { aGatedPod, aShape, START_MS } from "../../../support/core-facts.ts";
import { aFencedNode, aPendingPod, many, pacerWith, released, slots } from "../../../support/core-plan.ts";

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

test("a pod that another client was changing keeps its reason", () => {
  const pod = aGatedPod("p", { hold: { node: undefined, reason: "DiskBacklog", sinceMs: START_MS } });
  const { held, releases } = pacerWith([aFencedNode("n1")], [pod]).plan(START_MS, new Map([[pod.uid, ""]]));
  expect([releases, held.map(({ hold }) => hold.reason)]).toEqual([[], ["DiskBacklog"]]);
});
