/** From a recording to images and what they bring: with a recording whose truth is known. */
import { Readable } from "node:stream";
import fc from "fast-check";
import { expect, it } from "vitest";
import { demandOf } from "../../../src/prewarm/demand.ts";
import { prewarm, type PrewarmOptions } from "../../../src/prewarm/prewarm.ts";
import { jsonReport, tableReport } from "../../../src/prewarm/report.ts";
import { noMachines } from "../../../src/recording/machines.ts";
import { readRecording } from "../../../src/recording/read-recording.ts";
import type { Recording } from "../../../src/recording/recording.ts";
import { START_MS } from "../recording/audit.ts";
import { file, simulatedLog } from "../replay/simulated-log.ts";

const GIB = 1_024 ** 3;
const options: PrewarmOptions = { budgetBytes: GIB, machines: noMachines };

async function read(...texts: readonly string[]): Promise<Recording> {
  const inputs = texts.map((text, at) => ({ name: `input ${at}`, stream: Readable.from([Buffer.from(text)]) }));
  return (await readRecording(inputs, { nowMs: START_MS + 86_400_000 })).recording;
}

const { log, nodes: nodeList } = simulatedLog();

it("counts for each image the young nodes that fetched it, and the pods that waited", async () => {
  const [demand, ...more] = demandOf(await read(log.join("\n"), nodeList));
  expect(more).toEqual([]);
  expect(demand).toMatchObject({ className: "m5.xlarge", nodes: 3 });
  expect(demand?.images.map(({ ref }) => ref).sort()).toEqual(file.images.map(({ name }) => name).sort());
  const agent = demand?.images.find(({ ref }) => ref === "registry.corp/secret-9:1");
  expect(agent).toMatchObject({ nodes: 3, podsWaited: 3 });
  // 4 pods of each workload, all created before the nodes opened.
  for (const { ref, podsWaited, nodes } of demand?.images ?? []) {
    expect(podsWaited, ref).toBeLessThanOrEqual(4);
    expect(nodes, ref).toBeGreaterThanOrEqual(1);
  }
});

it("with room for all, all images are chosen, and the forecast is better for the first herd and on average", async () => {
  const [all] = await prewarm(await read(log.join("\n"), nodeList), options);
  expect(all?.chosen.map(({ ref }) => ref).sort()).toEqual(file.images.map(({ name }) => name).sort());
  expect(all?.leftOut).toEqual([]);
  expect(all?.reasons).toEqual([]);
  const { firstHerd, meanOfHerds, herds } = all?.forecast ?? {};
  expect(herds).toBe(1);
  expect(meanOfHerds).toEqual(firstHerd);
  expect(firstHerd?.prewarmed.meanReadySeconds).toBeLessThan((firstHerd?.asRecorded.meanReadySeconds ?? 0) / 2);
});

it("stays within the budget, and says why each other image is left out", async () => {
  const budgetBytes = 60 * 1_048_576;
  const [all] = await prewarm(await read(log.join("\n"), nodeList), { ...options, budgetBytes });
  const bytes = (all?.chosen ?? []).reduce((sum, one) => sum + one.bytes, 0);
  expect(all?.chosen.length).toBeGreaterThan(0);
  expect(bytes).toBeLessThanOrEqual(budgetBytes);
  expect((all?.chosen.length ?? 0) + (all?.leftOut.length ?? 0)).toBe(file.images.length);
  for (const { demand, why } of all?.leftOut ?? [])
    expect(why).toBe((demand.bytes ?? 0) > budgetBytes ? "largerThanBudget" : "savesLess");
});

it("images whose size nothing tells are never chosen, and the cure is told", async () => {
  const [all] = await prewarm(await read(log.join("\n")), options);
  expect(all?.chosen).toEqual([]);
  expect(all?.forecast).toBeUndefined();
  expect(tableReport(all ? [all] : [], GIB)).toContain("size unknown (add the output of kubectl get nodes -o json)");
});

it("a herd for which the model is off is not simulated: the choice is by count, and says so", async () => {
  const slow = simulatedLog(3);
  const [all] = await prewarm(await read(slow.log.join("\n"), slow.nodes), options);
  expect(all?.forecast).toBeUndefined();
  expect(all?.reasons.join()).toMatch(/the model is \d+ % off/);
  expect(all?.chosen.length).toBe(file.images.length);
  expect(tableReport(all ? [all] : [], GIB)).toContain("No forecast: chosen by what was counted alone.");
});

it("sizes that CRI-O lists are told as unpacked, for people, for programs and in every format", async () => {
  const nodeInfo = '"status":{"nodeInfo":{"containerRuntimeVersion":"cri-o://1.34.0"},';
  const classes = await prewarm(await read(log.join("\n"), nodeList.replaceAll('"status":{', nodeInfo)), options);
  const table = tableReport(classes, GIB);
  expect(table).toMatch(/images of [\d.]+ GiB unpacked, budget 1\.00 GiB/);
  expect(table).not.toContain("compressed");
  expect(jsonReport(classes, GIB)).toMatchObject({ classes: [{ sizes: "unpacked" }] });
  const containerd = await prewarm(await read(log.join("\n"), nodeList), options);
  expect(tableReport(containerd, GIB)).toMatch(/GiB compressed \(about [\d.]+ GiB on the disk\), budget/);
  expect(jsonReport(containerd, GIB)).toMatchObject({ classes: [{ sizes: "compressed" }] });
});

it("another class than the recording's has no images", async () => {
  expect(await prewarm(await read(log.join("\n"), nodeList), { ...options, className: "c7g.large" })).toEqual([]);
});

it("the digest is the one that kubelets list with the size of the tag, and none where tags moved", async () => {
  const digest = (digit: string) => `registry.corp/secret-0@sha256:${digit.repeat(64)}`;
  const withDigest = (digits: readonly string[]) => {
    const list = JSON.parse(nodeList) as { items: { status: { images: { names: string[] }[] } }[] };
    for (const [at, digit] of digits.entries()) list.items[at]?.status.images[0]?.names.push(digest(digit));
    return JSON.stringify(list);
  };
  const digestOf = async (digits: readonly string[]) =>
    demandOf(await read(log.join("\n"), withDigest(digits)))[0]?.images.find(
      ({ ref }) => ref === "registry.corp/secret-0:1",
    )?.digest;
  expect(await digestOf([])).toBeUndefined();
  expect(await digestOf(["a", "a", "a"])).toBe(`sha256:${"a".repeat(64)}`);
  expect(await digestOf(["a", "b"])).toBeUndefined();
});

it("any recording cut anywhere never fails, and no image is chosen whose size was not read", async () => {
  const both = `${log.join("\n")}\n${nodeList}`;
  await fc.assert(
    fc.asyncProperty(fc.nat(both.length), fc.nat(both.length), async (one, other) => {
      const [from, to] = [Math.min(one, other), Math.max(one, other)];
      const recording = await read(both.slice(from, to));
      const classes = await prewarm(recording, { ...options, budgetBytes: 50 * 1_048_576 });
      for (const { chosen, forecast, reasons } of classes) {
        for (const { ref, bytes } of chosen) expect(recording.imageBytes.get(ref)).toBe(bytes);
        expect(forecast !== undefined || reasons.length > 0).toBe(true);
      }
      expect(typeof tableReport(classes, GIB)).toBe("string");
      expect(JSON.parse(JSON.stringify(jsonReport(classes, GIB)))).toHaveProperty("classes");
    }),
    { numRuns: 25 },
  );
});
