import { describe, expect, test } from "vitest";
import { aNode, anOldNode, changed, START_MS } from "../../../support/core-facts.ts";
import { aFencedNode, pacerWith, type Overrides } from "../../../support/core-plan.ts";

const CLOSED = { unschedulable: true };
const NO_STEER: Overrides = { steer: { enabled: false } }; // the soft taint is another write to such nodes

function notesOf(overrides: Overrides = {}) {
  const pacer = pacerWith([anOldNode("n1", { bootID: "a" }), anOldNode("n2")], [], { ...NO_STEER, ...overrides });
  let node = anOldNode("n1", { bootID: "a" });
  return (by: Parameters<typeof changed<typeof node>>[1], atMs: number) => {
    node = changed(node, by);
    pacer.upsertNode(node, atMs);
    return pacer
      .plan(atMs)
      .fences.flatMap((action) => (action.kind === "note" ? [[action.node.name, action.note]] : []));
  };
}

describe("the leader notes on a node", () => {
  test("that it is closed, and when it opens again, once each", () => {
    const see = notesOf();
    expect(see({}, START_MS)).toEqual([]);
    const closed = { atMs: undefined, bootID: "a" };
    expect(see(CLOSED, START_MS + 1_000)).toEqual([["n1", closed]]);
    expect(see({ openedNote: closed }, START_MS + 2_000)).toEqual([]);
    const opened = { atMs: START_MS + 60_000, bootID: "a" };
    expect(see({ unschedulable: false }, START_MS + 60_000)).toEqual([["n1", opened]]);
    expect(see({}, START_MS + 61_000)).toEqual([["n1", opened]]); // until it is written
    expect(see({ openedNote: opened }, START_MS + 62_000)).toEqual([]);
  });

  test("nothing in observe mode", () => {
    expect(notesOf({ mode: "observe" })(CLOSED, START_MS)).toEqual([]);
  });

  test("nothing while something else is to be written there", () => {
    const node = aFencedNode("n1", { createdAtMs: START_MS });
    const pacer = pacerWith([node, aNode("n2")], [], NO_STEER);
    const laterMs = START_MS + 30_000;
    pacer.upsertNode(changed(node, { readySinceMs: laterMs }), laterMs); // a flap
    expect(pacer.plan(laterMs).fences.map(({ kind }) => kind)).toEqual(["lift"]);
    pacer.upsertNode(changed(node, { readySinceMs: laterMs, fence: undefined }), laterMs);
    const note = { atMs: START_MS, bootID: "" };
    expect(pacer.plan(laterMs).fences).toMatchObject([{ kind: "note", node: { name: "n1" }, note }]);
  });

  test("nothing of a node that is gone", () => {
    const pacer = pacerWith([anOldNode("n1", CLOSED)], []);
    pacer.deleteNode(anOldNode("n1").name, START_MS);
    expect(pacer.plan(START_MS).fences).toEqual([]);
  });
});
