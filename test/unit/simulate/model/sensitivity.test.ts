/** The verdicts do not depend on a guess: they must hold with each assumption halved or raised by half. */
import { describe, expect, test } from "vitest";
import { assumedDefaults, GIB } from "../../../../src/simulate/model/constants.ts";
import { seededRandom } from "../../../../src/simulate/model/random.ts";
import type { HerdResult } from "./herd.ts";
import { runHerd } from "./herd.ts";
import type { ObservedHerd } from "./real-herds.ts";
import { harsh, mild } from "./real-herds.ts";

const seeds = [1, 2, 3];
/** The largest deviation of a varied model from the measured makespans and means. Without variation it is 20 %. */
const TOLERANCE = 0.25;

const names = Object.keys(assumedDefaults) as (keyof typeof assumedDefaults)[];
const variations = names.flatMap((name) => [0.5, 1.5].map((factor) => ({ name, factor })));

/** The gp3 herd of docs/model.md. */
const gp3Images = Array.from({ length: 40 }, (_, at) => ({
  name: `example.com/app-${at}:1`,
  mib: at % 3 === 0 ? 280 : 70,
  layers: at % 3 === 0 ? 2 : 1,
}));
const gp3Pods = gp3Images.map(({ name }, at) => ({
  uid: `pod-${at}`,
  namespace: "default",
  name: `pod-${at}`,
  containers: [{ name: "main", image: name }],
  startCpuSeconds: 0.5,
}));

const failedStarts = ({ failures }: HerdResult): number =>
  (failures.StartError ?? 0) + (failures.CreateTimeout ?? 0) + (failures.SandboxTimeout ?? 0);
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

describe.each(variations)("$name × $factor", ({ name, factor }) => {
  const assumptions = { [name]: assumedDefaults[name] * factor };
  const observed = (herd: ObservedHerd, inStartup: number) =>
    seeds.map((seed) => runHerd({ ...herd.options(seed), assumptions }, herd.pods, inStartup));
  const gp3 = (inStartup: number) =>
    seeds.map((seed) =>
      runHerd(
        {
          startMs: 0,
          random: seededRandom(seed),
          disk: { mibPerSecond: 125, iops: 3_000 },
          memoryBytes: 4 * GIB,
          kubelet: { serializeImagePulls: false },
          images: gp3Images,
          assumptions,
        },
        gp3Pods,
        inStartup,
      ),
    );

  test("the observed herds still have their times, and failures where they were observed", () => {
    for (const herd of [harsh, mild]) {
      for (const { inStartup, makespanSeconds, meanReadySeconds } of herd.observed) {
        const runs = observed(herd, inStartup);
        for (const run of runs) {
          expect(Math.abs(run.makespanSeconds / makespanSeconds - 1)).toBeLessThan(TOLERANCE);
          expect(Math.abs(run.meanReadySeconds / meanReadySeconds - 1)).toBeLessThan(TOLERANCE);
        }
        expect(sum(runs.map(failedStarts)) > 0).toBe(herd === harsh && inStartup === Infinity);
      }
    }
  });

  test("the herd on gp3 fails all at once but never with eight in startup, which takes no longer", () => {
    const herd = gp3(Infinity);
    const paced = gp3(8);
    expect(sum(herd.map(failedStarts))).toBeGreaterThan(0);
    expect(sum(paced.map(failedStarts))).toBe(0);
    for (const [at, run] of paced.entries()) {
      expect(run.makespanSeconds).toBeLessThan(1.02 * (herd[at]?.makespanSeconds ?? 0));
      expect(run.meanReadySeconds).toBeLessThan(0.85 * (herd[at]?.meanReadySeconds ?? 0));
    }
  });
});
