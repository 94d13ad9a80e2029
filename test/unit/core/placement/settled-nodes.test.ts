import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { NodeFacts } from "../../../../src/core/facts.ts";
import { nodeName } from "../../../../src/core/ids.ts";
import { SettledNodes } from "../../../../src/core/placement/settled-nodes.ts";
import { paceOf } from "../../../../src/core/state/pace.ts";
import { aNode, anOldNode, aPod, aShape, bound, changed, START_MS } from "../../../support/core-facts.ts";
import { stateWith, theNode } from "../../../support/core-plan.ts";

const roomFor = (pods: number) => ({ allocatable: { cpu: 16_000, memory: 1e12, pods } });
const shape = aShape();
const pod = aPod("p", { shape });
const nameOf = (node: { readonly facts: NodeFacts } | undefined) => node?.facts.name;

describe("room on a settled node", () => {
  test("is found on the first that has some; young and fenced nodes do not count", () => {
    const fence = { value: "fenced", sinceMs: START_MS };
    const nodes = [aNode("young"), anOldNode("fenced", { fence }), anOldNode("full", roomFor(0)), anOldNode("old")];
    expect(nameOf(new SettledNodes().find(stateWith(nodes), pod, START_MS))).toBe("old");
    expect(new SettledNodes().find(stateWith(nodes.slice(0, 3)), pod, START_MS)).toBeUndefined();
  });

  test("is looked for again where it was last, until that is full or gone", () => {
    const state = stateWith([anOldNode("a", roomFor(1)), anOldNode("b")]);
    const settled = new SettledNodes();
    const first = bound(aPod("first", { shape }), "a");
    state.ledger.upsertPod(first);
    expect(nameOf(settled.find(state, pod, START_MS))).toBe("b");
    state.ledger.deletePod(first.uid); // there is room on the first again, and the last one still has some
    expect(nameOf(settled.find(state, pod, START_MS))).toBe("b");
    state.ledger.deleteNode(nodeName("b"));
    expect(nameOf(settled.find(state, pod, START_MS))).toBe("a");
  });

  test("that others claim is not given twice: the next node is found, or none", () => {
    const state = stateWith([anOldNode("a", roomFor(1)), anOldNode("b", roomFor(1))]);
    const settled = new SettledNodes();
    const claims = new Map([[nodeName("a"), [aPod("claims", { shape })]]]);
    expect(nameOf(settled.find(state, pod, START_MS))).toBe("a");
    expect(nameOf(settled.find(state, pod, START_MS, claims))).toBe("b");
    claims.set(nodeName("b"), [aPod("claims too", { shape })]);
    expect(settled.find(state, pod, START_MS, claims)).toBeUndefined();
    expect(nameOf(settled.find(state, pod, START_MS))).toBe("a"); // claims of one plan are forgotten with it
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
        const claims = new Map(claimed.map((name) => [nodeName(name), [aPod("claims", { shape })]]));
        const open = [...nodes.keys()].filter((name) => {
          const { entry, facts: now } = theNode(state, name);
          const taken = entry.bound.size + (claims.has(nodeName(name)) ? 1 : 0);
          const isSettled = paceOf(state, now, START_MS) === "settled"; // once uncordoned it is young
          return isSettled && taken < (now.allocatable["pods"] ?? 0);
        });
        const found = nameOf(settled.find(state, aPod("asks", { shape }), START_MS, claims));
        if (open.length === 0) expect(found).toBeUndefined();
        else expect(open).toContain(found);
      }
    }),
  );
});
