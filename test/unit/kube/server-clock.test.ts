import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createServerClock } from "../../../src/kube/server-clock.ts";

const START_MS = Date.parse("2026-11-03T06:00:00.400Z");
const HOUR_MS = 3_600_000;

/** A machine whose clock is off, and an API server whose clock is right. */
function machine(offMs: number) {
  let [trueMs, wallOffMs] = [START_MS, offMs];
  const told: number[] = [];
  const setTimer = () => () => undefined;
  const clock = createServerClock({
    wall: { now: () => trueMs + wallOffMs, setTimer },
    steady: { now: () => trueMs - START_MS, setTimer },
    onOff: (seconds) => told.push(seconds),
  });
  return {
    told,
    offMs: () => clock.now() - trueMs,
    jump: (byMs: number) => (wallOffMs += byMs),
    pass: (ms: number) => (trueMs += ms),
    ask(thereMs: number, backMs: number) {
      const heard = clock.asked();
      trueMs += thereMs;
      const date = new Date(trueMs).toUTCString();
      trueMs += backMs;
      heard(date);
    },
    hear: (date: string | undefined) => clock.asked()(date),
  };
}

describe("the API server's time", () => {
  it("is the machine's until the first answer", () => {
    expect(machine(-HOUR_MS).offMs()).toBe(-HOUR_MS);
  });

  it("leaves a clock alone that is right", () => {
    const one = machine(0);
    one.ask(3, 5);
    one.ask(900, 2_000);
    expect(one.offMs()).toBe(0);
    expect(one.told).toEqual([]);
  });

  it("outlives a machine's clock that is set by an hour, and tells once by how much that is off", () => {
    const one = machine(0);
    one.ask(3, 5);
    one.jump(HOUR_MS);
    expect(one.offMs()).toBe(0);
    one.ask(3, 5);
    one.ask(3, 5);
    expect(one.offMs()).toBe(0);
    expect(one.told).toEqual([3_600]);
  });

  it("does not listen to an answer without a date", () => {
    const one = machine(0);
    for (const none of [undefined, "soon", "5", "2026-11-03T09:00:00Z"]) one.hear(none);
    expect(one.offMs()).toBe(0);
  });

  it("is not moved by hours by one answer of a proxy, nor by one API server of two; by three that agree it is", () => {
    const one = machine(0);
    const other = (hours: number) => new Date(Date.parse("2026-11-03T06:00:00Z") + hours * HOUR_MS).toUTCString();
    one.ask(3, 5);
    for (let round = 0; round < 50; round += 1) {
      one.hear(other(3));
      one.hear(other(-3));
      one.hear(other(3));
      one.ask(3, 5);
    }
    expect(Math.abs(one.offMs())).toBeLessThan(1_000);
    for (let round = 0; round < 3; round += 1) one.hear(other(3));
    expect(one.offMs()).toBeGreaterThan(2.9 * HOUR_MS);
    expect(one.told.length).toBe(1);
  });

  it("is off by no more than a second and the answer's time, whatever the machine's clock says", () => {
    const ms = fc.integer({ min: 0, max: 5_000 });
    fc.assert(
      fc.property(fc.integer({ min: -HOUR_MS, max: HOUR_MS }), fc.array(fc.tuple(ms, ms, ms)), (offMs, asked) => {
        const one = machine(offMs);
        for (const [passMs, thereMs, backMs] of asked) {
          one.pass(passMs);
          one.ask(thereMs, backMs);
          expect(Math.abs(one.offMs())).toBeLessThanOrEqual(1_000 + thereMs + backMs);
        }
      }),
    );
  });
});
