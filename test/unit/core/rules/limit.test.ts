import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  afterFailure,
  afterSample,
  afterStart,
  boundLimit,
  fetcherLimit,
  initialLimit,
  markUsed,
} from "../../../../src/core/rules/limit.ts";
import type { Limit } from "../../../../src/core/rules/limit.ts";
import { MIB } from "../../../../src/core/measures.ts";
import { defaultNodeClass } from "../../../../src/policy/resolve.ts";
import type { NodeSample } from "../../../../src/core/facts.ts";

const nodeClass = { ...defaultNodeClass, slots: { initial: 6, min: 1, max: 12 } };
const fresh = initialLimit(nodeClass);
const idle: NodeSample = { atMs: 0, utilisation: 0.4, writeBytesPerSecond: 40 * MIB };
const busy: NodeSample = { atMs: 0, utilisation: 0.98, writeBytesPerSecond: 120 * MIB };

/** A pod has started while the disk is watched. */
const aStart = { fetchedBytes: 0, leftBytes: 0, tookMs: 5_000, watched: true };
const withStarts = (limit: Limit, count: number) =>
  Array.from({ length: count }).reduce<Limit>((one) => afterStart(one, nodeClass, aStart, 0), limit);
/** Every slot was used and a pod has started. */
const ready = withStarts(markUsed(fresh), 1);
const sampled = (limit: Limit, sample: NodeSample, times = 1) =>
  Array.from({ length: times }).reduce<Limit>((one) => afterSample(one, nodeClass, sample, 0), limit);

describe("the slot limit", () => {
  test("grows by what has started when every slot was used and the disk had something left: slow start", () => {
    expect(sampled(withStarts(markUsed(fresh), 3), idle)).toMatchObject({
      slots: 9,
      used: false,
      move: "grew to 9: all were used, the disk 16 % busy",
    });
  });

  test("grows one by one once the disk or the cores have been busy", () => {
    const knee = sampled(fresh, { ...idle, cpuPressure: 0.95 });
    expect(sampled(withStarts(markUsed(knee), 3), idle).slots).toBe(7);
  });

  test("does not grow where it was not used, nor before a pod has started, nor where the disk is unknown", () => {
    expect(sampled(withStarts(fresh, 2), idle).slots).toBe(6);
    expect(sampled(markUsed(fresh), idle).slots).toBe(6);
    expect(sampled(ready, { atMs: 0, awaitMs: 1 }).slots).toBe(6);
  });

  test("holds at the knee: a busy disk, busy cores, or more slots that made it write less", () => {
    const saturated = { ...sampled(fresh, busy, 8), used: true, starts: 1 };
    expect(sampled(saturated, busy)).toMatchObject({ slots: 6, move: "held at 6: the disk is 97 % busy" });
    expect(sampled(ready, { ...idle, cpuPressure: 0.95 }).move).toBe("held at 6: the cores are busy");
    const grown = withStarts(markUsed(sampled(ready, idle)), 1);
    expect(sampled(grown, { ...idle, writeBytesPerSecond: 0 })).toMatchObject({
      slots: 7,
      move: "held at 7: more in parallel write no faster",
    });
  });

  test("comes down to one for each core, sample by sample, where nothing but start-up work keeps the cores busy", () => {
    const overloaded: NodeSample = { ...idle, utilisation: 0, cpuPressure: 0.97, cores: 4 };
    const lowered = (limit: Limit, times: number) =>
      Array.from({ length: times }).reduce<Limit>((one) => markUsed(sampled(one, overloaded)), limit);
    expect(sampled(markUsed(fresh), overloaded)).toMatchObject({ slots: 5, move: "lowered to 5: the cores are busy" });
    expect(lowered(markUsed(fresh), 20).slots).toBe(4);
    expect(sampled(fresh, overloaded).slots).toBe(6); // it was not used: somebody else's work
    expect(afterSample(markUsed(fresh), nodeClass, overloaded, 100 * MIB).slots).toBe(6); // images are being unpacked
  });

  test("without telemetry a quick start is the only sign of room, and a slow one is none", () => {
    const quick = { fetchedBytes: 0, leftBytes: 0, tookMs: 1_500, watched: false };
    expect(afterStart(markUsed(fresh), nodeClass, quick, 0)).toMatchObject({
      slots: 7,
      move: "grew to 7: all were used, a pod started within 1.5 s",
    });
    expect(afterStart(markUsed(fresh), nodeClass, { ...quick, tookMs: 2_500 }, 0).slots).toBe(6);
    expect(afterStart(markUsed(fresh), nodeClass, { ...quick, tookMs: undefined }, 0).slots).toBe(6);
    // 125 MiB × 4 on a disk of 125 MiB/s: four seconds more are its own
    const fetched = { ...quick, fetchedBytes: 125 * MIB, tookMs: 5_900 };
    expect(afterStart(markUsed(fresh), nodeClass, fetched, 0).slots).toBe(7);
  });

  test("halves at once on a failed start, rests, and halves again only for a later one", () => {
    const cut = afterFailure(fresh, nodeClass, "StartError", 1_000);
    expect(cut).toMatchObject({ slots: 3, move: "cut to 3: StartError" });
    expect(afterFailure(cut, nodeClass, "StartError", 5_000).slots).toBe(3);
    expect(sampled(withStarts(markUsed(cut), 1), { ...idle, atMs: 5_000 }).slots).toBe(3);
    expect(afterFailure(cut, nodeClass, "StartError", 11_000).slots).toBe(1);
  });

  test("learns what the disk writes, faster than it was taken for or slower", () => {
    const learn = (sample: NodeSample, times: number) => sampled(fresh, sample, times).bytesPerSecond;
    expect(learn({ atMs: 0, utilisation: 1, writeBytesPerSecond: 22 * MIB }, 40) / MIB).toBeCloseTo(22, 0);
    expect(learn({ atMs: 0, utilisation: 0.2, writeBytesPerSecond: 200 * MIB }, 1) / MIB).toBeGreaterThanOrEqual(200);
    expect(learn({ atMs: 0, utilisation: 0.01, writeBytesPerSecond: MIB }, 40)).toBe(fresh.bytesPerSecond);
  });

  test("a disk over its await threshold is hot for ten seconds more", () => {
    expect(sampled(fresh, { atMs: 1_000, awaitMs: 501 }).hotUntilMs).toBe(11_000);
    expect(afterSample(fresh, nodeClass, { atMs: 1_000, awaitMs: 501 }, 0, 45_000).hotUntilMs).toBe(46_000);
    expect(sampled(fresh, { atMs: 1_000, awaitMs: 499 }).hotUntilMs).toBe(-Infinity);
  });
});

describe("what the images in flight have written", () => {
  const writing = (atMs: number): NodeSample => ({ atMs, utilisation: 0.5, writeBytesPerSecond: 10 * MIB });

  test("is what the disk wrote meanwhile, all of them at most, and leaves with the pod that brought them", () => {
    const first = afterSample(fresh, nodeClass, writing(0), 100 * MIB);
    expect(first.progressBytes).toBe(0); // since when it has written so is not known
    const second = afterSample(first, nodeClass, writing(2_000), 100 * MIB);
    expect(second.progressBytes).toBe(20 * MIB);
    expect(afterSample(second, nodeClass, writing(20_000), 100 * MIB).progressBytes).toBe(100 * MIB);
    expect(afterStart(second, nodeClass, { ...aStart, fetchedBytes: 3, leftBytes: 1 }, 0).progressBytes).toBe(5 * MIB);
    expect(afterSample(second, nodeClass, writing(4_000), 0).progressBytes).toBe(0);
  });
});

describe("what an image makes the disk write", () => {
  const fetched = { ...aStart, fetchedBytes: 10 * MIB };
  /** Images of 10 MiB as listed come one after another, each of which makes the disk write so much. */
  const after = (images: number, mibWritten: number, dirtyBytes = 0) =>
    Array.from({ length: images }).reduce<Limit>(
      (limit, _none, at) => {
        const sample = { atMs: (at + 1) * 1_000, writeBytesPerSecond: mibWritten * MIB, dirtyBytes };
        return afterStart(afterSample(limit, nodeClass, sample, 40 * MIB), nodeClass, fetched, 0);
      },
      afterSample(fresh, nodeClass, { atMs: 0 }, 40 * MIB),
    );

  test("is learnt once a few have come: those that do not compress write half of what the class says", () => {
    expect(after(2, 20).unpackRatio).toBe(nodeClass.unpackRatio);
    expect(after(3, 20).unpackRatio).toBeCloseTo(2);
  });

  test("what is dirty will be written, more than the class says is somebody else's, and what comes is written once", () => {
    expect(after(4, 20, 40 * MIB).unpackRatio).toBeCloseTo(3);
    expect(after(4, 90).unpackRatio).toBe(nodeClass.unpackRatio);
    expect(after(4, 1).unpackRatio).toBe(1);
  });

  test("begins anew with another class", () => {
    expect(boundLimit(after(4, 20), { ...nodeClass, unpackRatio: 3 }).unpackRatio).toBe(3);
  });
});

describe("how many may fetch", () => {
  const writes = (mibPerSecond: number, slots = 12): Limit => ({ ...fresh, slots, bytesPerSecond: mibPerSecond * MIB });

  test("as many as the disk takes to be busy: three at least, a core each and one besides at most", () => {
    expect(fetcherLimit(writes(20, 6), 4)).toBe(3);
    expect(fetcherLimit(writes(125), 4)).toBe(4);
    expect(fetcherLimit(writes(700), 4)).toBe(5);
    expect(fetcherLimit(writes(700), 8)).toBe(9);
  });

  test("never more than there are slots, and a third of them in any case", () => {
    expect(fetcherLimit(writes(125, 2), 4)).toBe(2);
    expect(fetcherLimit(writes(20, 30), 4)).toBe(10);
  });
});

type Happening = { start: typeof aStart } | { failure: true } | { sample: NodeSample; writes: number };
const sampleArb: fc.Arbitrary<NodeSample> = fc.record({
  atMs: fc.nat(1_000_000),
  utilisation: fc.option(fc.double({ min: 0, max: 1.5, noNaN: true }), { nil: undefined }),
  writeBytesPerSecond: fc.option(fc.double({ min: 0, max: 1e11, noNaN: true }), { nil: undefined }),
  awaitMs: fc.option(fc.double({ min: 0, max: 1e6, noNaN: true }), { nil: undefined }),
  cpuPressure: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
});
const bytesArb = fc.nat(2 ** 31 - 1);
const startArb = fc.record({
  fetchedBytes: bytesArb,
  leftBytes: bytesArb,
  tookMs: fc.nat(60_000),
  watched: fc.boolean(),
});
const happening: fc.Arbitrary<Happening> = fc.oneof(
  fc.record({ start: startArb }),
  fc.record({ failure: fc.constant(true as const) }),
  fc.record({ sample: sampleArb, writes: bytesArb }),
);

function after(limit: Limit, what: Happening, nowMs: number): Limit {
  if ("failure" in what) return afterFailure(limit, nodeClass, "a failure", nowMs);
  if ("sample" in what) return afterSample(markUsed(limit), nodeClass, what.sample, what.writes);
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
        expect(limit.progressBytes).toBeGreaterThanOrEqual(0);
        expect(fetcherLimit(limit, 4)).toBeGreaterThanOrEqual(1);
        expect(fetcherLimit(limit, 4)).toBeLessThanOrEqual(limit.slots);
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
        limit = sampled(withStarts(markUsed(limit), 2), { ...sample, atMs: step * 1_000 });
        slots.push(limit.slots);
      }
      expect(new Set(slots.slice(-30)).size).toBe(1);
    }),
  );
});

test("a class that shrinks takes the limit with it", () => {
  expect(boundLimit(fresh, { ...nodeClass, slots: { initial: 2, min: 1, max: 2 } }).slots).toBe(2);
});
