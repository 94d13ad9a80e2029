/** What a reader of a replay must not be led to believe. */
import { Readable } from "node:stream";
import { expect, it } from "vitest";
import { herdsOf } from "../../../src/recording/herd.ts";
import { noMachines } from "../../../src/recording/machines.ts";
import { readRecording } from "../../../src/recording/read-recording.ts";
import type { RecordedPod, Recording } from "../../../src/recording/recording.ts";
import { replayHerd } from "../../../src/replay/replay.ts";
import { textReport } from "../../../src/replay/report/text.ts";
import { verdictOf } from "../../../src/replay/report/words.ts";
import { remedies } from "../../../src/replay/variants.ts";
import { START_MS } from "../recording/audit.ts";
import { simulatedLog } from "./simulated-log.ts";

const options = { machines: noMachines, seeds: [1] };

async function read(...texts: readonly string[]): Promise<Recording> {
  const inputs = texts.map((text, at) => ({ name: `input ${at}`, stream: Readable.from([Buffer.from(text)]) }));
  return (await readRecording(inputs, { nowMs: START_MS + 86_400_000 })).recording;
}

const texts = () => {
  const { log, nodes } = simulatedLog();
  return [log.join("\n"), nodes] as const;
};

async function replayWith(more: (pod: RecordedPod) => Partial<RecordedPod>, count: number) {
  const recording = await read(...texts());
  const [pod] = herdsOf(recording)[0]?.pods ?? [];
  if (!pod) throw new Error("no herd");
  const others = Array.from({ length: count }, (_, at) => ({
    ...pod,
    ...more(pod),
    name: `other-${at}`,
    uid: `o${at}`,
  }));
  const whole = { ...recording, pods: [...recording.pods, ...others] };
  const [herd] = herdsOf(whole);
  if (!herd) throw new Error("no herd");
  return replayHerd(herd, whole, options);
}

it("pods of the herd that were never bound are not all Ready", async () => {
  const unready = { node: "", boundMs: undefined, runningMs: undefined, startedMs: undefined, readyMs: undefined };
  const replay = await replayWith(() => unready, 200);
  expect(replay.forecast).toBeUndefined();
  expect(verdictOf(replay)).toMatch(/^\d+ of \d+ pods were Ready, the last after .* 200 of \d+ pods are never Ready/);
});

it("Jobs that ended loaded the node: without them there is no forecast", async () => {
  const replay = await replayWith(() => ({ isDone: true, readyMs: undefined }), 200);
  expect(replay.forecast).toBeUndefined();
  expect(replay.reasons.join()).toContain("200 of");
  expect(replay.reasons.join()).toContain("as Jobs do");
});

it("which file is read first makes no difference", async () => {
  const [log, nodes] = texts();
  const [one, other] = [await read(log, nodes), await read(nodes, log)];
  expect(other.imageBytes).toEqual(one.imageBytes);
  expect(other.nodes.map(({ name, images, presentAtOpen }) => [name, images, presentAtOpen])).toEqual(
    one.nodes.map(({ name, images, presentAtOpen }) => [name, images, presentAtOpen]),
  );
});

it("no control character of a label reaches the terminal", async () => {
  const [log, nodes] = texts();
  const hostile = (text: string) => text.replaceAll("m5.xlarge", "m5\\u001b[31m\\u202e");
  const recording = await read(hostile(log), hostile(nodes));
  const replays = await Promise.all(herdsOf(recording).map((herd) => replayHerd(herd, recording, options)));
  expect(replays[0]?.herd.nodes[0]?.instanceType).toContain("\u001b");
  const report = textReport({ replays, moreHerds: 0, notes: [] });
  expect(report).not.toMatch(/[\u001b\u202e]/);
  expect(report).toContain("m5?[31m?");
});

it("a pull limit that is higher already is no remedy", () => {
  const pulls = remedies.find(({ name }) => name.includes("registryPullQPS"));
  for (const registryPullQPS of [0, 10, 50]) {
    const file = { kubelet: { registryPullQPS } };
    expect(pulls?.change(file)).toEqual(file);
  }
  expect(pulls?.change({ kubelet: { registryPullQPS: 5 } })).toMatchObject({ kubelet: { registryPullQPS: 10 } });
});
