import { describe, expect, test } from "vitest";
import { paceOf, youngUntilMs } from "../../../../src/core/state/pace.ts";
import { aNode, anOldNode, START_MS } from "../../../support/core-facts.ts";
import { aJoiningNode, stateWith } from "../../../support/core-plan.ts";

const YOUNG = { youngForSeconds: 60 };

describe("a node is", () => {
  test("young until it has been Ready for as long as the policy says", () => {
    const node = aNode("n1", { readySinceMs: START_MS + 5_000 });
    const state = stateWith([node], [], YOUNG);
    expect(youngUntilMs(state, node)).toBe(START_MS + 65_000);
    expect(paceOf(state, node, START_MS + 64_999)).toBe("young");
    expect(paceOf(state, node, START_MS + 65_000)).toBe("settled");
  });

  test("young from its creation while it is not Ready", () => {
    const node = aJoiningNode("n1");
    expect(paceOf(stateWith([node], [], YOUNG), node, START_MS + 59_999)).toBe("young");
    expect(paceOf(stateWith([node], [], YOUNG), node, START_MS + 60_000)).toBe("settled");
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
