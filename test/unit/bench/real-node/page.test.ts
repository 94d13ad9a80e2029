/** Runs of the real node in the docs: what a new one adds, and the words above all of them. */
import { describe, expect, it } from "vitest";
import { outcomeOf } from "../../../../bench/real-node/outcome.ts";
import { type Pair, type RealNodeFigures, summary, withRun } from "../../../../bench/real-node/page.ts";
import { strategies, type Strategy } from "../../../../bench/real-node/settings.ts";

const where = { measured: "2026-11-30", cores: 2, load: 0.5 };
const pair: Pair = {
  setting: "harsh",
  failed: { herd: [12, 0], paced: [0, 0] },
  meanReady: { ratio: 0.38 },
  allReady: { herd: 100, paced: 105 },
};
const kept: RealNodeFigures = { full: {}, pairs: [pair] };

const outcome = (strategy: Strategy, round: number, readySeconds: readonly number[], failed = 0) =>
  outcomeOf({
    ...{ setting: "harsh", strategy, round, readySeconds, pods: 2, byFingerprint: { CreateDeadline: failed } },
    ...{ containerdLog: "", restarts: 0, peakInStartup: 2, looks: [] },
  });

describe("a new run", () => {
  const quick = [outcome("all-at-once", 1, [10, 30], 3), outcome("all-at-once", 2, [10, 50], 5)];

  it("is one more pair, with the failed starts of each round and medians of the times", () => {
    const { pairs } = withRun(kept, [...quick, outcome("paceline", 1, [5, 15])], where);
    expect(pairs).toEqual([
      pair,
      {
        ...{ setting: "harsh", measured: "2026-11-30", failed: { herd: [3, 5], paced: [0] } },
        ...{ meanReady: { herd: 25, paced: 10 }, allReady: { herd: 40, paced: 15 } },
      },
    ]);
  });

  it("is no further pair when it is written once more", () => {
    const once = withRun(kept, [...quick, outcome("paceline", 1, [5, 15])], where);
    expect(withRun(once, [...quick, outcome("paceline", 1, [5, 15])], where)).toEqual(once);
  });

  it("takes the place of its setting's full run only if it has all strategies", () => {
    const before = { ...kept, full: withRun(kept, strategies.map((one) => outcome(one, 1, [1, 2])), where).full }; // prettier-ignore
    expect(before.full.harsh?.results.map(({ strategy }) => strategy)).toEqual(strategies);
    expect(withRun(before, quick, where)).toEqual(before);
  });
});

describe("the summary", () => {
  it("counts rounds of the harsh setting, and takes the ratio where no times were kept", () => {
    expect(summary([pair, { ...pair, setting: "mild", failed: { herd: [1], paced: [1] } }])).toBe(
      "In 2 rounds on a slow disk no start failed with Paceline. All at once, starts failed in 1 of 2 rounds. " +
        "Paceline's mean time to Ready was 0.38 to 0.38 × that of all at once, and all pods were Ready after 1.05 to " +
        "1.05 × its time.",
    );
  });

  it("says it when starts failed with Paceline", () => {
    expect(summary([{ ...pair, failed: { herd: [1], paced: [2, 1] } }])).toContain("3 starts failed with Paceline");
  });
});
