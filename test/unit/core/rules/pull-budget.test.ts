/** The kubelet's token bucket, as far as we can know it. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { notePulls, pullsLeft, type DonePulls } from "../../../../src/core/rules/pull-budget.ts";

const kubelet = { qps: 5, burst: 10 };

describe("pulls left", () => {
  test("the whole burst while nobody pulls; each pull that may still come takes one", () => {
    expect(pullsLeft(kubelet, [], 0, 0)).toBe(10);
    expect(pullsLeft(kubelet, [], 12, 0)).toBe(-2);
  });

  test("those that are over are made up for at the kubelet's own pace", () => {
    const done = notePulls([], { atMs: 1_000, count: 4 }, kubelet);
    expect(pullsLeft(kubelet, done, 0, 1_000)).toBe(6);
    expect(pullsLeft(kubelet, done, 0, 1_400)).toBe(8);
    expect(pullsLeft(kubelet, done, 0, 5_000)).toBe(10);
  });

  test("what the bucket has made up for is forgotten, and without a limit nothing is kept", () => {
    const done = notePulls([], { atMs: 0, count: 4 }, kubelet);
    expect(notePulls(done, { atMs: 2_000, count: 1 }, kubelet)).toEqual([{ atMs: 2_000, count: 1 }]);
    expect(notePulls([], { atMs: 0, count: 4 }, { qps: 0, burst: 10 })).toEqual([]);
  });
});

test("whoever lets go no more than is left never overdraws the kubelet's bucket, whenever its pulls come", () => {
  const startArb = fc.record({
    waitMs: fc.nat(1_500),
    /** From being let go to its pull, and from there to its start. */
    toPullMs: fc.nat(4_000),
    toStartMs: fc.nat(2_000),
  });
  const budget = fc.record({ qps: fc.integer({ min: 1, max: 20 }), burst: fc.integer({ min: 1, max: 20 }) });
  fc.assert(
    fc.property(fc.array(startArb, { maxLength: 80 }), budget, (script, limits) => {
      const pulls: number[] = [];
      let going: { readonly pullMs: number; readonly startMs: number }[] = [];
      let done: readonly DonePulls[] = [];
      let nowMs = 0;
      const catchUp = () => {
        for (const one of going.filter(({ startMs }) => startMs <= nowMs).sort((a, b) => a.startMs - b.startMs)) {
          done = notePulls(done, { atMs: one.startMs, count: 1 }, limits);
        }
        going = going.filter(({ startMs }) => startMs > nowMs);
      };
      for (const { waitMs, toPullMs, toStartMs } of script) {
        nowMs += waitMs;
        catchUp();
        if (pullsLeft(limits, done, going.length, nowMs) < 1) continue;
        const pullMs = nowMs + toPullMs;
        pulls.push(pullMs);
        going.push({ pullMs, startMs: pullMs + toStartMs });
      }
      expect(overdrawn(pulls, limits)).toBe(false);
    }),
    { numRuns: 500 },
  );
});

/** The kubelet's own bucket. */
function overdrawn(pulls: readonly number[], { qps, burst }: typeof kubelet): boolean {
  let tokens = burst;
  let lastMs = 0;
  for (const atMs of [...pulls].sort((a, b) => a - b)) {
    tokens = Math.min(burst, tokens + ((atMs - lastMs) / 1_000) * qps) - 1;
    lastMs = atMs;
    if (tokens < -1e-9) return true;
  }
  return false;
}
