import { describe, expect, test } from "vitest";
import type { NodeFacts } from "../../../../src/core/facts.ts";
import { joinsUntilMs, paceOf, youngUntilMs } from "../../../../src/core/state/pace.ts";
import { aNode, anOldNode, START_MS } from "../../../support/core-facts.ts";
import { aJoiningNode, stateWith, theNode } from "../../../support/core-plan.ts";

const YOUNG = { youngForSeconds: 60 };

describe("a node is", () => {
  test("young until it has been Ready for as long as the policy says", () => {
    const node = aNode("n1", { readySinceMs: START_MS + 5_000 });
    const state = stateWith([node], [], YOUNG);
    expect(youngUntilMs(state, node)).toBe(START_MS + 65_000);
    expect(paceOf(state, node, START_MS + 64_999)).toBe("young");
    expect(paceOf(state, node, START_MS + 65_000)).toBe("settled");
  });

  test("young until it has been open for as long, where it opened later or earlier than it was Ready", () => {
    const state = stateWith([anOldNode("n1", { bootID: "a" })], [], YOUNG);
    const see = (by: Partial<NodeFacts>, atMs: number) => {
      state.ledger.upsertNode(anOldNode("n1", { bootID: "a", ...by }), atMs);
      return theNode(state, "n1").facts;
    };
    expect(paceOf(state, see({ readySinceMs: START_MS }, START_MS), START_MS)).toBe("settled");
    expect(paceOf(state, see({ unschedulable: true }, START_MS), START_MS + 86_400_000)).toBe("young");
    const uncordoned = see({}, START_MS + 5_000);
    expect(youngUntilMs(state, uncordoned)).toBe(START_MS + 65_000);
  });

  test("young before it is open, however long that takes; it counts as one that joins for a while only", () => {
    const node = aJoiningNode("n1");
    const state = stateWith([node], [], YOUNG);
    expect(paceOf(state, node, START_MS + 86_400_000)).toBe("young");
    expect(joinsUntilMs(state, node)).toBe(START_MS + 60_000);
  });

  test("hot, whatever its age, as long as its limit says so", () => {
    const node = anOldNode("n1");
    const state = stateWith([node]);
    state.setLimit(node.name, { ...state.limitOf(node), hotUntilMs: START_MS });
    expect(paceOf(state, node, START_MS - 1)).toBe("hot");
    expect(paceOf(state, node, START_MS)).toBe("settled");
  });

  test("young rather than hot where it is both", () => {
    const node = aNode("n1");
    const state = stateWith([node]);
    state.setLimit(node.name, { ...state.limitOf(node), hotUntilMs: Infinity });
    expect(paceOf(state, node, START_MS)).toBe("young");
  });

  test("never young where the policy has no young nodes", () => {
    expect(paceOf(stateWith([], [], { youngForSeconds: 0 }), aNode("n1"), START_MS)).toBe("settled");
  });
});
