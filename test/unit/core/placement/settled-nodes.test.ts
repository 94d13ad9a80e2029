import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { PodFacts } from "../../../../src/core/facts.ts";
import { nodeName } from "../../../../src/core/ids.ts";
import { type Given, SettledNodes, type SettledRoom } from "../../../../src/core/placement/settled-nodes.ts";
import type { ClusterState } from "../../../../src/core/state/cluster-state.ts";
import { paceOf } from "../../../../src/core/state/pace.ts";
import { aNode, anOldNode, aPod, aShape, bound, changed, START_MS } from "../../../support/core-facts.ts";
import { MIB } from "../../../../src/core/measures.ts";
import { many, slots, stateWith, theNode } from "../../../support/core-plan.ts";

const roomFor = (pods: number) => ({ allocatable: { cpu: 16_000, memory: 1e12, pods } });
const shape = aShape({ image: "any" });
const pod = aPod("p", { shape });
const nameOf = (room: SettledRoom | undefined) => room?.node.facts.name;

/** A plan that counts these pods on nodes. */
const given = (state: ClusterState, claims: ReadonlyMap<string, readonly PodFacts[]>): Given => ({
  claimants: (name) => claims.get(name) ?? [],
  load: (facts) => state.loadOf(facts, START_MS, claims.get(facts.name)),
});

describe("room on a settled node", () => {
  test("is found on the first that has some; young and fenced nodes do not count", () => {
    const fence = { value: "fenced", sinceMs: START_MS };
    const nodes = [aNode("young"), anOldNode("fenced", { fence }), anOldNode("full", roomFor(0)), anOldNode("old")];
    expect(nameOf(new SettledNodes().find(stateWith(nodes), pod, START_MS))).toBe("old");
    expect(new SettledNodes().find(stateWith(nodes.slice(0, 3)), pod, START_MS)).toBeUndefined();
  });

  test("is looked for on from where it was last, so that pods are spread", () => {
    const state = stateWith([anOldNode("a", roomFor(1)), anOldNode("b")]);
    const settled = new SettledNodes();
    const first = bound(aPod("first", { shape }), "a");
    state.ledger.upsertPod(first);
    expect(nameOf(settled.find(state, pod, START_MS))).toBe("b");
    state.ledger.deletePod(first.uid);
    expect(nameOf(settled.find(state, pod, START_MS))).toBe("a");
    expect(nameOf(settled.find(state, pod, START_MS))).toBe("b");
    state.ledger.deleteNode(nodeName("b"));
    expect(nameOf(settled.find(state, pod, START_MS))).toBe("a");
  });

  test("that others claim is not given twice: the next node is found, or none", () => {
    const state = stateWith([anOldNode("a", roomFor(1)), anOldNode("b", roomFor(1))]);
    const settled = new SettledNodes();
    const claims = new Map([["a", [aPod("claims", { shape })]]]);
    expect(nameOf(settled.find(state, pod, START_MS))).toBe("a");
    expect(nameOf(settled.find(state, pod, START_MS, given(state, claims)))).toBe("b");
    claims.set("b", [aPod("claims too", { shape })]);
    expect(settled.find(state, pod, START_MS, given(state, claims))).toBeUndefined();
    expect(nameOf(settled.find(state, pod, START_MS + 1))).toBe("a"); // claims are the caller's
  });

  test("that appears by an event is seen at once", () => {
    const state = stateWith([anOldNode("a", roomFor(1))], [bound(aPod("there"), "a")]);
    const settled = new SettledNodes();
    expect(settled.find(state, pod, START_MS)).toBeUndefined();
    state.ledger.upsertNode(anOldNode("b"), START_MS);
    expect(nameOf(settled.find(state, pod, START_MS))).toBe("b");
    state.ledger.deleteNode(nodeName("b"));
    state.ledger.deletePod(aPod("there").uid);
    expect(nameOf(settled.find(state, pod, START_MS))).toBe("a");
  });

  test("that appears as a node settles with time is seen a quarter of a second later at the latest", () => {
    const state = stateWith([aNode("n1")], [], { youngForSeconds: 60 });
    const settled = new SettledNodes();
    const askedMs = START_MS + 59_999;
    expect(settled.find(state, pod, askedMs)).toBeUndefined();
    expect(nameOf(settled.find(state, pod, askedMs + 250))).toBe("n1");
  });

  test("that is missing for pods of one shape is not taken to be missing for another", () => {
    const state = stateWith([anOldNode("a", roomFor(10))]);
    const settled = new SettledNodes();
    const large = aPod("large", { shape: aShape({ requests: { cpu: 64_000, pods: 1 } }) });
    expect(settled.find(state, large, START_MS)).toBeUndefined();
    expect(nameOf(settled.find(state, pod, START_MS))).toBe("a");
  });
});

describe("startup room on settled nodes", () => {
  const starting = (count: number, node: string) => many(count, (name) => bound(aPod(`${node}-${name}`), node));
  const two = slots(2);
  const shape = aShape({ image: "app" });
  const pod = aPod("brings", { shape });

  test("is there for a pod that brings images while a slot is free", () => {
    const state = stateWith([anOldNode("a")], starting(1, "a"), two);
    expect(new SettledNodes().find(state, pod, START_MS)).toMatchObject({ bringsImages: true, saturated: undefined });
  });

  test("is looked for on the next node where the first has given all its slots", () => {
    const state = stateWith([anOldNode("a"), anOldNode("b")], starting(2, "a"), two);
    expect(nameOf(new SettledNodes().find(state, pod, START_MS))).toBe("b");
  });

  test("that no node has is said with what the first of them lacks", () => {
    const state = stateWith([anOldNode("a"), anOldNode("b")], [...starting(2, "a"), ...starting(2, "b")], two);
    const room = new SettledNodes().find(state, pod, START_MS);
    expect(room).toMatchObject({ node: { facts: { name: "a" } }, saturated: { reason: "StartupSlotsFull" } });
  });

  test("is never missing for a pod whose images are there: it is free", () => {
    const images = new Map(shape.images.map((image) => [image, 100 * MIB]));
    const state = stateWith([anOldNode("a", { images })], starting(2, "a"), two);
    const room = new SettledNodes().find(state, pod, START_MS);
    expect(room?.bringsImages).toBe(false);
    expect(room?.saturated).toBeUndefined();
  });

  test("is never missing where the policy only observes settled nodes", () => {
    const state = stateWith([anOldNode("a")], starting(2, "a"), { ...two, settledNodes: "observe" });
    expect(new SettledNodes().find(state, pod, START_MS)?.saturated).toBeUndefined();
  });

  test("counts what admission has given away and nothing shows yet, for two seconds", () => {
    const state = stateWith([anOldNode("a")], [], two);
    for (const name of ["x", "y"]) state.admitted.add(aPod(name, { shape }), nodeName("a"), START_MS);
    const settled = new SettledNodes();
    const find = (nowMs: number) =>
      settled.find(state, pod, nowMs, {
        claimants: (name) => state.admitted.livePods(name, nowMs),
        load: (facts) => state.loadOf(facts, nowMs, state.admitted.livePods(facts.name, nowMs)),
      });
    expect(find(START_MS)?.saturated).toBeDefined();
    expect(find(START_MS + 2_000)?.saturated).toBeUndefined();
  });
});

test("whatever is bound, deleted or cordoned, it finds a node with room exactly while there is one", () => {
  const stepArb = fc.record({
    what: fc.constantFrom("bind", "bind", "delete", "cordon", "open"),
    node: fc.constantFrom("a", "b", "c"),
    claimed: fc.subarray(["a", "b", "c"]),
  });
  fc.assert(
    fc.property(fc.array(stepArb, { maxLength: 30 }), (script) => {
      const nodes = new Map(["a", "b", "c"].map((name, at) => [name, anOldNode(name, roomFor(at + 1))]));
      const state = stateWith([...nodes.values()]);
      const settled = new SettledNodes();
      for (const [at, { what, node, claimed }] of script.entries()) {
        const [first] = theNode(state, node).entry.bound.keys();
        const facts = changed(nodes.get(node) ?? anOldNode(node), { unschedulable: what === "cordon" });
        if (what === "bind") state.ledger.upsertPod(bound(aPod(`p${at}`, { shape }), node));
        else if (what === "delete") state.ledger.deletePod(first ?? pod.uid);
        else state.ledger.upsertNode(facts, START_MS);
        const claims = new Map(claimed.map((name) => [name, [aPod("claims", { shape })]]));
        const open = [...nodes.keys()].filter((name) => {
          const { entry, facts: now } = theNode(state, name);
          const taken = entry.bound.size + (claims.has(name) ? 1 : 0);
          const isSettled = paceOf(state, now, START_MS) === "settled"; // once uncordoned it is young
          return isSettled && taken < (now.allocatable["pods"] ?? 0);
        });
        const found = nameOf(settled.find(state, aPod("asks", { shape }), START_MS + at, given(state, claims)));
        if (open.length === 0) expect(found).toBeUndefined();
        else expect(open).toContain(found);
      }
    }),
  );
});
