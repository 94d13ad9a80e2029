/** The time until pods are Ready, as metrics have it. */
import { expect, test } from "vitest";
import { nodeName } from "../../../src/core/ids.ts";
import { aNode, anOldNode, aPod, bound, changed, START_MS } from "../../support/core-facts.ts";
import { pacerWith } from "../../support/core-plan.ts";

const SECOND_MS = 1_000;
const ready = { containersStarted: true, ready: true };

test("a pod's time to Ready counts from when both it and its node were there, by its node's state, and once", () => {
  const young = aNode("young", { readySinceMs: START_MS });
  const early = bound(aPod("early", { createdAtMs: START_MS - 60_000 }), "young");
  const late = bound(aPod("late", { createdAtMs: START_MS + 2 * SECOND_MS }), "old");
  const pacer = pacerWith([young, anOldNode("old")], [early, late]);
  expect(pacer.takeReady()).toEqual([]);
  const isReady = changed(early, ready);
  pacer.upsertPod(isReady, START_MS + 7 * SECOND_MS);
  pacer.upsertPod(changed(late, ready), START_MS + 5 * SECOND_MS);
  expect(pacer.takeReady()).toEqual([
    { state: "young", tookMs: 7 * SECOND_MS },
    { state: "settled", tookMs: 3 * SECOND_MS },
  ]);
  const unready = changed(isReady, { ready: false });
  pacer.upsertPod(unready, START_MS + 8 * SECOND_MS);
  pacer.upsertPod(changed(unready, { ready: true }), START_MS + 9 * SECOND_MS);
  expect(pacer.takeReady()).toEqual([]);
});

test("a pod that is gone does not come back with the late answer to a write of ours", () => {
  const pod = bound(aPod("p"), "young");
  const pacer = pacerWith([aNode("young")], [pod]);
  pacer.deletePod(pod.uid, START_MS);
  pacer.upsertPod(changed(pod, {}), START_MS);
  pacer.upsertPod(changed(pod, ready), START_MS);
  expect(pacer.takeReady()).toEqual([]);
});

test("a container that has restarted, and a pod that this replica first saw as Ready, count for nothing", () => {
  const crashed = bound(aPod("crashed", { restarts: 1 }), "young");
  const pacer = pacerWith([aNode("young")], [crashed, bound(aPod("seen", ready), "young")]);
  pacer.upsertPod(changed(crashed, ready), START_MS + SECOND_MS);
  pacer.deleteNode(nodeName("young"), START_MS);
  expect(pacer.takeReady()).toEqual([]);
});
