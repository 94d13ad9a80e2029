/** The demo's verdict: each broken promise is named and leads to exit code 1. */
import { describe, expect, it } from "vitest";
import { type DemoResult, type HerdResult, shortcomings, table } from "../../../../dev/demo/table.ts";

const herd = (given: Partial<HerdResult> = {}): HerdResult => ({
  startErrors: 0,
  byFingerprint: {},
  restarts: 0,
  makespanSeconds: 60,
  ratioToBound: 1.05,
  meanReadySeconds: 25,
  peakInStartup: 8,
  peakInStartupSettled: 3,
  peakAwaitMs: 40,
  longestHoldSeconds: 40,
  readySeconds: [5, 30, 60],
  ...given,
});
const unpaced = herd({
  startErrors: 90,
  byFingerprint: { NamespacePathProc0: 40, PullQPSExceeded: 50 },
  makespanSeconds: 70,
  meanReadySeconds: 50,
});
const result = (paced: Partial<HerdResult> = {}, without = unpaced): DemoResult => ({
  herd: "bare",
  unpaced: without,
  paced: herd(paced),
  diskBoundSeconds: 57,
});

describe("the demo's verdict", () => {
  it("finds no problem if pacing helped", () => {
    expect(shortcomings(result())).toEqual([]);
  });

  it.each([
    ["a start failed", { startErrors: 1 }, /1 starts failed/],
    ["it took longer", { makespanSeconds: 70.1 }, /longer/],
    ["the mean is not much lower", { meanReadySeconds: 42.6 }, /0\.85/],
    ["the disks were idle", { ratioToBound: 1.26 }, /1\.25/],
  ])("names what is wrong where %s with Paceline", (_case, paced, message) => {
    expect(shortcomings(result(paced))).toEqual([expect.stringMatching(message)]);
  });

  it("asks of the ordinary cluster that nothing fails and nothing takes longer, not how busy its disks are", () => {
    const ordinary = (paced: Partial<HerdResult>) => shortcomings({ ...result(paced), herd: "ordinary" });
    expect(ordinary({ ratioToBound: 2, meanReadySeconds: 50 })).toEqual([]);
    expect(ordinary({ meanReadySeconds: 50.1 })).toEqual([expect.stringMatching(/mean time to Ready was longer/)]);
    expect(ordinary({ startErrors: 1 })).toEqual([expect.stringMatching(/1 starts failed/)]);
  });

  it("proves nothing if the herd does no harm", () => {
    expect(shortcomings(result({}, { ...unpaced, startErrors: 0 }))).toEqual([expect.stringMatching(/proves nothing/)]);
  });

  it("prints every figure of both runs", () => {
    const text = table(result());
    for (const figure of ["NamespacePathProc0 40", "70.0", "60.0", "1.05", "25.0", "57.0 s"])
      expect(text).toContain(figure);
  });
});
