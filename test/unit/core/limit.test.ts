import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { afterFailure, afterSample, afterStart, boundLimit, initialLimit, markUsed } from "../../../src/core/limit.ts";
import type { Limit } from "../../../src/core/limit.ts";
import { MIB } from "../../../src/core/units.ts";
import { defaultNodeClass } from "../../../src/policy/resolve.ts";
import type { NodeSample } from "../../../src/core/facts.ts";

const nodeClass = { ...defaultNodeClass, slots: { initial: 6, min: 1, max: 12 } };
const fresh = initialLimit(nodeClass);
const idle: NodeSample = { atMs: 0, utilisation: 0.4, writeBytesPerSecond: 40 * MIB };
const busy: NodeSample = { atMs: 0, utilisation: 0.98, writeBytesPerSecond: 120 * MIB };

describe("the slot limit", () => {
  test("grows by one when every slot was used and the disk had something left", () => {
    const grown = afterStart(markUsed(fresh), nodeClass, idle, 0);
    expect(grown).toMatchObject({ slots: 7, used: false, move: "grew to 7: all were used, the disk 40 % busy" });
  });

  test("does not grow where it was not used, nor where the disk is unknown: unknown is never idle", () => {
    expect(afterStart(fresh, nodeClass, idle, 0).slots).toBe(6);
    expect(afterStart(markUsed(fresh), nodeClass, undefined, 0).slots).toBe(6);
    expect(afterStart(markUsed(fresh), nodeClass, { atMs: 0, awaitMs: 1 }, 0).slots).toBe(6);
  });

  test("holds at the knee: a busy disk, or a slot more that made it write less", () => {
    expect(afterStart(markUsed(fresh), nodeClass, busy, 0)).toMatchObject({
      slots: 6,
      move: "held at 6: the disk is 98 % busy",
    });
    const grown = markUsed(afterStart(markUsed(fresh), nodeClass, idle, 0));
    const slower = { ...idle, writeBytesPerSecond: 30 * MIB };
    expect(afterStart(grown, nodeClass, slower, 0)).toMatchObject({
      slots: 7,
      move: "held at 7: more in parallel write no faster",
    });
  });

  test("halves at once on a failed start, rests, and halves again only for a later one", () => {
    const cut = afterFailure(fresh, nodeClass, "StartError", 1_000);
    expect(cut).toMatchObject({ slots: 3, move: "cut to 3: StartError" });
    expect(afterFailure(cut, nodeClass, "StartError", 5_000).slots).toBe(3);
    expect(afterStart(markUsed(cut), nodeClass, idle, 5_000).slots).toBe(3);
    expect(afterFailure(cut, nodeClass, "StartError", 11_000).slots).toBe(1);
  });

  test("learns what the disk writes, faster than it was taken for or slower", () => {
    const learn = (sample: NodeSample, times: number) =>
      Array.from({ length: times }).reduce<Limit>((limit) => afterSample(limit, nodeClass, sample), fresh)
        .bytesPerSecond;
    expect(learn({ atMs: 0, utilisation: 1, writeBytesPerSecond: 22 * MIB }, 40) / MIB).toBeCloseTo(22, 0);
    expect(learn({ atMs: 0, utilisation: 0.2, writeBytesPerSecond: 200 * MIB }, 1) / MIB).toBeGreaterThanOrEqual(200);
    expect(learn({ atMs: 0, utilisation: 0.01, writeBytesPerSecond: MIB }, 40)).toBe(fresh.bytesPerSecond);
  });

  test("a disk over its await threshold is hot for ten seconds more", () => {
    expect(afterSample(fresh, nodeClass, { atMs: 1_000, awaitMs: 501 }).hotUntilMs).toBe(11_000);
    expect(afterSample(fresh, nodeClass, { atMs: 1_000, awaitMs: 501 }, 45_000).hotUntilMs).toBe(46_000);
    expect(afterSample(fresh, nodeClass, { atMs: 1_000, awaitMs: 499 }).hotUntilMs).toBe(-Infinity);
  });
});

type Happening = { start: NodeSample | undefined } | { failure: true } | { sample: NodeSample };
const sampleArb: fc.Arbitrary<NodeSample> = fc.record({
  atMs: fc.nat(1_000_000),
  utilisation: fc.option(fc.double({ min: 0, max: 1.5, noNaN: true }), { nil: undefined }),
  writeBytesPerSecond: fc.option(fc.double({ min: 0, max: 1e11, noNaN: true }), { nil: undefined }),
  awaitMs: fc.option(fc.double({ min: 0, max: 1e6, noNaN: true }), { nil: undefined }),
});
const happening: fc.Arbitrary<Happening> = fc.oneof(
  fc.record({ start: fc.option(sampleArb, { nil: undefined }) }),
  fc.record({ failure: fc.constant(true as const) }),
  fc.record({ sample: sampleArb }),
);

function after(limit: Limit, what: Happening, nowMs: number): Limit {
  if ("failure" in what) return afterFailure(limit, nodeClass, "a failure", nowMs);
  if ("sample" in what) return afterSample(limit, nodeClass, what.sample);
  return afterStart(markUsed(limit), nodeClass, what.start, nowMs);
}

test("whatever happens, the limit stays within its class and the throughput above nothing", () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 200 }), (script) => {
      let limit = fresh;
      for (const [index, what] of script.entries()) {
        limit = after(limit, what, index * 4_000);
        expect(limit.slots).toBeGreaterThanOrEqual(1);
        expect(limit.slots).toBeLessThanOrEqual(12);
        expect(limit.bytesPerSecond).toBeGreaterThan(0);
      }
    }),
  );
});

test("on a steady disk the limit comes to rest: it never oscillates for ever", () => {
  const steady = fc.record({
    utilisation: fc.double({ min: 0, max: 1, noNaN: true }),
    writeBytesPerSecond: fc.double({ min: 1, max: 1e9, noNaN: true }),
  });
  fc.assert(
    fc.property(steady, (figures) => {
      const sample = { atMs: 0, ...figures };
      const slots: number[] = [];
      let limit = fresh;
      for (let step = 0; step < 50; step += 1) {
        limit = afterStart(markUsed(afterSample(limit, nodeClass, sample)), nodeClass, sample, step * 1_000);
        slots.push(limit.slots);
      }
      expect(new Set(slots.slice(-30)).size).toBe(1);
    }),
  );
});

test("a class that shrinks takes the limit with it", () => {
  expect(boundLimit(fresh, { ...nodeClass, slots: { initial: 2, min: 1, max: 2 } }).slots).toBe(2);
});
