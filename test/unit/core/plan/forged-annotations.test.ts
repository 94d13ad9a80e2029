/** Any tenant can write Paceline's annotations on its new pods: what that must not bring about. */
import { describe, expect, test } from "vitest";
import type { PodFacts } from "../../../../src/core/facts.ts";
import { nodeName } from "../../../../src/core/ids.ts";
import { rank } from "../../../../src/core/plan/order.ts";
import { aDaemonPod, aGatedPod, aNode, aPod, aShape, anOldNode, START_MS } from "../../../support/core-facts.ts";
import {
  aFencedNode,
  aPendingPod,
  many,
  pacerWith,
  planOf,
  released,
  slots,
  stateWith,
} from "../../../support/core-plan.ts";

const FAR_MS = Date.parse("2099-01-01T00:00:00Z");
const forged = (name: string, more: Partial<PodFacts> = {}, atMs = START_MS): PodFacts =>
  aPendingPod(`forged-${name}`, { reservation: { node: nodeName("young"), atMs }, ...more });
const cores = (cpu: number) => ({ shape: aShape({ ownerName: "forger", requests: { cpu: cpu * 1_000, pods: 1 } }) });
const daemons = [aDaemonPod("agent-young", "young")];
/** Names of the pods that go at once to the one node, which has six slots. */
const go = (pods: readonly PodFacts[], nowMs = START_MS + 100) =>
  released(pacerWith([aFencedNode("young")], pods, slots(6)).plan(nowMs));

describe("six forged reservations keep no DaemonSet pod from its node", () => {
  test("when they are dated far ahead", () => {
    expect(go([...many(6, (name) => forged(name, {}, FAR_MS)), ...daemons])).toContain("agent-young");
  });

  test("when they are dated further ahead than clocks differ, though a slot is not kept for so long", () => {
    expect(go([...many(6, (name) => forged(name, {}, START_MS + 12_000)), ...daemons])).toContain("agent-young");
  });

  test.each([
    ["ask for more than the node has", cores(999)],
    ["ask for a resource that it does not have", { shape: aShape({ requests: { "example.com/gpu": 1, pods: 1 } }) }],
    ["may not run there", { shape: aShape({ nodeSelector: { disk: "none" } }) }],
    ["may run on another node only", { pinnedTo: nodeName("other") }],
    ["wait for a gate of somebody else, which Paceline lets go nowhere", { gatedByOthers: true }],
  ])("when they %s", (_, more: Partial<PodFacts>) => {
    expect(go([...many(6, (name) => forged(name, more)), ...daemons])).toContain("agent-young");
  });
});

test("500 forged reservations that cannot be Paceline's make kube-scheduler look busy to no release", () => {
  for (const pods of [many(600, (name) => forged(name, {}, FAR_MS)), many(600, (name) => forged(name, cores(999)))]) {
    const state = stateWith([aNode("young")], pods, slots(6));
    expect(planOf(state, START_MS + 100).onTheirWay).toBe(0);
    const { releases } = pacerWith([aNode("young")], [...pods, ...many(3, (name) => aGatedPod(name))], slots(6)).plan(
      START_MS + 100,
    );
    expect(releases).toHaveLength(3);
  }
});

test("a forged reservation of 999 cores makes no node look full: 40 gated pods stay in line", () => {
  const pods = [forged("big", cores(999)), ...many(40, (name) => aGatedPod(name))];
  const { releases } = pacerWith([aNode("young")], pods, slots(6)).plan(START_MS + 100);
  expect(releases.map(({ reason }) => reason)).toEqual(Array(6).fill("SlotFree"));
});

test("a forged reservation of 999 cores makes no settled node look full to admission", () => {
  const nodes = [anOldNode("young")];
  const verdict = pacerWith(nodes, [forged("big", cores(999))]).admit(
    aPod("new"),
    { synced: true, leaderAlive: true },
    START_MS + 100,
  );
  expect(verdict).toMatchObject({ kind: "allow", reason: "SettledNodeFits" });
});

test("a forged hold in the past makes no pod urgent, gated or not", () => {
  const hold = { node: undefined, reason: "AwaitingRelease", sinceMs: START_MS - 86_400_000 } as const;
  const standing = { isDaemon: false, schedulerIsBehind: false, bytesPerPod: 0 };
  const urgency = (pod: PodFacts) => rank(pod, aNode("young"), standing, 300_000, START_MS + 1_000)[0];
  expect(urgency(aGatedPod("gated", { hold }))).toBe(urgency(aGatedPod("honest")));
  expect(urgency(aPendingPod("pending", { hold }))).toBe(urgency(aPendingPod("honest")));
});

test("a pod that names a DaemonSet as its owner goes before none of higher priority", () => {
  const owner = { ownerKind: "DaemonSet", ownerName: "agent" };
  const pods = [
    ...many(6, (name) => aGatedPod(`forged-${name}`, { shape: aShape(owner) })),
    aGatedPod("important", { shape: aShape({ priority: 10 }) }),
  ];
  expect(released(pacerWith([aFencedNode("young")], pods, slots(1)).plan(START_MS + 100))).toEqual(["important"]);
});
