import { describe, expect, it } from "vitest";
import { heldLease, isFree, observe, parseLease, releasedLease } from "../../../../src/kube/leader/lease-record.ts";

const WHERE = { namespace: "paceline", name: "paceline-leader" };
const DURATION_MS = 15_000;
const held = (by: string, atMs: number) => parseLease(heldLease(WHERE, by, DURATION_MS, undefined, atMs), DURATION_MS);

describe("a Lease as its reader sees it", () => {
  it("is not free before it was seen unchanged for its whole duration, however old its own time is", () => {
    const observation = observe(undefined, held("a", 0), 1_000_000);
    expect(isFree(observation, 1_000_000 + DURATION_MS - 1)).toBe(false);
    expect(isFree(observation, 1_000_000 + DURATION_MS)).toBe(true);
  });

  it("counts from the last renewal that was seen", () => {
    const first = observe(undefined, held("a", 0), 1_000);
    const renewed = observe(first, held("a", 2_000), 3_000);
    expect(renewed).toMatchObject({ sinceMs: 3_000, renewalSeen: true });
    expect(observe(renewed, held("a", 2_000), 9_000)).toMatchObject({ sinceMs: 3_000 });
  });

  it("has not seen a renewal at first sight", () => {
    expect(observe(undefined, held("a", 0), 0).renewalSeen).toBe(false);
  });

  it("has seen no renewal where it could not look for the Lease's duration: the holder may be dead since", () => {
    const first = observe(undefined, held("a", 0), 1_000);
    const late = observe(first, held("a", 2_000), 1_000 + DURATION_MS);
    expect(late.renewalSeen).toBe(false);
    expect(isFree(late, 1_000 + DURATION_MS)).toBe(false);
  });

  it("is free at once when it was given back", () => {
    const record = parseLease(releasedLease(WHERE, held("a", 0), 0), DURATION_MS);
    expect(isFree(observe(undefined, record, 0), 0)).toBe(true);
  });

  it("counts a transition when the holder changes, and keeps acquireTime when it does not", () => {
    const first = held("a", 0);
    const renewed = parseLease(heldLease(WHERE, "a", DURATION_MS, first, 2_000), DURATION_MS);
    expect(renewed).toMatchObject({ transitions: 0, acquireTime: first.acquireTime });
    expect(renewed.renewTime).toBe("1970-01-01T00:00:02.000000Z");
    const taken = parseLease(heldLease(WHERE, "b", DURATION_MS, renewed, 20_000), DURATION_MS);
    expect(taken).toMatchObject({ holder: "b", transitions: 1, acquireTime: taken.renewTime });
  });

  it("reads garbage as a Lease that nobody holds", () => {
    expect(parseLease({ spec: "?" }, DURATION_MS)).toMatchObject({ holder: "", durationMs: DURATION_MS });
  });
});
