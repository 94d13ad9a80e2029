import { describe, expect, it } from "vitest";
import { containerdErrors, median, type Observed, outcomeOf, percentile } from "../../../../bench/real-node/outcome.ts";
import { picture } from "../../../../bench/real-node/picture.ts";
import { resultsOf, shortcomings, table } from "../../../../bench/real-node/report.ts";
import type { Strategy } from "../../../../bench/real-node/settings.ts";

const observed = (strategy: Strategy, change: Partial<Observed> = {}): Observed => ({
  setting: "harsh",
  strategy,
  round: 1,
  readySeconds: [10, 20, 30, 40],
  pods: 4,
  byFingerprint: {},
  containerdLog: "",
  restarts: 0,
  peakInStartup: 4,
  looks: [],
  ...change,
});

const herd = outcomeOf(observed("all-at-once", { byFingerprint: { CreateDeadline: 2, PullQPSExceeded: 5 } }));

describe("the outcome of a round", () => {
  it("takes percentiles by nearest rank, and the middle as median", () => {
    expect(percentile([4, 1, 3, 2], 0.5)).toBe(2);
    expect(percentile([4, 1, 3, 2], 0.95)).toBe(4);
    expect(median([5, 1, 3])).toBe(3);
    expect(median([1, 2])).toBe(1.5);
  });

  it("counts a pod that never became Ready as the latest, not as the earliest", () => {
    const outcome = outcomeOf(observed("paceline", { readySeconds: [10, 20] }));
    expect(outcome).toMatchObject({ readyPods: 2, halfReady: 20, allReady: Infinity, meanReady: Infinity });
  });

  it("counts exceeded pull QPS apart from failed starts", () => {
    expect(herd).toMatchObject({ failedStarts: 2, pullQpsExceeded: 5 });
  });

  it("finds abandoned starts in containerd's log, and ignores other errors", () => {
    const log = [
      'level=error msg="CreateContainer within sandbox failed" error="context deadline exceeded"',
      'level=error msg="failed to reserve container name app_1"',
      'level=info msg="CreateContainer within sandbox returns"',
    ].join("\n");
    expect(containerdErrors(log)).toEqual({ "CreateContainer deadline": 1, "reserved name": 1 });
  });
});

describe("the targets", () => {
  it("are met by no failure, a mean of 0.70 and an equal time until all are Ready", () => {
    expect(shortcomings([herd, outcomeOf(observed("paceline", { readySeconds: [5, 5, 10, 40] }))])).toEqual([]);
  });

  it("are named if they are missed", () => {
    const paced = outcomeOf(
      observed("paceline", { readySeconds: [30, 30, 30, 50], byFingerprint: { SandboxDeadline: 1 } }),
    );
    expect(shortcomings([herd, paced])).toEqual([
      "1 starts failed with Paceline",
      "mean time to Ready is 1.40 × all at once, above 0.7",
      "time until all are Ready is 1.25 × all at once, above 1.05",
    ]);
  });

  it("prove nothing if the herd did no harm", () => {
    const harmless = outcomeOf(observed("all-at-once"));
    expect(shortcomings([harmless, outcomeOf(observed("paceline", { readySeconds: [5, 5, 10, 40] }))])).toEqual([
      "no start failed all at once, so this run proves nothing",
    ]);
  });
});

describe("the report", () => {
  it("has one column for each strategy, with medians over its rounds", () => {
    const second = outcomeOf(observed("all-at-once", { round: 2, readySeconds: [10, 20, 30, 60] }));
    const text = table(resultsOf([herd, second, outcomeOf(observed("paceline"))]));
    expect(text).toContain("| harsh, 2 rounds | all-at-once | paceline |");
    expect(text).toContain("| all Ready, s | 50.0 | 40.0 |");
  });

  it("draws without the network", () => {
    const html = picture([herd]);
    expect(html).toContain("new uPlot(");
    expect(html).not.toMatch(/<script[^>]+src=|<link|https?:\/\/[^"\s]+\.(js|css)/);
  });
});
