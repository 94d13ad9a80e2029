import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { PodFacts } from "../../../../src/core/facts.ts";
import { compareRanks, rank, type Rank, type Standing } from "../../../../src/core/plan/order.ts";
import { aGatedPod, aPod, aShape, START_MS } from "../../../support/core-facts.ts";
import { aFencedNode } from "../../../support/core-plan.ts";

const CAP_MS = 300_000;
const opened = aFencedNode("n1", { opening: { openedMs: START_MS, bootID: "", resources: [] } });
const common: Standing = { isDaemon: false, schedulerIsBehind: false, bytesPerPod: 0 };

interface Candidate {
  readonly pod: PodFacts;
  readonly standing: Standing;
}

const candidate = (given: Partial<PodFacts> = {}, standing: Partial<Standing> = {}): Candidate => ({
  pod: aGatedPod("p", { createdAtMs: START_MS, ...given }),
  standing: { ...common, ...standing },
});

const rankOf = ({ pod, standing }: Candidate, nowMs = START_MS + 60_000): Rank =>
  rank(pod, opened, standing, CAP_MS, nowMs);
/** Does the first go before the second? */
const goesFirst = (a: Candidate, b: Candidate, nowMs?: number) => compareRanks(rankOf(a, nowMs), rankOf(b, nowMs)) < 0;

const urgent = candidate({ createdAtMs: START_MS - 0.8 * CAP_MS });

describe("the order of release", () => {
  test("a pod is urgent once it is near its cap, and not a moment before", () => {
    const waits = candidate();
    const other = candidate({ createdAtMs: START_MS + 1 }, { isDaemon: true });
    expect(goesFirst(waits, other, START_MS + 0.8 * CAP_MS - 1)).toBe(false);
    expect(goesFirst(waits, other, START_MS + 0.8 * CAP_MS)).toBe(true);
  });

  test("a pod that has been pending for days is urgent only once the fence has held it for most of the cap", () => {
    const pending = { pod: aPod("old", { unschedulable: true, createdAtMs: START_MS - 86_400_000 }), standing: common };
    const other = candidate({ createdAtMs: START_MS + 1 }, { isDaemon: true });
    expect(goesFirst(pending, other, START_MS + 0.8 * CAP_MS - 1)).toBe(false);
    expect(goesFirst(pending, other, START_MS + 0.8 * CAP_MS)).toBe(true);
  });

  test("nor does it go before a pod that Paceline has held for longer, whatever its annotation says", () => {
    const hold = { node: undefined, reason: "AwaitingRelease", sinceMs: 0 } as const;
    const pending = aPod("old", { unschedulable: true, createdAtMs: START_MS - 86_400_000, hold });
    expect(goesFirst(candidate({ createdAtMs: START_MS - 1 }), { pod: pending, standing: common })).toBe(true);
  });

  /** Each goes before the one after it, although the one after it is better in all that counts less. */
  const ladder: readonly (readonly [string, Candidate])[] = [
    ["a pod that has waited for most of the cap", urgent],
    ["a DaemonSet pod", candidate({}, { isDaemon: true, bytesPerPod: 900 })],
    ["a pod of higher priority", candidate({ shape: aShape({ priority: 1 }) }, { bytesPerPod: 900 })],
    ["one of fewer bytes", candidate({}, { bytesPerPod: 1 })],
    ["one held longer", candidate({ createdAtMs: START_MS - 1_000 }, { bytesPerPod: 2 })],
    ["one held since just now", candidate({}, { bytesPerPod: 2 })],
  ];
  const steps = ladder.slice(1).map(([lower, second], at) => {
    const [higher, first] = ladder[at] ?? ["", second];
    return { higher, lower, first, second };
  });

  test.each(steps)("$higher goes before $lower", ({ first, second }) => {
    expect(goesFirst(first, second)).toBe(true);
    expect(goesFirst(second, first)).toBe(false);
  });

  test("while kube-scheduler is behind, the older pod goes first, whatever it fetches; priority still counts more", () => {
    const behind = { schedulerIsBehind: true };
    const old = candidate({ createdAtMs: START_MS - 1 }, { ...behind, bytesPerPod: 900 });
    expect(goesFirst(old, candidate({}, { ...behind, bytesPerPod: 1 }))).toBe(true);
    expect(goesFirst(candidate({ shape: aShape({ priority: 1 }) }, behind), old)).toBe(true);
  });

  test("a pod that may take the only slot in vain gives way to all but urgent ones", () => {
    const vain = candidate({ shape: aShape({ priority: 1 }) }, { givesWay: true });
    expect(goesFirst(candidate(), vain)).toBe(true);
    expect(goesFirst({ ...urgent, standing: vain.standing }, candidate())).toBe(true);
  });

  test("a forged time on a gated pod does not make it younger than its creation", () => {
    const hold = { node: undefined, reason: "AwaitingRelease", sinceMs: START_MS + 86_400_000 } as const;
    expect(goesFirst(candidate({ hold }), candidate({ createdAtMs: START_MS + 1 }))).toBe(true);
  });
});

describe("is a total order:", () => {
  const candidateArb = fc
    .record({
      ageSeconds: fc.constantFrom(0, 1, 200, 240, 400),
      isDaemon: fc.boolean(),
      priority: fc.constantFrom(-1, 0, 5),
      bytesPerPod: fc.constantFrom(0, 1, 1e9),
    })
    .map(({ ageSeconds, priority, ...standing }) =>
      candidate({ createdAtMs: START_MS - ageSeconds * 1_000, shape: aShape({ priority }) }, standing),
    );
  /** Candidates of one plan: kube-scheduler is behind for all of them or for none. */
  const some = (count: number) =>
    fc
      .tuple(fc.boolean(), fc.array(candidateArb, { minLength: count, maxLength: count }))
      .map(([schedulerIsBehind, all]) =>
        all.map(({ pod, standing }) => rankOf({ pod, standing: { ...standing, schedulerIsBehind } }, START_MS)),
      );

  test("whoever goes before another does not come after it, and nobody goes before itself", () => {
    fc.assert(
      fc.property(some(2), ([a = noRank(), b = noRank()]) => {
        expect(compareRanks(a, b)).toBe(0 - compareRanks(b, a));
        expect(compareRanks(a, a)).toBe(0);
      }),
      { numRuns: 1_000 },
    );
  });

  test("whoever goes before another goes before all that come after that one", () => {
    fc.assert(
      fc.property(some(3), ([a = noRank(), b = noRank(), c = noRank()]) => {
        if (compareRanks(a, b) <= 0 && compareRanks(b, c) <= 0) expect(compareRanks(a, c)).toBeLessThanOrEqual(0);
      }),
      { numRuns: 2_000 },
    );
  });

  test("only equal ranks are equal in the order", () => {
    fc.assert(
      fc.property(some(2), ([a = noRank(), b = noRank()]) => {
        expect(compareRanks(a, b) === 0).toBe(a.every((figure, at) => figure === b[at]));
      }),
      { numRuns: 1_000 },
    );
  });
});

function noRank(): Rank {
  throw new Error("too few candidates");
}
