/**
 * The model against the real node, for two observed herds (docs/model.md has the table). Makespan and mean time to
 * Ready are within 20 %. For failures, only "some" or "none" is compared, since equal real runs differed in their
 * counts.
 */
import { describe, expect, test } from "vitest";
import { runHerd } from "./herd.ts";
import { harsh, mild } from "./real-herds.ts";

const TOLERANCE = 0.2;
const seeds = [1, 2, 3, 4, 5];
const diskFailures = ["StartError", "CreateTimeout", "NameReserved", "SandboxTimeout"] as const;

describe.each([harsh, mild])("$name herd", (herd) => {
  describe.each(herd.observed)("$inStartup in startup", ({ inStartup, makespanSeconds, meanReadySeconds }) => {
    const runs = seeds.map((seed) => runHerd(herd.options(seed), herd.pods, inStartup));

    test("makespan and mean time to Ready are within 20 % of the measured ones", () => {
      for (const run of runs) {
        expect(Math.abs(run.makespanSeconds / makespanSeconds - 1)).toBeLessThan(TOLERANCE);
        expect(Math.abs(run.meanReadySeconds / meanReadySeconds - 1)).toBeLessThan(TOLERANCE);
      }
    });

    test("starts fail exactly where failures were observed", () => {
      const failsForReal = herd === harsh && inStartup === Infinity;
      for (const { failures } of runs) {
        const failed = diskFailures.reduce((sum, fingerprint) => sum + (failures[fingerprint] ?? 0), 0);
        if (failsForReal) expect(failures.CreateTimeout).toBeGreaterThan(0);
        else expect(failed).toBe(0);
      }
    });

    test("pull QPS is exceeded only by all at once", () => {
      for (const { failures } of runs) expect((failures.PullQpsExceeded ?? 0) > 0).toBe(inStartup === Infinity);
    });
  });
});

test("await is about as measured: 189 and 223 ms on the mean, 562 ms at the 95th percentile", () => {
  const paced = runHerd(harsh.options(1), harsh.pods, 6);
  const herd = runHerd(harsh.options(1), harsh.pods, Infinity);
  expect(paced.meanAwaitMs).toBeGreaterThan(223 / 2);
  expect(herd.meanAwaitMs).toBeLessThan(189 * 2);
  expect(herd.peakAwaitMs).toBeLessThan(562 * 1.2);
});
