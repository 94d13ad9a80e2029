import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  afterFailure,
  afterSample,
  afterStart,
  boundLimit,
  initialLimit,
  markUsed,
} from "../../../../src/core/rules/limit.ts";
import type { Limit } from "../../../../src/core/rules/limit.ts";
import { MIB } from "../../../../src/core/measures.ts";
import { defaultNodeClass } from "../../../../src/policy/resolve.ts";
import type { NodeClass } from "../../../../src/policy/schema.ts";
import type { NodeSample } from "../../../../src/core/facts.ts";
import { aNode } from "../../../support/core-facts.ts";

const nodeClass = { ...defaultNodeClass, slots: { initial: 6, min: 1, max: 12, sandboxes: 12 } };
/** Sixteen cores, which do not count: the class says how many slots it begins with. */
const node = aNode("n1");
const fresh = initialLimit(nodeClass, node);
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

describe("the slots of a node of which nothing is known yet", () => {
  const bounds = { min: 1, max: 32, sandboxes: 18 };
  const startsWith = (allocatable: Readonly<Record<string, number>>, slots: NodeClass["slots"] = bounds) =>
    initialLimit({ ...nodeClass, slots }, { allocatable });

  test("are two for each core, within its class", () => {
    expect(startsWith({ cpu: 4_000 })).toMatchObject({ slots: 8, move: "starts at 8: two for each core" });
    expect(startsWith({ cpu: 1_930 }).slots).toBe(4);
    expect(startsWith({ cpu: 64_000 }).slots).toBe(32);
    expect(startsWith({ cpu: 1_000 }, { ...bounds, min: 4 }).slots).toBe(4);
    expect(startsWith({}).slots).toBe(1); // no figure of its cores
  });

  test("are the initial of its class where that is given, however many cores it has", () => {
    expect(startsWith({ cpu: 64_000 }, { ...bounds, initial: 3 })).toMatchObject({
      slots: 3,
      move: "starts at 3: the initial of class default",
    });
  });

  test("are within the class's bounds, whatever the node has", () => {
    fc.assert(
      fc.property(fc.nat(1_000_000), fc.integer({ min: 1, max: 50 }), fc.nat(50), (cpu, min, more) => {
        const { slots } = startsWith({ cpu }, { ...bounds, min, max: min + more });
        expect(slots).toBeGreaterThanOrEqual(min);
        expect(slots).toBeLessThanOrEqual(min + more);
        expect(Number.isInteger(slots)).toBe(true);
      }),
    );
  });
});

describe("the slot limit", () => {
  test("grows by what has started when every slot was used and the disk had something left: slow start", () => {
    expect(sampled(withStarts(markUsed(fresh), 3), idle)).toMatchObject({
      slots: 9,
      used: false,
      move: "grew to 9: all were used, the disk 8 % busy",
    });
  });

  test("keeps what it has learnt of the knee: later growth is one by one, too", () => {
    const byLoad = sampled(fresh, { ...idle, load1: 8, cores: 4 });
    expect(byLoad.kneeSeen).toBe(true);
    expect(sampled(withStarts(markUsed(byLoad), 3), idle).slots).toBe(7);
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

  test("holds at the knee: a busy disk or busy cores", () => {
    const saturated = { ...sampled(fresh, busy, 12), used: true, starts: 1 };
    expect(sampled(saturated, busy)).toMatchObject({ slots: 6, used: false, move: "held at 6: the disk is 93 % busy" });
    expect(sampled(ready, { ...idle, cpuPressure: 0.95 }).move).toBe("held at 6: the cores are busy");
  });

  test("does not grow on a burst of idleness: the disk's busy time is smoothed over the last samples", () => {
    const saturated = { ...sampled(fresh, busy, 20), used: true, starts: 1 };
    expect(sampled(saturated, { ...idle, utilisation: 0.8 }).slots).toBe(6);
    expect(sampled(saturated, { ...idle, utilisation: 0.1 }).slots).toBe(7);
  });

  test("rests while cores are busy: it neither grows nor comes down, however long that lasts", () => {
    const overloaded: NodeSample = { ...idle, utilisation: 0, cpuPressure: 0.97, cores: 4 };
    let limit = fresh;
    for (let times = 0; times < 20; times += 1) limit = sampled(withStarts(markUsed(limit), 1), overloaded);
    expect(limit.slots).toBe(6);
  });

  test("where there is no PSI, a load of two per core means busy cores; what is unknown never means busy or idle", () => {
    const afterLoad = (figures: Partial<NodeSample>) => sampled(ready, { ...idle, ...figures });
    expect(afterLoad({ load1: 8, cores: 4 })).toMatchObject({ slots: 6, move: "held at 6: the cores are busy" });
    expect(afterLoad({ load1: 7.9, cores: 4 }).slots).toBe(7);
    expect(afterLoad({ load1: 80, cores: 4, cpuPressure: 0.2 }).slots).toBe(7); // PSI goes first: load counts disk waits
    expect(afterLoad({ load1: 80 }).slots).toBe(7); // how many cores is not known
    expect(afterLoad({ cores: 4 }).slots).toBe(7);
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
    const littleUsed = learn({ atMs: 0, utilisation: 0.01, writeBytesPerSecond: 0.1 * MIB }, 40);
    expect(littleUsed / MIB).toBeGreaterThan(115); // it would be 10 by the last sample alone
    expect(learn({ atMs: 0, utilisation: 0, writeBytesPerSecond: 0 }, 40)).toBe(fresh.bytesPerSecond);
  });

  test("a disk over its await threshold is hot for ten seconds more", () => {
    expect(sampled(fresh, { atMs: 1_000, awaitMs: 501 }).hotUntilMs).toBe(11_000);
    expect(afterSample(fresh, nodeClass, { atMs: 1_000, awaitMs: 501 }, 0, 45_000).hotUntilMs).toBe(46_000);
    expect(sampled(fresh, { atMs: 1_000, awaitMs: 499 }).hotUntilMs).toBe(-Infinity);
  });
});

describe("what the images in flight have written", () => {
  const STALE_MS = 30_000;
  const writing = (atMs: number): NodeSample => ({ atMs, utilisation: 0.5, writeBytesPerSecond: 10 * MIB });

  test("is what the disk wrote meanwhile, all of them at most, and leaves with the pod that brought them", () => {
    const next = (limit: Limit, atMs: number, writes: number) =>
      afterSample(limit, nodeClass, writing(atMs), writes, STALE_MS);
    const first = next(fresh, 0, 100 * MIB);
    expect(first.progressBytes).toBe(0); // since when it has written so is not known
    const second = next(first, 2_000, 100 * MIB);
    expect(second.progressBytes).toBe(20 * MIB);
    expect(next(second, 20_000, 100 * MIB).progressBytes).toBe(100 * MIB);
    expect(afterStart(second, nodeClass, { ...aStart, fetchedBytes: 3, leftBytes: 1 }, 0).progressBytes).toBe(5 * MIB);
    expect(next(second, 4_000, 0).progressBytes).toBe(0);
  });

  test("counts no longer than a sample is fresh: what a disk did in a gap between samples is not known", () => {
    const first = afterSample(fresh, nodeClass, writing(0), 5_000 * MIB, STALE_MS);
    const later = afterSample(first, nodeClass, writing(10 * STALE_MS), 5_000 * MIB, STALE_MS);
    expect(later.progressBytes).toBe(300 * MIB);
  });
});

type Happening = { start: typeof aStart } | { failure: true } | { sample: NodeSample; writes: number };
const sampleArb: fc.Arbitrary<NodeSample> = fc.record({
  atMs: fc.nat(1_000_000),
  utilisation: fc.option(fc.double({ min: 0, max: 1.5, noNaN: true }), { nil: undefined }),
  writeBytesPerSecond: fc.option(fc.double({ min: 0, max: 1e11, noNaN: true }), { nil: undefined }),
  awaitMs: fc.option(fc.double({ min: 0, max: 1e6, noNaN: true }), { nil: undefined }),
  cpuPressure: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
  load1: fc.option(fc.nat(100), { nil: undefined }),
  cores: fc.option(fc.integer({ min: 1, max: 64 }), { nil: undefined }),
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
  expect(boundLimit(fresh, { ...nodeClass, slots: { ...nodeClass.slots, initial: 2, max: 2 } }).slots).toBe(2);
});

describe("slots that are held by no work of the node", () => {
  const full = (limit: Limit, sample: NodeSample) => afterSample(limit, nodeClass, sample, 0, 0, true);
  const nothing: NodeSample = { atMs: 0, utilisation: 0.01, cpuPressure: 0.01 };
  const after = (...samples: readonly NodeSample[]) => samples.reduce(full, markUsed(fresh));

  test("double once disk and cores were idle at two samples in a row, though no pod has started", () => {
    expect(after(nothing).slots).toBe(6);
    expect(after(nothing, { ...nothing, atMs: 1_000, utilisation: 0.5 }, { ...nothing, atMs: 2_000 }).slots).toBe(6);
    expect(after(nothing, { ...nothing, atMs: 1_000 })).toMatchObject({
      slots: 12,
      move: "grew to 12: all were used, disk and cores idle",
    });
  });

  test("stay while a sample between shows work, or while not all of them are in use", () => {
    const later = { ...nothing, atMs: 3_000 };
    expect(after(nothing, { ...nothing, atMs: 1_500, utilisation: 0.5 }, later).slots).toBe(6);
    expect(after(nothing, { ...nothing, atMs: 1_500, cpuPressure: 0.5 }, later).slots).toBe(6);
    expect(full(afterSample(full(markUsed(fresh), nothing), nodeClass, nothing, 0), later).slots).toBe(6);
  });

  test("stay where a figure is missing: unknown is never idle", () => {
    for (const sample of [
      { atMs: 0, utilisation: 0 },
      { atMs: 0, cpuPressure: 0, load1: 0, cores: 4 },
      { atMs: 0, utilisation: 0, load1: 0 },
    ]) {
      expect(after(sample, { ...sample, atMs: 3_000 }, { ...sample, atMs: 9_000 }).slots).toBe(6);
    }
  });

  test("double by the load average where there is no pressure figure", () => {
    const sample = { atMs: 0, utilisation: 0, load1: 0.5, cores: 4 };
    expect(after(sample, { ...sample, atMs: 3_000 }).slots).toBe(12);
  });

  test("never exceed the most of their class", () => {
    const samples = Array.from({ length: 20 }, (_, at) => ({ ...nothing, atMs: at * 3_000 }));
    expect(samples.reduce((limit, sample) => markUsed(full(limit, sample)), markUsed(fresh)).slots).toBe(12);
  });
});
