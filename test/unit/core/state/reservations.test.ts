import { expect, it } from "vitest";
import { reservationCounts } from "../../../../src/core/state/load.ts";
import { aNode, aPod, START_MS } from "../../../support/core-facts.ts";

const DEADLINES = { deadlineMs: 60_000, reservationMs: 15_000 };
const reservedAt = (atMs: number) => aPod("p", { reservation: { node: aNode("n1").name, atMs } });

it("counts no reservation that a tenant has dated into the future, so that it cannot keep a slot", () => {
  expect(reservationCounts(reservedAt(START_MS + 3_600_000), DEADLINES, START_MS)).toBe(false);
});

it("counts a reservation of a leader whose clock is a little ahead", () => {
  expect(reservationCounts(reservedAt(START_MS + 3_000), DEADLINES, START_MS)).toBe(true);
});
