/** A long run in pieces: finished rounds are kept, and missing ones are run. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { outcomeOf } from "../../../../bench/real-node/outcome.ts";
import {
  finishedRound,
  forgetRounds,
  keepRound,
  keptRounds,
  type Round,
  roundsOf,
  whereMade,
} from "../../../../bench/real-node/rounds.ts";
import { settings } from "../../../../bench/real-node/settings.ts";
import { timeline } from "../../../../bench/real-node/timeline.ts";

const where = { measured: "2026-11-29", cores: 2, load: 1 };
const harsh: Round = { setting: settings.harsh, strategy: "paceline", round: 1 };
const outcome = outcomeOf({
  setting: "harsh",
  strategy: "paceline",
  round: 1,
  readySeconds: [3, 5],
  pods: 3,
  byFingerprint: {},
  containerdLog: "",
  restarts: 0,
  peakInStartup: 2,
  looks: [],
});

describe("rounds", () => {
  let out: string;
  beforeEach(() => {
    out = mkdtempSync(join(tmpdir(), "paceline-rounds-"));
  });
  afterEach(() => rmSync(out, { recursive: true }));

  it("alternate between the strategies, setting by setting", () => {
    const names = roundsOf([settings.harsh, settings.mild], ["all-at-once", "paceline"], 2).map(
      ({ setting, strategy, round }) => `${setting.name} ${strategy} ${String(round)}`,
    );
    expect(names).toEqual([
      ...["harsh all-at-once 1", "harsh paceline 1", "harsh all-at-once 2", "harsh paceline 2"],
      ...["mild all-at-once 1", "mild paceline 1", "mild all-at-once 2", "mild paceline 2"],
    ]);
  });

  it("are read back unchanged, also a pod that never became Ready", () => {
    keepRound(out, harsh, { outcome, where });
    expect(finishedRound(out, harsh)).toMatchObject({ readyPods: 2, firstReady: 3, allReady: Infinity });
  });

  it("were made on the last of their days, under the highest load of them", () => {
    keepRound(out, harsh, { outcome, where });
    keepRound(out, { ...harsh, round: 2 }, { outcome, where: { ...where, measured: "2026-11-30", load: 0.5 } });
    expect(whereMade(keptRounds(out))).toEqual({ measured: "2026-11-30", cores: 2, load: 1 });
  });

  it("are missing where an earlier version kept them, which did not note where they were made", () => {
    keepRound(out, harsh, { outcome } as Parameters<typeof keepRound>[2]);
    expect([finishedRound(out, harsh), keptRounds(out)]).toEqual([undefined, []]);
  });

  it("are missing if they have not run, if the setting has changed, and when a new run begins", () => {
    keepRound(out, harsh, { outcome, where });
    expect(finishedRound(out, { ...harsh, round: 2 })).toBeUndefined();
    expect(finishedRound(out, { ...harsh, setting: { ...settings.harsh, iops: 1 } })).toBeUndefined();
    forgetRounds(out);
    expect(finishedRound(out, harsh)).toBeUndefined();
  });
});

describe("the timeline", () => {
  const look = { awaitMs: 80, utilisation: 0.5, writtenBytes: 30e6, dirtyBytes: 500e6, ready: 3, inStartup: 2 };

  it("shows Paceline's decisions beside the disk's figures, second by second", () => {
    const decision = { second: 1.5, limit: 6, reserved: 1, bytesInFlight: 7e6, drainSeconds: 4.25, limitMove: "grew" };
    const lines = timeline(
      [
        { second: 1, ...look },
        { second: 2, ...look },
      ],
      [decision],
    ).split("\n");
    expect(lines[0]?.split("\t")).toHaveLength(12);
    expect(lines[1]).toBe("1\t3\t2\t0.50\t30\t80\t500\t\t\t\t\t");
    expect(lines[2]).toBe("2\t3\t2\t0.50\t30\t80\t500\t6\t1\t7\t4.3\tgrew");
  });
});
