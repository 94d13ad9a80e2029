/** Promise 5: no pod is evicted for one that only waits for its turn on a node that exists. */
import { expect, test } from "vitest";
import { createPacer } from "../../../../src/core/pacer.ts";
import type { NodeFacts, PodFacts } from "../../../../src/core/facts.ts";
import { EVERY_FENCE } from "../../../../src/core/verdict.ts";
import { defaultPolicy } from "../../../../src/policy/parse.ts";
import { aNode, anOldNode, aPod, aShape, bound, START_MS } from "../../../support/core-facts.ts";

const CAP_SECONDS = 300;
const REPLICA = { synced: true, leaderAlive: true };
const openedAt = (ms: number) => ({ readySinceMs: ms, createdAtMs: ms });
const fence = { value: "young", sinceMs: START_MS };
const fenced = aNode("young", { fence, ...openedAt(START_MS) });
const urgent = aPod("urgent", { shape: aShape({ priority: 1_000 }) });

type Policy = Parameters<typeof defaultPolicy>[0];
const FENCE_ONLY: Policy = { maxHoldSeconds: CAP_SECONDS, gate: { enabled: false } };
const EXTENDER_ONLY: Policy = { ...FENCE_ONLY, fence: { enabled: false }, extender: { enabled: true } };

function roomFor(
  pod: PodFacts,
  given: { policy?: Policy; nodes?: readonly NodeFacts[]; pods?: readonly PodFacts[]; replica?: typeof REPLICA } = {},
  afterMs = 1_000,
) {
  const { policy = FENCE_ONLY, nodes = [fenced], pods = [], replica = REPLICA } = given;
  const pacer = createPacer(defaultPolicy(policy));
  for (const node of [anOldNode("full"), ...nodes]) pacer.upsertNode(node, START_MS);
  for (const one of pods) pacer.upsertPod(one, START_MS);
  return pacer.roomBehindPacing(pod, replica, START_MS + afterMs);
}

test("a fenced node with room spares the pods elsewhere, whatever has been created where", () => {
  expect(roomFor(urgent)).toBe("young");
});

test("so does a young node where the extender gives slots, until a pod's rules are for kube-scheduler to judge", () => {
  const nodes = [aNode("young", openedAt(START_MS))];
  expect(roomFor(urgent, { policy: EXTENDER_ONLY, nodes })).toBe("young");
  const spread = aPod("spread", { shape: aShape({ interPodRules: true }) });
  expect(roomFor(spread, { policy: EXTENDER_ONLY, nodes })).toBeUndefined();
  expect(roomFor(spread), "the leader lets it past a fence, and kube-scheduler judges then").toBe("young");
});

test("a pod that the scheduler tried with a toleration of the fence was refused there by another rule", () => {
  for (const value of ["young", EVERY_FENCE]) {
    expect(roomFor({ ...urgent, fencesTolerated: [value] })).toBeUndefined();
  }
});

test("an exempt pod waits for the leader, who lets it past the fence at once", () => {
  const shape = aShape({ priority: 2_000_000_000, priorityClassName: "system-node-critical" });
  expect(roomFor(aPod("critical", { shape }))).toBe("young");
  const nodes = [aNode("young", openedAt(START_MS))];
  expect(roomFor(aPod("critical", { shape }), { policy: EXTENDER_ONLY, nodes })).toBeUndefined();
});

test("a node without room for it spares nothing: not its size, its labels, nor what is bound or reserved there", () => {
  const large = aShape({ requests: { cpu: 1_000_000, pods: 1 } });
  const elsewhere = aShape({ nodeSelector: { zone: "b" } });
  for (const shape of [large, elsewhere]) expect(roomFor(aPod("p", { shape }))).toBeUndefined();
  const tiny = { ...fenced, allocatable: { ...fenced.allocatable, cpu: 150 } };
  expect(roomFor(urgent, { nodes: [tiny] })).toBe("young");
  expect(roomFor(urgent, { nodes: [tiny], pods: [bound(aPod("first"), "young")] })).toBeUndefined();
});

test("past the pod's cap pods may be evicted as usual; the cap counts from the node's opening", () => {
  expect(roomFor(urgent, {}, CAP_SECONDS * 1_000 - 1)).toBe("young");
  expect(roomFor(urgent, {}, CAP_SECONDS * 1_000)).toBeUndefined();
  const late = { ...fenced, ...openedAt(START_MS + 100_000) };
  expect(roomFor(urgent, { nodes: [late] }, CAP_SECONDS * 1_000)).toBe("young");
});

test.each<[string, Parameters<typeof roomFor>[1]]>([
  ["a node is not open: that, and not pacing, keeps pods out", { nodes: [{ ...fenced, readySinceMs: undefined }] }],
  ["only observing", { policy: { ...FENCE_ONLY, mode: "observe" } }],
  ["pacing is off", { policy: { ...FENCE_ONLY, mode: "off" } }],
  ["no leader lives who would let it through", { replica: { synced: true, leaderAlive: false } }],
  ["the replica has not seen the cluster", { replica: { synced: false, leaderAlive: true } }],
  ["the young node has no fence any more", { nodes: [aNode("young", openedAt(START_MS))] }],
  ["nothing is young", { nodes: [] }],
])("kube-scheduler decides as without Paceline where %s", (_, given) => {
  expect(roomFor(urgent, given)).toBeUndefined();
});
