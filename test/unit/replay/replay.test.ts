import { Readable } from "node:stream";
import fc from "fast-check";
import { expect, it } from "vitest";
import { herdsOf } from "../../../src/recording/herd.ts";
import { scenarioOf } from "../../../src/recording/herd-scenario.ts";
import type { HerdTelemetry } from "../../../src/recording/herd-telemetry.ts";
import { noMachines } from "../../../src/recording/machines.ts";
import { readRecording } from "../../../src/recording/read-recording.ts";
import { type HerdReplay, replayHerd } from "../../../src/replay/replay.ts";
import { jsonReport } from "../../../src/replay/report/json.ts";
import { textReport } from "../../../src/replay/report/text.ts";
import { scenarioFrom } from "../../../src/simulate/scenario/parse.ts";
import { START_MS } from "../recording/audit.ts";
import { file, type Recorded, simulatedLog } from "./simulated-log.ts";

const options = { machines: noMachines, seeds: [1] };

function readWhole(...texts: readonly string[]) {
  const inputs = texts.map((text, at) => ({ name: `input ${at}`, stream: Readable.from([Buffer.from(text)]) }));
  return readRecording(inputs, { nowMs: START_MS + 86_400_000 });
}

const read = async (...texts: readonly string[]) => (await readWhole(...texts)).recording;

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

const telemetry: HerdTelemetry = {
  samples: 12,
  recorded: { awaitP95Ms: 41.3, utilisationMean: 0.83, ioPressureMean: undefined, loadPerCoreMean: 2 },
  disks: new Map([["m5.xlarge", { mibPerSecond: 110, iops: 2_500, samples: 4 }]]),
  unknownNodes: ["young-2.corp"],
};

it("a disk that Prometheus saw saturated is measured; what the user says of it goes before, and tables after", async () => {
  const recording = await read(...textsOf(simulatedLog()));
  const [herd] = herdsOf(recording);
  if (herd === undefined) throw new Error("no herd");
  const diskOf = (more: object) => {
    const { file, origins } = scenarioOf(herd, recording, { machines: noMachines, ...more });
    const [node] = file["nodes"] as readonly { readonly disk: object }[];
    return [node?.disk, origins.disks.get("m5.xlarge")?.from];
  };
  const measured = telemetry.disks;
  const nodes = { default: { disk: { mibPerSecond: 300, iops: 4_000 } } };
  expect(diskOf({})).toEqual([{ mibPerSecond: 125, iops: 3_000 }, "instance type"]);
  expect(diskOf({ measured })).toEqual([{ mibPerSecond: 110, iops: 2_500 }, "measured"]);
  expect(diskOf({ measured, diskMibPerSecond: 90 })).toEqual([{ mibPerSecond: 90, iops: 2_500 }, "given"]);
  expect(diskOf({ measured, machines: { nodes } })).toEqual([{ mibPerSecond: 300, iops: 4_000 }, "given"]);
  expect(diskOf({ measured: new Map([["other", { mibPerSecond: 1, iops: 1, samples: 2 }]]) })[1]).toBe("instance type");
});

it("sizes that CRI-O lists are those of the unpacked images, and containerd's are compressed", async () => {
  const { log, nodes } = simulatedLog();
  const mibOf = async (runtime: string) => {
    const nodeInfo = `$&"nodeInfo":{"containerRuntimeVersion":"${runtime}"},`;
    const recording = await read(log.join("\n"), nodes.replaceAll('"status":{', nodeInfo));
    const [herd] = herdsOf(recording);
    if (herd === undefined) throw new Error("no herd");
    const images = scenarioOf(herd, recording, options).file["images"] as readonly { readonly mib: number }[];
    return images.reduce((sum, { mib }) => sum + mib, 0);
  };
  expect(await mibOf("cri-o://1.31.0")).toBeCloseTo(0.4 * (await mibOf("containerd://2.1.5")), 1);
});

it("how the runtime flushes is recorded where it is containerd, and assumed of every other", async () => {
  const { log, nodes } = simulatedLog();
  const toldOf = async (runtime: string) => {
    const nodeInfo = `"status":{"nodeInfo":{"containerRuntimeVersion":"${runtime}"},`;
    const recording = await read(log.join("\n"), nodes.replaceAll('"status":{', nodeInfo));
    const [herd] = herdsOf(recording);
    if (herd === undefined) throw new Error("no herd");
    return scenarioOf(herd, recording, options).origins.runtime;
  };
  expect(await toldOf("containerd://2.1.5")).toBe("recorded");
  expect(await toldOf("cri-o://1.34.0")).toBe("assumed");
  expect(await toldOf("")).toBe("assumed");
});

it("a pull of which the kubelet does not know the size leaves it unknown: there is no forecast of it", async () => {
  const { log } = simulatedLog();
  const pulls = file.images.map(({ name }) => ({
    ...{ apiVersion: "v1", kind: "Event", reason: "Pulled", type: "Normal", firstTimestamp: "2026-11-24T08:01:00Z" },
    involvedObject: { kind: "Pod", namespace: "finance", name: "payroll-pod-0" },
    message: `Successfully pulled image "${name}" in 1s (1s including waiting). Image size: 0 bytes.`,
  }));
  const events = JSON.stringify({ apiVersion: "v1", kind: "EventList", items: pulls });
  const [herd] = await replay(log.join("\n"), events);
  expect(herd?.forecast).toBeUndefined();
  expect(herd?.reasons.join()).toContain("the sizes of 10 of 10 images are unknown");
});

it("reports what Prometheus recorded beside the model's figures, and names nodes that it does not know", async () => {
  const whole = await readWhole(...textsOf(simulatedLog()));
  const { recording } = whole;
  const [herd] = herdsOf(recording);
  if (herd === undefined) throw new Error("no herd");
  const done = await replayHerd(herd, recording, { ...options, telemetry });
  const { awaitP95Ms = NaN, utilisationMean = NaN } = done.model?.young ?? {};
  // An idle disk has 1 ms. The run goes on for hours for a pod without a place, and those do not count.
  expect(done.model?.notReady).toBe(1);
  expect(awaitP95Ms).toBeGreaterThan(10);
  expect(utilisationMean).toBeGreaterThan(0.1);
  expect(utilisationMean).toBeLessThanOrEqual(1);
  const report = { replays: [done], moreHerds: 0, notes: [] };
  const text = textReport(report);
  expect(text).toMatch(/recorded +41\.3 +83 % +unknown +2\.0/);
  expect(text).toContain("m5.xlarge 110 MiB/s, 2500 IOPS (measured)");
  expect(text).toContain("nothing of these young nodes: young-2.corp.");
  expect(JSON.parse(JSON.stringify(jsonReport(report, whole)))).toMatchObject({
    herds: [{ telemetry: { disks: { "m5.xlarge": { mibPerSecond: 110 } }, unknownNodes: ["young-2.corp"] } }],
  });
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
