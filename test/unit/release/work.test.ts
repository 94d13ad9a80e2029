import { expect, test } from "vitest";
import { nodeName } from "../../../src/core/ids.ts";
import type { FenceAction, Plan, Release } from "../../../src/core/verdict.ts";
import { fenceWork, releaseWork, startable, type Work } from "../../../src/release/work.ts";
import { aGatedPod, aNode } from "../../support/core-facts.ts";

const release = (name: string, node: string): Release => ({
  ...{ pod: aGatedPod(name), node: nodeName(node), fence: node, reason: "SlotFree", message: "" },
});
const begin = (node: string): FenceAction => ({ kind: "beginRollCall", node: aNode(node), value: node });
const planOf = (given: Partial<Plan>): Plan => ({ releases: [], fences: [], held: [], wakeAtMs: undefined, ...given });
const started = (plan: Plan, ...inFlight: readonly Work[]) =>
  startable(plan, new Map(inFlight.map((work) => [work.key, work]))).map(({ key }) => key);

test("nothing is released to a node whose fence is being written: the plan does not know of the cordon yet", () => {
  const plan = planOf({ releases: [release("a", "n1"), release("b", "n2")] });
  expect(started(plan, fenceWork(begin("n1")))).toEqual([releaseWork(release("b", "n2")).key]);
});

test("no roll call begins on a node while a release to it is on its way: the cordon would keep that pod out", () => {
  const plan = planOf({ fences: [begin("n1"), begin("n2")] });
  expect(started(plan, releaseWork(release("a", "n1")))).toEqual(["node n2"]);
});

test("a pod with a choice of nodes takes a slot on each, and none where pods that are on their way have taken it", () => {
  const one = (name: string, ...others: readonly string[]): Release => ({
    ...release(name, "n1"),
    others: others.map((node) => ({ node: nodeName(node), fence: node })),
  });
  const begun = (plan: Plan, ...inFlight: readonly Work[]) =>
    startable(plan, new Map(inFlight.map((work) => [work.key, work]))).map((work) =>
      work.kind === "release" ? work.release.others?.map(({ node }) => node) : work.kind,
    );
  const plan = planOf({ releases: [one("a", "n2", "n3")] });
  expect(begun(plan)).toEqual([["n2", "n3"]]);
  expect(begun(plan, releaseWork(release("b", "n2")))).toEqual([["n3"]]);
  expect(begun(plan, fenceWork(begin("n3")))).toEqual([["n2"]]);
  expect(begun(plan, releaseWork(one("b")))).toEqual([]);
});

test("no roll call begins on a node that a pod may choose, either", () => {
  const choice = { ...release("a", "n2"), others: [{ node: nodeName("n1"), fence: "n1" }] };
  expect(started(planOf({ fences: [begin("n1"), begin("n3")] }), releaseWork(choice))).toEqual(["node n3"]);
});
