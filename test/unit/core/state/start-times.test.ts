import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { StartTimes } from "../../../../src/core/state/start-times.ts";
import { aShape } from "../../../support/core-facts.ts";

describe("how long pods take to start", () => {
  const [quick, slow, unseen] = ["quick", "slow", "unseen"].map((ownerName) => aShape({ ownerName }));
  const learnt = (seconds: number, shape = quick) => {
    const times = new StartTimes();
    times.learn(shape ?? aShape(), seconds * 1_000);
    return times;
  };

  test("what took longer stands further up the scale; a few per cent are chance", () => {
    const times = learnt(30);
    times.learn(slow ?? aShape(), 40_000);
    expect(times.step(slow ?? aShape())).toBeGreaterThan(times.step(quick ?? aShape()));
    expect(learnt(30).step(quick ?? aShape())).toBe(learnt(31).step(quick ?? aShape()));
  });

  test("all short starts are equal: nothing is put off for half a second", () => {
    expect(learnt(0.4).step(quick ?? aShape())).toBe(learnt(1.9).step(quick ?? aShape()));
  });

  test("a shape that nobody has seen start is taken for one like the last few", () => {
    const times = learnt(30);
    for (let at = 0; at < 20; at += 1) times.learn(quick ?? aShape(), 30_000);
    expect(times.step(unseen ?? aShape())).toBe(times.step(quick ?? aShape()));
  });

  test("longer never stands lower", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 3_600, noNaN: true }),
        fc.double({ min: 0, max: 3_600, noNaN: true }),
        (a, b) => {
          const [shorter, longer] = [Math.min(a, b), Math.max(a, b)].map((one) => learnt(one).step(quick ?? aShape()));
          expect(longer).toBeGreaterThanOrEqual(shorter ?? 0);
        },
      ),
    );
  });
});
