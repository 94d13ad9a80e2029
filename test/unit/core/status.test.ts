/** The status that people see: the same answer as the plan's, on every replica. */
import { expect, test } from "vitest";
import { createPacer } from "../../../src/core/pacer.ts";
import type { NodeFacts, PodFacts } from "../../../src/core/facts.ts";
import { nodeName } from "../../../src/core/ids.ts";
import { defaultPolicy } from "../../../src/policy/parse.ts";
import {
  aDaemonPod,
  aGatedPod,
  aNode,
  anOldNode,
  aPod,
  aShape,
  bound,
  changed,
  START_MS,
} from "../../support/core-facts.ts";
import { aJoiningNode, CORDON_TAINT, inRollCall } from "../../support/core-plan.ts";

const policy = defaultPolicy({ nodeClasses: [{ name: "one", slots: { initial: 1, min: 1, max: 1 } }] });

function pacerWith(nodes: readonly NodeFacts[], pods: readonly PodFacts[]) {
  const pacer = createPacer(policy);
  for (const node of nodes) pacer.upsertNode(node, START_MS);
  for (const pod of pods) pacer.upsertPod(pod, START_MS);
  return pacer;
}

const occupied = [bound(aPod("starting"), "young"), aDaemonPod("waits", "young", { createdAtMs: START_MS - 5_000 })];

test("a leader shows the reason of its plan; who plans no more shows the one that is written on the pod", () => {
  const pacer = pacerWith([aNode("young")], occupied);
  expect(pacer.status(START_MS).held).toMatchObject([{ name: "waits", reason: "AwaitingRelease", heldSeconds: 5 }]);
  pacer.plan(START_MS);
  expect(pacer.status(START_MS + 1_000).held).toMatchObject([
    { name: "waits", reason: "StartupSlotsFull", node: "young" },
  ]);
  expect(pacer.status(START_MS + 60_000).held).toMatchObject([{ reason: "AwaitingRelease" }]);
});

test("a pod that is let go is shown no longer, though the plan of before held it", () => {
  const waits = aGatedPod("waits");
  const pacer = pacerWith([aNode("young")], [bound(aPod("starting"), "young"), waits]);
  pacer.plan(START_MS);
  pacer.upsertPod(changed(waits, { gated: false }), START_MS);
  expect(pacer.status(START_MS).held).toEqual([]);
});

test("pods that nothing but a fence keeps out are shown as well, held since the fenced node was Ready", () => {
  const fence = { value: "young", sinceMs: START_MS - 60_000 };
  const pending = { createdAtMs: START_MS - 3_600_000, unschedulable: true, shape: aShape() };
  const pods = [bound(aPod("starting"), "young"), aPod("herd", pending)];
  const { held } = pacerWith([aNode("young", { fence, readySinceMs: START_MS - 3_000 })], pods).status(START_MS);
  expect(held).toMatchObject([{ name: "herd", node: "young", reason: "StartupSlotsFull", heldSeconds: 3 }]);
});

test("a node shows its disk's figures, which disk it is and whether that is known to hold the images", () => {
  const pacer = pacerWith([aNode("young")], []);
  const figures = { device: { name: "md127", holdsImages: true }, iops: 2_950, awaitMs: 8, utilisation: 0.5 };
  pacer.observeSample(nodeName("young"), { atMs: START_MS, ...figures }, START_MS);
  expect(pacer.status(START_MS).nodes).toMatchObject([{ name: "young", ...figures }]);
});

test("a settled node that has been given all its slots is shown as saturated, others are only counted", () => {
  const pacer = pacerWith([anOldNode("full"), anOldNode("idle")], [bound(aPod("starting"), "full")]);
  const { nodes, settledNodes } = pacer.status(START_MS);
  expect(nodes).toMatchObject([{ name: "full", state: "saturated", inStartup: 1, limit: 1 }]);
  expect(settledNodes).toBe(1);
});

test("a node that stands open and young shows until when it is young; one that is to open yet does not", () => {
  const closed = aJoiningNode("joining", { createdAtMs: START_MS });
  const { nodes } = pacerWith([aNode("young", { readySinceMs: START_MS - 60_000 }), closed], []).status(START_MS);
  expect(nodes).toMatchObject([
    { name: "young", state: "young", youngUntilMs: START_MS + (policy.youngForSeconds - 60) * 1_000 },
    { name: "joining", state: "young", youngUntilMs: undefined },
  ]);
});

test("a cordoned node is shown as cordoned, not as young, whatever its age; one in a roll call is young", () => {
  const cordoned = { unschedulable: true, taints: [CORDON_TAINT] };
  const rollCall = inRollCall({ readySinceMs: START_MS - 1_000 });
  const nodes = [anOldNode("old", cordoned), aNode("new", cordoned), rollCall];
  expect(pacerWith(nodes, []).status(START_MS).nodes).toMatchObject([
    { name: "old", state: "cordoned", youngUntilMs: undefined },
    { name: "new", state: "cordoned", youngUntilMs: undefined },
    { name: rollCall.name, state: "young", inRollCall: true },
  ]);
});
