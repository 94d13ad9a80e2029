import { Readable } from "node:stream";
import { stringify } from "yaml";
import { expect, it } from "vitest";
import { readRecording } from "../../../src/recording/read-recording.ts";
import { type Course, line, NODE, nodeJoins, podObject, podStarts, START_MS } from "./audit.ts";

const read = async (...texts: readonly string[]) => {
  const inputs = texts.map((text, at) => ({ name: `input ${at}`, stream: Readable.from([Buffer.from(text)]) }));
  return (await readRecording(inputs, { nowMs: START_MS })).recording;
};
const pod: Course = {
  name: "web-1",
  createdMs: 1_100,
  boundMs: 12_200,
  runningMs: 30_300,
  startedMs: 30_900,
  readyMs: 31_400,
};

it("an audit log gives each pod's course to the millisecond, with what its template says", async () => {
  const recording = await read([...nodeJoins(10_000, 12_000), ...podStarts(pod)].join("\n"));
  expect(recording.pods).toEqual([
    {
      ...{
        namespace: "shop",
        name: "web-1",
        uid: "uid-web-1",
        node: NODE,
        isEnded: false,
        endedMs: undefined,
        initSeconds: undefined,
      },
      createdMs: START_MS + 1_100,
      boundMs: START_MS + 12_200,
      runningMs: START_MS + 30_300,
      startedMs: START_MS + 30_900,
      readyMs: START_MS + 31_400,
      gated: false,
      isDone: false,
      failures: {},
      shape: {
        owner: "Deployment/web",
        images: ["registry/app:1"].map((name) => `docker.io/${name}`),
        initImages: [],
        requests: { cpu: 50, memory: 40 * 2 ** 20, pods: 1 },
        priority: 0,
        toleratesEverything: false,
        hasStartupProbe: false,
        hasPlacementRules: false,
      },
    },
  ]);
});

it("an audit log gives a node's type, size, when it opened, and which images it had by then", async () => {
  const { nodes, imageBytes } = await read(
    nodeJoins(10_000, 12_300, [
      ["registry/base:1", 500],
      ["registry/app:1", 900],
    ]).join("\n"),
  );
  expect(nodes).toMatchObject([
    {
      name: NODE,
      instanceType: "m5.xlarge",
      capacity: { cpu: 4_000, pods: 110 },
      allocatable: { cpu: 3_920, pods: 58 },
      runtime: "containerd://2.1.5",
      createdMs: START_MS + 10_000,
      openedMs: START_MS + 12_300,
      presentAtOpen: new Set(["docker.io/registry/base:1"]),
    },
  ]);
  expect(imageBytes.get("docker.io/registry/app:1")).toBe(900);
});

it("the fast path leaves out nothing of a pod's course, whatever was read before it", async () => {
  const pods = Array.from({ length: 30 }, (_, at) => ({ ...pod, name: `web-${at}`, readyMs: 40_000 + at }));
  const recording = await read(pods.flatMap(podStarts).join("\n"));
  expect(recording.pods.map(({ readyMs }) => readyMs)).toEqual(pods.map(({ readyMs }) => START_MS + readyMs));
});

it("a dump gives the same course in whole seconds, as JSON and as YAML", async () => {
  const at = (ms: number) => new Date(START_MS + ms).toISOString().replace(/\.\d+Z/, "Z");
  const object = {
    ...podObject(pod),
    spec: { nodeName: NODE, containers: [{ name: "main", image: "registry/app:1" }] },
    status: {
      conditions: [
        { type: "PodScheduled", status: "True", lastTransitionTime: at(12_200) },
        { type: "Ready", status: "True", lastTransitionTime: at(31_400) },
      ],
      containerStatuses: [{ name: "main", state: { running: { startedAt: at(30_300) } } }],
    },
  };
  const list = { apiVersion: "v1", kind: "List", items: [object] };
  for (const text of [JSON.stringify(list, undefined, 2), stringify(list)]) {
    const { pods } = await read(text);
    expect(pods).toMatchObject([
      { node: NODE, createdMs: START_MS + 1_000, boundMs: START_MS + 12_000, runningMs: START_MS + 30_000 },
    ]);
    expect(pods[0]?.readyMs).toBe(START_MS + 31_000);
  }
});

it("an audit log beside a dump keeps its exact times, whichever is read first", async () => {
  const dump = JSON.stringify({ apiVersion: "v1", kind: "List", items: [podObject(pod)] });
  const log = podStarts(pod).join("\n");
  for (const texts of [
    [dump, log],
    [log, dump],
  ]) {
    const { pods } = await read(...texts);
    expect(pods.map(({ createdMs }) => createdMs)).toEqual([START_MS + 1_100]);
  }
});

it("a pod that got another one's name is another pod", async () => {
  const again = { ...pod, uid: "uid-2", createdMs: 200_000, boundMs: 200_500, runningMs: 201_000, readyMs: 202_000 };
  const { pods } = await read([...podStarts(pod), ...podStarts(again)].join("\n"));
  expect(pods.map(({ uid, readyMs }) => [uid, readyMs])).toEqual([
    ["uid-web-1", START_MS + 31_400],
    ["uid-2", START_MS + 202_000],
  ]);
});

const pullOf = (rest: string) => ({
  ...{ apiVersion: "v1", kind: "Event", reason: "Pulled", type: "Normal" },
  involvedObject: { kind: "Pod", namespace: "shop", name: "web-1" },
  message: `Successfully pulled image "registry/app:1"${rest}`,
  ...{ source: { component: "kubelet", host: NODE }, firstTimestamp: "2026-11-24T08:01:00Z" },
});

it.each([
  ["", undefined],
  [" in 1.5s", 1.5],
  [" in 1.5s (4.25s including waiting)", 1.5],
  [" in 1.5s (4.25s including waiting). Image size: 0 bytes.", 1.5],
  [" in 1.5s (4.25s including waiting). Image size: <nil> bytes.", 1.5],
  [" in 1.5s (4.25s including waiting). Image size: 12 MB.", 1.5],
])("a pull Event of which the message ends with %j tells no size, and none is guessed", async (rest, seconds) => {
  const { pulls, imageBytes } = await read(
    JSON.stringify({ apiVersion: "v1", kind: "EventList", items: [pullOf(rest)] }),
  );
  expect(pulls).toMatchObject([{ image: "docker.io/registry/app:1", bytes: undefined, seconds }]);
  expect(imageBytes).toEqual(new Map());
});

it("pull Events tell image, bytes and seconds, once each", async () => {
  const event = {
    apiVersion: "v1",
    kind: "Event",
    involvedObject: { kind: "Pod", namespace: "shop", name: "web-1" },
    reason: "Pulled",
    type: "Normal",
    message:
      'Successfully pulled image "registry/app:1" in 1m2.5s (1m10s including waiting). Image size: 123456 bytes.',
    source: { component: "kubelet", host: NODE },
    firstTimestamp: "2026-11-24T08:01:00Z",
  };
  const list = JSON.stringify({ apiVersion: "v1", kind: "EventList", items: [event, event] });
  const logged = line(61_000, { verb: "create", resource: "events", namespace: "shop", request: event });
  const { pulls, imageBytes } = await read(list, logged);
  expect(pulls).toEqual([
    {
      image: "docker.io/registry/app:1",
      ...{ node: NODE, pod: "shop/web-1", endMs: START_MS + 60_000, bytes: 123_456, seconds: 62.5 },
    },
  ]);
  expect(imageBytes.get("docker.io/registry/app:1")).toBe(123_456);
});
