import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { byAge, heldSinceMs, keptOutSinceMs } from "../../../../src/core/state/held-since.ts";
import { aFencedNode, aJoiningNode } from "../../../support/core-plan.ts";
import { aDaemonPod, aGatedPod, aPod, changed, START_MS } from "../../../support/core-facts.ts";

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

describe("a pod is kept out by a fence since", () => {
  const nowMs = START_MS + 600_000;
  const readyMs = START_MS + 30_000;
  const node = aFencedNode("n1", { readySinceMs: readyMs, fence: { value: "n1", sinceMs: START_MS } });

  test("its node is Ready, or the pod is there, whichever is later", () => {
    expect(keptOutSinceMs(aPod("p"), node, nowMs)).toBe(readyMs);
    expect(keptOutSinceMs(aPod("p", { createdAtMs: readyMs + 1 }), node, nowMs)).toBe(readyMs + 1);
    expect(keptOutSinceMs(aPod("p"), aJoiningNode("n1", { fence: { value: "n1", sinceMs: START_MS } }), nowMs)).toBe(
      Infinity,
    );
  });

  test("its node opened, where that differs from its Ready; no time counts while it is closed", () => {
    const opened = (openedMs: number | undefined) => ({ ...node, opening: { openedMs, bootID: "", resources: [] } });
    expect(keptOutSinceMs(aPod("p"), opened(START_MS + 1), nowMs)).toBe(START_MS + 1);
    expect(keptOutSinceMs(aPod("p"), opened(readyMs + 1), nowMs)).toBe(readyMs + 1);
    expect(keptOutSinceMs(aPod("p"), opened(undefined), nowMs)).toBe(Infinity);
  });

  test("its node is Ready, if it is a DaemonSet's, which a cordon does not keep out", () => {
    const agent = changed(aDaemonPod("agent", "n1"), { gated: false, hold: undefined });
    const opened = (openedMs: number | undefined) => ({ ...node, opening: { openedMs, bootID: "", resources: [] } });
    for (const openedMs of [undefined, readyMs + 60_000])
      expect(keptOutSinceMs(agent, opened(openedMs), nowMs)).toBe(readyMs);
    expect(keptOutSinceMs(agent, opened(START_MS + 1), nowMs)).toBe(START_MS + 1);
  });

  test("the beginning of its gate, where that held it before, less the time between", () => {
    const release = { atMs: readyMs + 10_000, heldMs: 40_000 };
    expect(keptOutSinceMs(aPod("p", { release }), node, nowMs)).toBe(START_MS);
    const earlier = { atMs: START_MS + 10_000, heldMs: 10_000 };
    expect(keptOutSinceMs(aPod("p", { release: earlier }), node, nowMs)).toBe(START_MS + 20_000);
  });

  test("no time before its creation, whatever it says of itself, and no release that is still to come", () => {
    const forged = aPod("p", { release: { atMs: START_MS, heldMs: 1e9 } });
    expect(keptOutSinceMs(forged, node, nowMs)).toBe(START_MS);
    const future = aPod("p", { release: { atMs: nowMs + 1, heldMs: 0 } });
    expect(keptOutSinceMs(future, node, nowMs)).toBe(readyMs);
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
