import { describe, expect, test } from "vitest";
import type { PodFacts } from "../../../../src/core/facts.ts";
import { nodeName } from "../../../../src/core/ids.ts";
import { reservationCounts } from "../../../../src/core/state/load.ts";
import { claimedFor, hasReservation, reservedFor } from "../../../../src/core/state/reservations.ts";
import { aNode, aPod, bound, START_MS } from "../../../support/core-facts.ts";
import { namesOf, stateWith, theNode } from "../../../support/core-plan.ts";

const reservation = { node: nodeName("n1"), atMs: START_MS };
const reserved = (name: string, given: Partial<PodFacts> = {}) => aPod(name, { reservation, ...given });
const holders = (pods: readonly PodFacts[], nowMs = START_MS) => {
  const state = stateWith([aNode("n1")], pods);
  return namesOf(reservedFor(state, theNode(state, "n1").entry, nowMs));
};

describe("a reservation", () => {
  test("uses a slot of its node until the time to bind is over", () => {
    expect(holders([reserved("p")], START_MS + 14_999)).toEqual(["p"]);
    expect(holders([reserved("p")], START_MS + 15_000)).toEqual([]);
  });

  test("lasts as long as the policy says", () => {
    const state = stateWith([aNode("n1")], [reserved("p")], { fence: { bindSeconds: 40 } });
    expect(hasReservation(state, reserved("p"), START_MS + 39_999)).toBe(true);
    expect(hasReservation(state, reserved("p"), START_MS + 40_000)).toBe(false);
  });

  test("uses no slot while the pod is gated still, nor once it is bound, deleted or over", () => {
    expect(holders([reserved("p", { gated: true })])).toEqual([]);
    expect(holders([bound(reserved("p"), "n1")])).toEqual([]);
    expect(holders([reserved("p", { deleting: true })])).toEqual([]);
    expect(holders([reserved("p", { terminal: true })])).toEqual([]);
  });

  test("on several nodes uses a slot of each that exists, counts while one of them is there, and leaves none behind", () => {
    const choice = reserved("p", { reservation: { ...reservation, others: [nodeName("n2"), nodeName("n3")] } });
    const state = stateWith([aNode("n1"), aNode("n2")], [choice]);
    const on = (name: string) => namesOf(reservedFor(state, state.ledger.entry(nodeName(name)), START_MS));
    expect(["n1", "n2", "n3"].map(on)).toEqual([["p"], ["p"], []]);
    const claims = ["n1", "n2"].map((name) => namesOf(claimedFor(state, theNode(state, name).entry, START_MS)));
    expect(claims).toEqual([["p"], []]);
    state.ledger.deleteNode(nodeName("n1"));
    expect(hasReservation(state, choice, START_MS)).toBe(true);
    state.ledger.deleteNode(nodeName("n2"));
    expect(hasReservation(state, choice, START_MS)).toBe(false);
    state.ledger.upsertPod(bound(choice, "n2"));
    expect(["n1", "n2", "n3"].map(on)).toEqual([[], [], []]);
  });

  test("on a node that is gone, or was never known, does not count", () => {
    const state = stateWith([aNode("n1")], [reserved("p")]);
    expect(hasReservation(state, reserved("p"), START_MS)).toBe(true);
    state.ledger.deleteNode(nodeName("n1"));
    expect(hasReservation(state, reserved("p"), START_MS)).toBe(false);
    expect(hasReservation(stateWith([]), reserved("p"), START_MS)).toBe(false);
    expect(hasReservation(state, aPod("without"), START_MS)).toBe(false);
  });
});

const DEADLINES = { deadlineMs: 60_000, reservationMs: 15_000 };
const reservedAt = (atMs: number) => aPod("p", { reservation: { node: aNode("n1").name, atMs } });

test("counts no reservation that a tenant has dated into the future, so that it cannot keep a slot", () => {
  expect(reservationCounts(reservedAt(START_MS + 3_600_000), DEADLINES, START_MS)).toBe(false);
});

test("counts a reservation of a leader whose clock is a little ahead, and none from further ahead than clocks differ", () => {
  expect(reservationCounts(reservedAt(START_MS + 3_000), DEADLINES, START_MS)).toBe(true);
  expect(reservationCounts(reservedAt(START_MS + 10_001), DEADLINES, START_MS)).toBe(false);
});
