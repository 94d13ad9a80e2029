/** Promise 2 without a cliff: the pace at which pods near their hold caps are let go. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { capSchedule, easeMs } from "../../../../src/core/rules/hold-cap.ts";

const SECOND_MS = 1_000;

test.each([
  [300, 60],
  [540, 108],
  [120, 24],
  [60, 12],
  [1, 0.2],
])("of a cap of %i s the last %d s are the part in which pods are let go evenly", (cap, ease) => {
  expect(easeMs(cap * SECOND_MS)).toBe(ease * SECOND_MS);
});

interface Went {
  readonly capMs: number;
  readonly atMs: number;
}

/**
 * Pods with these caps wait, and the rule is asked at these times. It is given nothing but what is on pods: which
 * ones wait, and for what time the last one was let go.
 */
function played(caps: readonly number[], easingMs: number, askedMs: readonly number[]): Went[] {
  const waiting = [...caps].sort((a, b) => a - b);
  const went: Went[] = [];
  let lastMs = -Infinity;
  for (const nowMs of askedMs) {
    const near = waiting.filter((cap) => nowMs >= cap - easingMs);
    const { dueMs, nextMs } = capSchedule(near, easingMs, lastMs, nowMs);
    expect(nextMs).toBeGreaterThan(nowMs);
    for (const due of dueMs) {
      expect(due).toBeLessThanOrEqual(nowMs);
      lastMs = Math.max(lastMs, due);
      went.push({ capMs: waiting.shift() ?? 0, atMs: nowMs });
    }
  }
  return went;
}

const every = (stepMs: number, fromMs: number, untilMs: number) =>
  Array.from({ length: Math.ceil((untilMs - fromMs) / stepMs) + 1 }, (_, at) =>
    Math.min(fromMs + at * stepMs, untilMs),
  );

/** The most that went within any second. */
function mostInASecond(went: readonly Went[]): number {
  return went.reduce((most, { atMs }, at) => {
    const until = went.findIndex((one, index) => index > at && one.atMs >= atMs + SECOND_MS);
    return Math.max(most, (until < 0 ? went.length : until) - at);
  }, 0);
}

describe("a crowd whose caps come at once", () => {
  test("of 200 leaves evenly over the last 60 s, the last pod at its cap", () => {
    const went = played(Array<number>(200).fill(300_000), 60_000, every(20, 0, 300_000));
    expect(went).toHaveLength(200);
    expect(went[0]?.atMs).toBeGreaterThan(240_000);
    expect(went[0]?.atMs).toBeLessThan(240_500);
    expect(went[99]?.atMs).toBeGreaterThan(269_000);
    expect(went[99]?.atMs).toBeLessThan(271_000);
    expect(went.at(-1)?.atMs).toBeGreaterThan(299_600);
    expect(mostInASecond(went)).toBeLessThanOrEqual(200 / 60 + 1);
  });

  test("never goes faster than 1/60 of it and one a second, and none outlasts its cap, however often it is looked at", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3_000 }), fc.integer({ min: 1, max: 60 }), (count, stepMs) => {
        const went = played(Array<number>(count).fill(100_000), 60_000, every(stepMs, 39_000, 100_000));
        expect(went).toHaveLength(count);
        // A look that is late by one step lets go what was due meanwhile.
        expect(mostInASecond(went)).toBeLessThanOrEqual((count / 60) * (1 + stepMs / SECOND_MS) + 2);
      }),
      { numRuns: 10 },
    );
  });

  test("does not go at once where nothing was let go for a while: what is late goes within the time that is left", () => {
    const caps = Array<number>(120).fill(60_000);
    const afterAnOutage = played(caps, 60_000, every(20, 30_000, 60_000));
    expect(afterAnOutage.filter(({ atMs }) => atMs < 31_000).length).toBeLessThanOrEqual(2 * 4 + 1);
    expect(mostInASecond(afterAnOutage)).toBeLessThanOrEqual(2 * 4 + 1);
    expect(afterAnOutage).toHaveLength(120);
  });
});

test("a lone pod waits until its cap, and the schedule names that moment", () => {
  expect(capSchedule([100_000], 60_000, -Infinity, 40_000)).toEqual({ dueMs: [], nextMs: 100_000 });
  expect(capSchedule([100_000], 60_000, -Infinity, 100_000).dueMs).toEqual([100_000]);
});

test("pods past their caps all go, whatever went just now", () => {
  const { dueMs, nextMs } = capSchedule(
    [1, 2, 3].map((s) => s * 1_000),
    60_000,
    9_999,
    10_000,
  );
  expect(dueMs).toHaveLength(3);
  expect(nextMs).toBe(Infinity);
});

test("a few pods near their caps do not make a crowd that follows them go early", () => {
  const caps = [100_000, ...Array<number>(120).fill(130_000)];
  const went = played(caps, 60_000, every(20, 0, 130_000));
  expect(went.filter(({ atMs }) => atMs < 71_000).length).toBeLessThanOrEqual(3);
  expect(mostInASecond(went)).toBeLessThanOrEqual(120 / 60 + 2);
});

test("whatever caps come in whatever order, no hold outlasts its cap", () => {
  const caps = fc.array(fc.integer({ min: 1_000, max: 200_000 }), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(caps, fc.integer({ min: 10, max: 2_000 }), (some, stepMs) => {
      const went = played(some, 30_000, every(stepMs, 0, 200_000));
      expect(went).toHaveLength(some.length);
      for (const { capMs, atMs } of went) expect(atMs).toBeLessThan(capMs + stepMs);
    }),
  );
});
