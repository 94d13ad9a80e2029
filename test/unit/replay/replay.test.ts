import { Readable } from "node:stream";
import fc from "fast-check";
import { expect, it } from "vitest";
import { herdsOf } from "../../../src/recording/herd.ts";
import { scenarioOf } from "../../../src/recording/herd-scenario.ts";
import { noMachines } from "../../../src/recording/machines.ts";
import { readRecording } from "../../../src/recording/read-recording.ts";
import { type HerdReplay, replayHerd } from "../../../src/replay/replay.ts";
import { scenarioFrom } from "../../../src/simulate/scenario/parse.ts";
import { START_MS } from "../recording/audit.ts";
import { type Recorded, simulatedLog } from "./simulated-log.ts";

const options = { machines: noMachines, seeds: [1] };

async function read(...texts: readonly string[]) {
  const inputs = texts.map((text, at) => ({ name: `input ${at}`, stream: Readable.from([Buffer.from(text)]) }));
  return (await readRecording(inputs, { nowMs: START_MS + 86_400_000 })).recording;
}

async function replay(...texts: readonly string[]): Promise<readonly HerdReplay[]> {
  const recording = await read(...texts);
  return Promise.all(herdsOf(recording).map((herd) => replayHerd(herd, recording, options)));
}

const textsOf = ({ log, nodes }: Recorded) => [log.join("\n"), nodes] as const;

it("rebuilds all pods of a herd, and the model then gives what was recorded", async () => {
  const recorded = simulatedLog();
  const [herd, ...more] = await replay(...textsOf(recorded));
  expect(more).toEqual([]);
  expect(herd?.herd.pods).toHaveLength(recorded.pods);
  expect(herd?.herd.nodes).toHaveLength(3);
  expect(herd?.recorded.allReadySeconds).toBeCloseTo(recorded.allReadySeconds, 1);
  expect(herd?.reasons).toEqual([]);
  expect(herd?.check?.off).toBeLessThan(0.1);
  expect(herd?.forecast?.given.notReady).toBe(0);
});

it("a recording that took three times as long as its disk explains gets no forecast, but the unknowns that matter", async () => {
  const [herd] = await replay(...textsOf(simulatedLog(3)));
  expect(herd?.forecast).toBeUndefined();
  expect(herd?.reasons.join()).toContain("not to be trusted");
  expect(herd?.check?.off).toBeGreaterThan(0.25);
  expect(herd?.sensitivity[0]?.moves).toBeGreaterThan(0.25);
});

it("without the sizes of its images a herd gets no forecast, and the cure is told", async () => {
  const [herd] = await replay(simulatedLog().log.join("\n"));
  expect(herd?.forecast).toBeUndefined();
  expect(herd?.reasons.join()).toContain("kubectl get nodes -o json");
});

it("a recording that ends before its herd gets no forecast", async () => {
  const { log, nodes } = simulatedLog();
  const [herd] = await replay(log.slice(0, log.length * 0.7).join("\n"), nodes);
  expect(herd?.forecast).toBeUndefined();
  expect(herd?.reasons.join()).toContain("never Ready in the recording");
});

it("what helps is ranked: images that are there before start no pod later than nothing does", async () => {
  const [herd] = await replay(...textsOf(simulatedLog()));
  const ranking = herd?.forecast?.ranking ?? [];
  const meanOf = (name: string) => ranking.find((one) => one.name === name)?.figures.meanReadySeconds ?? NaN;
  expect(meanOf("images there before (prewarm)")).toBeLessThan(meanOf("nothing") / 2);
  expect(meanOf("gp3 at 300 MiB/s")).toBeLessThanOrEqual(meanOf("gp3 at 200 MiB/s"));
  expect(meanOf("gp3 at 200 MiB/s")).toBeLessThan(meanOf("nothing"));
});

it("a shared scenario has no name of the recording in it, and simulate takes it", async () => {
  const recording = await read(...textsOf(simulatedLog()));
  const [herd] = herdsOf(recording);
  if (herd === undefined) throw new Error("no herd");
  const { file } = scenarioOf(herd, recording, { ...options, anonymous: true });
  const text = JSON.stringify(file);
  for (const name of ["corp", "secret", "payroll", "agent", "finance", "young", "m5", "2026"]) {
    expect(text).not.toContain(name);
  }
  expect(scenarioFrom(file).ok).toBe(true);
});

it("any recording cut anywhere never fails, and has a forecast only of pods whose course and images were read", async () => {
  const whole = simulatedLog();
  const [log, nodes] = textsOf(whole);
  const both = `${log}\n${nodes}`;
  await fc.assert(
    fc.asyncProperty(fc.nat(both.length), fc.nat(both.length), async (one, other) => {
      const [from, to] = [Math.min(one, other), Math.max(one, other)];
      const recording = await read(both.slice(from, to));
      for (const herd of herdsOf(recording)) {
        const { forecast, built } = await replayHerd(herd, recording, options);
        if (forecast === undefined) continue;
        expect(built.podsOfUnknownSize).toBeLessThanOrEqual(0.05 * herd.pods.length);
        expect(herd.leftOut.notReady).toBeLessThanOrEqual(0.06 * herd.pods.length);
      }
    }),
    { numRuns: 25, examples: [[0, both.length]] },
  );
});
