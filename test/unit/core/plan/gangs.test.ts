/** A gang goes whole: neither gates nor fences let a part of it go and keep the rest. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { NodeFacts, PodFacts } from "../../../../src/core/facts.ts";
import { nodeName } from "../../../../src/core/ids.ts";
import type { Plan } from "../../../../src/core/verdict.ts";
import { aGatedPod, aNode, anOldNode, aPod, aShape, bound, changed, START_MS } from "../../../support/core-facts.ts";
import {
  aFencedNode,
  aJoiningNode,
  aPendingPod,
  many,
  pacerWith,
  released,
  slots,
} from "../../../support/core-plan.ts";

const gang = "default/test/a";
const inGang = { gang } as const;
const waitingIn = (count: number, more: Partial<PodFacts> = {}) =>
  many(count, (name) => aGatedPod(name, { ...inGang, ...more }));
const pendingIn = (count: number, more: Partial<PodFacts> = {}) =>
  many(count, (name) => aPendingPod(name, { ...inGang, ...more }));
const toNodes = ({ releases }: Plan) => Object.groupBy(releases, ({ node = "" }) => node);
const others = (nodes: readonly NodeFacts[], pods: readonly PodFacts[], initial = 4, nowMs = START_MS) =>
  pacerWith(nodes, pods, slots(initial, { slots: { initial, min: 1, max: 32, sandboxes: 1 } }), nowMs).plan(nowMs);

describe("a gang that gates hold", () => {
  test("of 64 goes to two young nodes in one plan, half to each, past every fence", () => {
    const plan = others([aNode("n1"), aFencedNode("n2")], waitingIn(64));
    expect(toNodes(plan)["n1"]).toHaveLength(32);
    expect(toNodes(plan)["n2"]).toHaveLength(32);
    expect(new Set(plan.releases.map(({ fence }) => fence))).toEqual(new Set(["*"]));
    expect(plan.releases.filter(({ overLimit }) => overLimit)).toHaveLength(64 - 2 * 4);
  });

  test("waits for its turn whole while no slot is free", () => {
    const busy = bound(aPod("busy"), "n1");
    expect(released(others([aNode("n1")], [busy, ...waitingIn(8)], 1))).toEqual([]);
  });

  test("waits as well if its pods tolerate every fence by themselves", () => {
    const busy = bound(aPod("busy"), "n1");
    expect(released(others([aNode("n1")], [busy, ...waitingIn(8, { fencesTolerated: ["*"] })], 1))).toEqual([]);
  });

  test("uses the slots of others, which wait behind it", () => {
    const older = { createdAtMs: START_MS - 1_000 };
    const pods = [...waitingIn(8, older), aGatedPod("single"), aGatedPod("other", { gang: "default/test/b" })];
    expect(released(others([aNode("n1")], pods))).toEqual(many(8, (name) => name));
  });

  test("goes after what is older, and in pieces never", () => {
    const old = many(3, (name) => aGatedPod(`old-${name}`, { createdAtMs: START_MS - 1_000 }));
    const names = released(others([aNode("n1")], [...waitingIn(8), ...old]));
    expect(names.slice(0, 3)).toEqual(["old-p0", "old-p1", "old-p2"]);
    expect(names).toHaveLength(11);
  });

  test.each<[string, PodFacts]>([
    ["is bound", bound(aPod("first", inGang), "n1")],
    ["waits for kube-scheduler", aPod("first", inGang)],
  ])("goes when one of it %s, whatever the slots", (_, first) => {
    const busy = many(4, (name) => bound(aPod(`busy-${name}`), "n1"));
    expect(released(others([aNode("n1")], [...busy, first, ...waitingIn(3)]))).toHaveLength(3);
  });

  test("is not begun by pods that are over or go", () => {
    const busy = many(4, (name) => bound(aPod(`busy-${name}`), "n1"));
    const gone = [
      changed(bound(aPod("over", inGang), "n1"), { terminal: true }),
      changed(bound(aPod("going", inGang), "n1"), { deleting: true }),
    ];
    expect(released(others([aNode("n1")], [...busy, ...gone, ...waitingIn(3)]))).toEqual([]);
  });

  test("is shown to autoscalers whole where it finds no room for one of it", () => {
    const node = aNode("n1", { allocatable: { cpu: 250, memory: 1e12, pods: 110 } });
    const plan = others([node], [bound(aPod("busy"), "n1"), ...waitingIn(3)], 1);
    expect(released(plan).toSorted()).toEqual(["p0", "p1", "p2"]);
  });

  test("waits for those that others gate no longer than for itself", () => {
    const blocked = aGatedPod("blocked", { ...inGang, gatedByOthers: true });
    expect(released(others([aNode("n1")], [blocked, ...waitingIn(8)]))).toEqual(many(8, (name) => name));
  });

  test("goes with its first pod to a settled node, and leaves other gangs where they are", () => {
    const small = anOldNode("old", { allocatable: { cpu: 100, memory: 1e12, pods: 110 } });
    const busy = many(4, (name) => bound(aPod(`busy-${name}`), "n1"));
    const other = many(2, (name) =>
      aGatedPod(`other-${name}`, { gang: "default/test/b", createdAtMs: START_MS + 1_000 }),
    );
    expect(released(others([small, aNode("n1")], [...busy, ...waitingIn(3), ...other])).toSorted()).toEqual([
      "p0",
      "p1",
      "p2",
    ]);
  });
});

describe("a gang that a fence keeps out", () => {
  test("of 64 passes the fences of two nodes in one plan", () => {
    const plan = others([aFencedNode("n1"), aFencedNode("n2")], pendingIn(64));
    expect(toNodes(plan)["n1"]).toHaveLength(32);
    expect(toNodes(plan)["n2"]).toHaveLength(32);
    expect(new Set(plan.releases.map(({ fence }) => fence))).toEqual(new Set(["*"]));
  });

  test("waits whole while no slot is free there", () => {
    expect(released(others([aFencedNode("n1")], [bound(aPod("busy"), "n1"), ...pendingIn(8)], 1))).toEqual([]);
  });

  test("has the rest let past the fence of a node that is still joining: it may need that, too", () => {
    const plan = others(
      [aFencedNode("n1", { allocatable: { cpu: 200, pods: 9 } }), aJoiningNode("n2")],
      pendingIn(4, { shape: aShape({ requests: { cpu: 100, pods: 1 } }) }),
    );
    expect(toNodes(plan)["n1"]).toHaveLength(2);
    expect(toNodes(plan)[""]).toMatchObject([{ fence: "*" }, { fence: "*" }]);
  });

  test("passes at once if one of it is bound", () => {
    const busy = bound(aPod("busy", inGang), "n1");
    expect(released(others([aFencedNode("n1")], [busy, ...pendingIn(3)], 1))).toHaveLength(3);
  });

  test("is given nothing where no fence concerns it, and nothing twice", () => {
    const first = bound(aPod("first", inGang), "n1");
    expect(released(others([aNode("n1")], [first, ...pendingIn(3)]))).toEqual([]);
    expect(released(others([aFencedNode("n1")], [first, ...pendingIn(3, { fencesTolerated: ["*"] })]))).toEqual([]);
  });
});

test("the extender refuses no pod of a gang: the scheduler has taken others of it", () => {
  const pacer = pacerWith([aNode("n1")], [bound(aPod("busy"), "n1")], { ...slots(1), extender: { enabled: true } });
  const healthy = { synced: true, leaderAlive: true };
  expect(pacer.offer(aPod("single"), ["n1"], healthy, START_MS).accepted).toEqual([]);
  expect(pacer.offer(aPod("p", inGang), ["n1"], healthy, START_MS).accepted).toEqual(["n1"]);
});

test("whatever waits, runs and is fenced: after a plan no gang is in part past the gate, or past a fence", () => {
  const aMember = fc.record({
    gang: fc.constantFrom("a", "b", undefined),
    state: fc.constantFrom("gated", "gated", "pending", "bound", "blocked"),
    cpu: fc.constantFrom(100, 4_000, 20_000),
  });
  const aNodeOf = fc.record({ fenced: fc.boolean(), joining: fc.boolean(), cpu: fc.constantFrom(4_000, 16_000) });
  const podOf = ({ gang: name, state, cpu }: { gang: string | undefined; state: string; cpu: number }, at: number) => {
    const pod = aGatedPod(`p${at}`, { gang: name, shape: aShape({ requests: { cpu, pods: 1 } }) });
    if (state === "pending") return changed(pod, { gated: false, hold: undefined, unschedulable: true });
    if (state === "bound") return bound(pod, "n0");
    return changed(pod, { gatedByOthers: state === "blocked" });
  };
  fc.assert(
    fc.property(
      fc.array(aMember, { maxLength: 12 }),
      fc.array(aNodeOf, { minLength: 1, maxLength: 3 }),
      (members, given) => {
        const nodes = given.map(({ fenced, joining, cpu }, at) => {
          const make = joining ? aJoiningNode : fenced ? aFencedNode : aNode;
          return make(`n${at}`, { allocatable: { cpu, pods: 110 } });
        });
        const pods = members.map(podOf);
        const plan = others(nodes, pods, 2);
        const gone = new Map(plan.releases.map((release) => [release.pod.uid, release]));
        for (const name of ["a", "b"]) {
          const mine = pods.filter((pod) => pod.gang === name && !pod.gatedByOthers);
          const gated = mine.filter((pod) => pod.gated && !gone.has(pod.uid));
          const open = mine.filter((pod) => !pod.gated || gone.has(pod.uid));
          expect(gated.length === 0 || open.length === 0, `gates of ${name}`).toBe(true);
          const past = mine.some((pod) => pod.node !== undefined || gone.get(pod.uid)?.fence === "*");
          const kept = mine.filter(
            (pod) =>
              pod.node === undefined &&
              !pod.gated &&
              gone.get(pod.uid)?.fence !== "*" &&
              nodes.some(({ fence, allocatable }) => fence && (allocatable["cpu"] ?? 0) >= 100),
          );
          expect(past && kept.length > 0, `fences of ${name}`).toBe(false);
        }
        expect(gone.size).toBe(plan.releases.length);
        for (const { node } of plan.releases) expect(nodes.map((one) => one.name)).toContain(node ?? nodeName("n0"));
      },
    ),
  );
});
