import fc from "fast-check";
import { expect, test } from "vitest";
import type { Active } from "../../../../src/simulate/model/rates.ts";
import { computeRates, idleRates } from "../../../../src/simulate/model/rates.ts";
import { plainCapacity as capacity } from "./one-node.ts";

const nobody: Active = {
  downloads: 0,
  unpacks: 0,
  smallWrites: 0,
  faults: 0,
  reads: 0,
  work: 0,
  flushes: 0,
  syncs: 0,
  dirtyBytes: 0,
  writing: true,
};
const ratesOf = (active: Partial<Active>) => {
  const rates = idleRates();
  computeRates(capacity, { ...nobody, ...active }, rates);
  return rates;
};

test("an idle disk writes nothing, and answers at once", () => {
  expect(ratesOf({})).toMatchObject({ inflow: 0, written: 0, busy: 0, queue: 0, awaitMs: 1 });
});

test("downloads share the registry, none faster than one connection", () => {
  expect(ratesOf({ downloads: 1 }).download).toBe(80);
  expect(ratesOf({ downloads: 6 }).download).toBe(50);
});

test("the page cache takes everything until its limit; the device writes what it can", () => {
  expect(ratesOf({ unpacks: 2, dirtyBytes: 9_999 })).toMatchObject({ inflow: 120, written: 100, throttled: false });
});

test("at the limit all writers share the device's rate equally", () => {
  const rates = ratesOf({ downloads: 6, unpacks: 4, dirtyBytes: 10_000 });
  expect(rates).toMatchObject({ throttled: true, inflow: 100, written: 100, download: 10, unpack: 10 });
});

test("a writer that asks for less than its share leaves the rest to the others", () => {
  const rates = ratesOf({ downloads: 30, smallWrites: 1, unpacks: 0, dirtyBytes: 10_000 });
  expect(rates.download).toBeCloseTo(100 / 31);
  const slow = idleRates();
  computeRates(
    { ...capacity, registryPerMs: 20 },
    { ...nobody, downloads: 20, smallWrites: 1, dirtyBytes: 10_000 },
    slow,
  );
  expect(slow).toMatchObject({ download: 1, smallWrite: 80 });
});

test("evicted pages cost a throttled writer's share; with memory free they cost nothing", () => {
  expect(ratesOf({ faults: 1, dirtyBytes: 5_000 })).toMatchObject({ fault: 1_000, readTotal: 0, written: 100 });
  const full = ratesOf({ faults: 1, unpacks: 4, dirtyBytes: 10_000 });
  expect(full).toMatchObject({ fault: 20, unpack: 20, readTotal: 20, inflow: 80, written: 80 });
});

test("reads share the device with writeback, or have a limit of their own", () => {
  expect(ratesOf({ reads: 1 })).toMatchObject({ read: 100, written: 0 });
  expect(ratesOf({ reads: 3, dirtyBytes: 500 })).toMatchObject({ read: 25, written: 25 });
  const apart = idleRates();
  computeRates({ ...capacity, readPerMs: 40 }, { ...nobody, reads: 2, dirtyBytes: 500 }, apart);
  expect(apart).toMatchObject({ read: 20, written: 100 });
});

test("work shares the cores with unpacking; throttled unpacking leaves them free", () => {
  expect(ratesOf({ work: 1 }).work).toBe(1);
  expect(ratesOf({ work: 8 }).work).toBe(0.25);
  expect(ratesOf({ work: 2, unpacks: 2 })).toMatchObject({ work: 0.5, unpack: 30 });
  expect(ratesOf({ work: 2, unpacks: 100, dirtyBytes: 10_000 }).work).toBeGreaterThan(0.1);
});

test("await grows with the queue up to its bound, and slows synchronous writes down", () => {
  const few = ratesOf({ flushes: 1, dirtyBytes: 100 });
  const many = ratesOf({ flushes: 20, dirtyBytes: 100 });
  const crowd = ratesOf({ flushes: 500, dirtyBytes: 100 });
  expect(few.awaitMs).toBe(1 + 22 * 10);
  expect(many.awaitMs).toBe(1 + 60 * 10);
  expect(crowd.awaitMs).toBe(1 + 100 * 10);
  expect(many.sync).toBeCloseTo(1 / many.awaitMs);
});

test("with any active tasks, the device's speed is never exceeded", () => {
  const count = fc.integer({ min: 0, max: 50 });
  const active = fc.record({
    downloads: count,
    unpacks: count,
    smallWrites: count,
    faults: count,
    reads: count,
    work: count,
    flushes: count,
    syncs: count,
    dirtyBytes: fc.constantFrom(0, 1, 5_000, 10_000),
    writing: fc.boolean(),
  });
  fc.assert(
    fc.property(active, (who) => {
      // At the limit the device always writes.
      fc.pre(who.writing || who.dirtyBytes < capacity.dirtyLimitBytes);
      const rates = ratesOf(who);
      expect(rates.written + rates.readTotal).toBeLessThanOrEqual(capacity.writePerMs + 1e-9);
      expect(rates.work * who.work).toBeLessThanOrEqual(capacity.cores + 1e-9);
      const taken = who.downloads * rates.download + who.unpacks * rates.unpack + who.smallWrites * rates.smallWrite;
      expect(taken).toBeLessThanOrEqual(rates.inflow + 1e-6);
    }),
  );
});
