/** How strategies are judged by many herds. */
import { describe, expect, test } from "vitest";
import { distribution, geometricMean } from "../../../../bench/herds/distribution.ts";
import { judge } from "../../../../bench/herds/judgement.ts";
import type { Figures, Outcome } from "../../../../bench/herds/runs.ts";
import { verdicts, verdictsOfChanges } from "../../../../bench/herds/targets.ts";
import { isMet } from "../../../../bench/figures.ts";

const figures = (makespanSeconds: number, more: Partial<Figures> = {}): Figures => ({
  ...{ failedStarts: 0, failures: {}, unreadyPods: 0, makespanSeconds },
  ...{ meanReadySeconds: 10, p95ReadySeconds: 20, slowestDaemonSetSeconds: 0 },
  ...more,
});

function outcome(
  herd: string,
  paceline: Figures,
  { seed = 1, none = figures(100), fixed = figures(100) } = {},
): Outcome {
  return { herd, change: "as they are", seed, figures: { none, paceline, "fixed:3": fixed } };
}

test("the geometric mean of a half and a double is 1", () => {
  expect(geometricMean([0.5, 2])).toBeCloseTo(1, 10);
  expect(geometricMean([1, 8])).toBeCloseTo(Math.sqrt(8), 10);
  expect(geometricMean([])).toBeNaN();
});

test("a distribution takes its percentiles by nearest rank", () => {
  const ratios = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
  expect(distribution(ratios)).toMatchObject({ median: 5, p90: 9, worst: 10 });
});

describe("judge", () => {
  test("a herd is worse from more than 5 % on, and the worst comes first", () => {
    const herds = [104, 105, 106, 130, 50].map((seconds) => outcome(`h${seconds}`, figures(seconds)));
    const { herdsWorse } = judge("paceline", herds);
    expect(herdsWorse.map(({ herd }) => herd)).toEqual(["h130", "h106"]);
  });

  test("a herd's ratio is the geometric mean of its seeds", () => {
    const seeds = [outcome("a", figures(50)), outcome("a", figures(200), { seed: 2 })];
    expect(judge("paceline", seeds)).toMatchObject({ herdsWorse: [], ratios: { allReady: { worst: 1 } } });
  });

  test("failed starts name their herds; containers that crash by themselves are none", () => {
    const failures = { StartError: 3, ProbeFailure: 4, Crash: 9 };
    const herds = [outcome("a", figures(100, { failedStarts: 3, failures })), outcome("b", figures(100))];
    const { failedStarts, herdsWithFailures, failures: byKind } = judge("paceline", herds);
    expect({ failedStarts, herdsWithFailures, byKind }).toEqual({
      failedStarts: 3,
      herdsWithFailures: [{ herd: "a", figure: 3 }],
      byKind: { StartError: 3, ProbeFailure: 4 },
    });
  });

  test("herds without DaemonSets have no ratio of the slowest DaemonSet pod", () => {
    const daemons = { none: figures(100, { slowestDaemonSetSeconds: 10 }) };
    const herds = [outcome("a", figures(100, { slowestDaemonSetSeconds: 15 }), daemons), outcome("b", figures(100))];
    expect(judge("paceline", herds).ratios.slowestDaemonSet.geometricMean).toBeCloseTo(1.5, 10);
  });
});

describe("targets", () => {
  test("the number of herds that may be worse follows the number of herds", () => {
    const worse = ["a", "b"].map((herd) => outcome(herd, figures(120)));
    const rest = ["c", "d", "e", "f", "g", "h", "i", "j", "k", "l"].map((herd) =>
      outcome(herd, figures(50, { meanReadySeconds: 5 })),
    );
    const met = (outcomes: readonly Outcome[], tolerate: boolean) =>
      verdicts(judge("paceline", outcomes), outcomes.length, tolerate).every(isMet);
    expect(met([...worse, ...rest], false)).toBe(true); // 15 of 90 are 2 of 12
    expect(met([...worse, ...rest], true)).toBe(false); // 5 of 90 are 0 of 12
  });

  test("a pod that only Paceline leaves unready misses a target", () => {
    const judgement = judge("paceline", [outcome("a", figures(50, { meanReadySeconds: 5, unreadyPods: 1 }))]);
    expect(verdicts(judgement, 1, false).filter((figure) => !isMet(figure))).toHaveLength(1);
  });

  test("with changes, one failed start of a herd above fixed:3 is allowed, if the total is not above", () => {
    const failing = (failedStarts: number) => figures(100, { failedStarts });
    const one = [outcome("a", failing(1)), outcome("b", figures(100), { fixed: failing(2) })];
    expect(verdictsOfChanges(one).map(isMet)).toEqual([true, true]);
    const two = [outcome("a", failing(2)), outcome("b", figures(100), { fixed: failing(2) })];
    expect(verdictsOfChanges(two).map(isMet)).toEqual([true, false]);
  });
});
