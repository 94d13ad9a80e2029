import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { byAge, heldSinceMs } from "../../../../src/core/state/held-since.ts";
import { aGatedPod, aPod, START_MS } from "../../../support/core-facts.ts";

const held = (sinceMs: number) => ({ node: undefined, reason: "AwaitingRelease", sinceMs }) as const;

describe("a pod is held since", () => {
  test("its creation, where no annotation says when", () => {
    expect(heldSinceMs(aPod("p", { gated: true, createdAtMs: START_MS }))).toBe(START_MS);
    expect(heldSinceMs(aPod("p", { createdAtMs: START_MS }))).toBe(START_MS);
  });

  test("its creation while it is gated: any other time is a forgery, or a clock that is wrong", () => {
    expect(heldSinceMs(aGatedPod("p", { hold: held(START_MS + 1) }))).toBe(START_MS);
    expect(heldSinceMs(aGatedPod("p", { hold: held(START_MS - 1) }))).toBe(START_MS);
  });

  test("no time before its creation, whatever its annotation says: a forged hold makes no pod urgent", () => {
    expect(heldSinceMs(aPod("p", { hold: held(0) }))).toBe(START_MS);
  });

  test("what its annotation says once no gate holds it", () => {
    expect(heldSinceMs(aPod("p", { hold: held(START_MS + 1_000) }))).toBe(START_MS + 1_000);
  });

  test("its creation, whatever the annotation of a gated pod says", () => {
    const time = fc.integer({ min: -1e12, max: 1e13 });
    fc.assert(
      fc.property(time, fc.option(time, { nil: undefined }), (createdAtMs, sinceMs) => {
        const hold = sinceMs === undefined ? undefined : held(sinceMs);
        const pod = { gated: true, createdAtMs, hold };
        expect(heldSinceMs(pod)).toBe(createdAtMs);
      }),
    );
  });
});

describe("the order by age", () => {
  const podArb = fc
    .record({ name: fc.constantFrom("a", "b", "B", "c"), age: fc.nat(2), held: fc.nat(2), gated: fc.boolean() })
    .map(({ name, age, held: ago, gated }) =>
      aPod(name, { gated, createdAtMs: START_MS - age, hold: held(START_MS - ago) }),
    );

  test("puts the pod that was held longer first, and equally old ones by their uid", () => {
    const [a, b] = [aGatedPod("a"), aGatedPod("b")];
    const old = aGatedPod("z", { createdAtMs: START_MS - 1 });
    expect([b, a, old].sort(byAge)).toEqual([old, a, b]);
    expect(byAge(a, a)).toBe(0);
  });

  test("is total: it does not matter in which order pods came", () => {
    fc.assert(
      fc.property(podArb, podArb, podArb, (a, b, c) => {
        expect(Math.sign(byAge(a, b))).toBe(0 - Math.sign(byAge(b, a)));
        if (byAge(a, b) <= 0 && byAge(b, c) <= 0) expect(byAge(a, c)).toBeLessThanOrEqual(0);
        if (byAge(a, b) === 0) expect(a.uid).toBe(b.uid);
      }),
      { numRuns: 1_000 },
    );
  });
});
