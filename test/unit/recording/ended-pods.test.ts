/** A pod that was evicted, preempted or deleted is no failed start, and no sign that the recording ends too early. */
import { Readable } from "node:stream";
import { expect, it } from "vitest";
import { herdsOf } from "../../../src/recording/herd.ts";
import { scenarioOf } from "../../../src/recording/herd-scenario.ts";
import { noMachines } from "../../../src/recording/machines.ts";
import { readRecording } from "../../../src/recording/read-recording.ts";
import { missingParts } from "../../../src/replay/refusal.ts";
import { type Course, line, NODE, nodeJoins, podObject, podStarts, START_MS } from "./audit.ts";

const read = async (...texts: readonly string[]) => {
  const inputs = texts.map((text, at) => ({ name: `input ${at}`, stream: Readable.from([Buffer.from(text)]) }));
  return (await readRecording(inputs, { nowMs: START_MS + 86_400_000 })).recording;
};
const time = (ms: number) => new Date(START_MS + ms).toISOString().replace(/\.\d+Z/, "Z");
const course = (name: string): Course => ({
  ...{ name, createdMs: 1_000, boundMs: 12_500, runningMs: 30_000, readyMs: 31_000 },
});
const courses = Array.from({ length: 20 }, (_, at) => course(`web-${at}`));
const kubelet = `system:node:${NODE}`;
const place = (name: string) => ({ resource: "pods", namespace: "shop", name }) as const;

/** A pod that is bound and never Ready. */
const bound = (name: string) => podStarts(course(name)).slice(0, 2);

const failed = (name: string, reason: string, message = "The node was low on resource: memory. ") => ({
  metadata: { uid: `uid-${name}` },
  status: {
    ...{ phase: "Failed", reason, message },
    containerStatuses: [
      {
        name: "main",
        ready: false,
        restartCount: 0,
        state: { terminated: { exitCode: 137, reason: "ContainerStatusUnknown" } },
      },
    ],
  },
});

const patch = (ms: number, name: string, request: object) =>
  line(ms, { ...place(name), verb: "patch", subresource: "status", user: kubelet, request });

/** What the kubelet says of the pull that it cancels. */
const cancelled = (ms: number, name: string) =>
  line(ms + 300, {
    ...{ verb: "create", resource: "events", namespace: "shop" },
    request: {
      ...{ apiVersion: "v1", kind: "Event", type: "Warning", reason: "Failed" },
      involvedObject: { kind: "Pod", namespace: "shop", name, uid: `uid-${name}`, fieldPath: "spec.containers{main}" },
      message: 'Failed to pull image "registry/app:1": rpc error: code = Canceled desc = context canceled',
      ...{ source: { component: "kubelet", host: NODE }, firstTimestamp: time(ms) },
    },
  });

const preempted = (ms: number) => ({
  conditions: [
    { type: "DisruptionTarget", status: "True", reason: "PreemptionByScheduler", lastTransitionTime: time(ms) },
  ],
});

const ends: readonly (readonly [string, (name: string) => string])[] = [
  ["evicted by its kubelet", (name) => patch(40_600, name, failed(name, "Evicted"))],
  ["preempted by its kubelet for a critical pod", (name) => patch(40_600, name, failed(name, "Preempting"))],
  ["preempted by the scheduler", (name) => patch(40_600, name, { status: preempted(40_600) })],
  ["evicted through the API", (name) => line(40_600, { ...place(name), verb: "create", subresource: "eviction" })],
  ["deleted", (name) => line(40_600, { ...place(name), verb: "delete" })],
];

const joins = nodeJoins(10_000, 12_000, [["registry/app:1", 900]]);

it.each(ends)("%s: what its kubelet cancels then is no failed start", async (_, end) => {
  const [first] = courses;
  if (!first) throw new Error("no pod");
  const before = cancelled(20_000, first.name);
  const { pods } = await read(
    [...joins, ...podStarts(first), before, end(first.name), cancelled(40_600, first.name)].join("\n"),
  );
  expect(pods.map(({ failures }) => failures)).toEqual([{ PullStalled: 1 }]);
  const { pods: alone } = await read(
    [...joins, ...podStarts(first), end(first.name), cancelled(40_600, first.name)].join("\n"),
  );
  expect(alone.map(({ failures }) => failures)).toEqual([{}]);
});

it.each(ends)(
  "%s before it was Ready: it is left out for that, and not as one that the recording lacks",
  async (_, end) => {
    const gone = Array.from({ length: 5 }, (__, at) => `gone-${at}`);
    const log = [...joins, ...courses.flatMap(podStarts), ...gone.flatMap(bound), ...gone.map(end)];
    const recording = await read(log.join("\n"));
    const [herd] = herdsOf(recording);
    if (!herd) throw new Error("no herd");
    expect(herd.leftOut).toEqual({ notReady: 0, noObject: 0, done: 0, ended: 5 });
    const reasons = missingParts(herd, scenarioOf(herd, recording, { machines: noMachines }));
    expect(reasons).toEqual([expect.stringMatching(/^5 of 25 pods were evicted, preempted, deleted or refused/)]);
  },
);

it("a dump's pod that its kubelet evicted or refused is left out for that, whenever it was", async () => {
  const items = ["Evicted", "OutOfcpu", "NodeShutdown"].map((reason) => {
    const name = `gone-${reason}`;
    const { spec, ...object } = podObject(course(name)) as { readonly spec: object };
    return {
      ...object,
      spec: { ...spec, nodeName: NODE },
      ...failed(name, reason),
      metadata: { ...object, name, namespace: "shop", creationTimestamp: time(13_000) },
    };
  });
  const dump = JSON.stringify({ apiVersion: "v1", kind: "List", items });
  const [herd] = herdsOf(await read([...joins, ...courses.flatMap(podStarts)].join("\n"), dump));
  expect(herd?.leftOut).toEqual({ notReady: 0, noObject: 0, done: 0, ended: 3 });
});

it("a pod whose program failed by itself, whose time ran out, or that was deleted a day later, is one that was never Ready", async () => {
  const log = [...joins, ...courses.flatMap(podStarts), ...bound("own"), ...bound("late"), ...bound("slow")];
  const own = patch(40_000, "own", failed("own", "", ""));
  const slow = patch(300_000, "slow", failed("slow", "DeadlineExceeded", "Pod was active longer than specified"));
  const late = line(80_000_000, { ...place("late"), verb: "delete" });
  const [herd] = herdsOf(await read([...log, own, slow, late].join("\n")));
  expect(herd?.leftOut).toEqual({ notReady: 3, noObject: 0, done: 0, ended: 0 });
});

const evicts = (name: string) => ({ ...place(name), verb: "create", subresource: "eviction" }) as const;
const dryRun = { dryRun: ["All"] };
const changed = (text: string, change: object) => JSON.stringify({ ...(JSON.parse(text) as object), ...change });

const noEnds: readonly (readonly [string, (name: string) => readonly string[]])[] = [
  [
    "an eviction that a PodDisruptionBudget refused",
    (name) => [
      changed(line(15_000, evicts(name)), { stage: "RequestReceived", responseStatus: undefined }),
      changed(line(15_000, evicts(name)), { responseStatus: { code: 429 } }),
    ],
  ],
  [
    "a delete of which only the arrival was kept",
    (name) => [
      changed(line(15_000, { ...place(name), verb: "delete" }), {
        stage: "RequestReceived",
        responseStatus: undefined,
      }),
    ],
  ],
  [
    "an eviction as a dry run",
    (name) => [line(15_000, { ...evicts(name), request: { kind: "Eviction", deleteOptions: dryRun } })],
  ],
  ["a delete as a dry run", (name) => [line(15_000, { ...place(name), verb: "delete", request: dryRun })]],
  [
    "a delete as a dry run by its URI",
    (name) => [
      changed(line(15_000, { ...place(name), verb: "delete" }), {
        requestURI: `/api/v1/namespaces/shop/pods/${name}?dryRun=All&propagationPolicy=Background`,
      }),
    ],
  ],
];

it.each(noEnds)("%s ends no pod: its failed starts count, and it was never Ready", async (_, noEnd) => {
  const log = [...joins, ...courses.flatMap(podStarts), ...bound("web"), ...noEnd("web"), cancelled(20_000, "web")];
  const recording = await read(log.join("\n"));
  const pod = recording.pods.find(({ name }) => name === "web");
  expect(pod).toMatchObject({ endedMs: undefined, failures: { PullStalled: 1 } });
  expect(herdsOf(recording)[0]?.leftOut).toEqual({ notReady: 1, noObject: 0, done: 0, ended: 0 });
});

const deletes = (ms: number, name: string, uid?: string) =>
  line(ms, {
    ...{ ...place(name), verb: "delete" },
    request: { kind: "DeleteOptions", ...(uid !== undefined && { preconditions: { uid } }) },
  });

it.each([
  ["without a uid, before the pod was created", [deletes(500, "web")]],
  ["with the uid of another pod, whenever it was", [deletes(15_000, "web", "uid-earlier")]],
  ["before the pod was created, and less than a second before", [deletes(999, "web")]],
])("a delete of an earlier pod of the name, %s: it ends nothing, though it is read later", async (_, [end = ""]) => {
  const log = [...joins, ...courses.flatMap(podStarts), ...bound("web"), cancelled(20_000, "web")].join("\n");
  const recording = await read(log, end);
  const pod = recording.pods.find(({ name }) => name === "web");
  expect(pod).toMatchObject({ endedMs: undefined, failures: { PullStalled: 1 } });
  expect(herdsOf(recording)[0]?.leftOut).toMatchObject({ notReady: 1, ended: 0 });
});

it("a pod's own end counts beside that of an earlier one, by its uid or by when it was", async () => {
  const created = courses.flatMap(podStarts);
  for (const uid of ["uid-web", undefined]) {
    const ends = [deletes(500, "web"), deletes(15_000, "web", uid)].join("\n");
    const recording = await read([...joins, ...created, ...bound("web"), cancelled(20_000, "web")].join("\n"), ends);
    expect(recording.pods.find(({ name }) => name === "web")?.failures).toEqual({});
    expect(herdsOf(recording)[0]?.leftOut).toMatchObject({ notReady: 0, ended: 1 });
  }
});

it("an earlier pod's end is its own, though a later one of the name was read before", async () => {
  const earlier = podStarts({ ...course("web"), uid: "uid-earlier" }).slice(0, 2);
  const later = podStarts({ ...course("web"), createdMs: 50_000, boundMs: 50_500 }).slice(0, 2);
  const { pods } = await read([...joins, ...earlier, ...later].join("\n"), deletes(40_000, "web", "uid-earlier"));
  expect(pods.map(({ uid, endedMs }) => [uid, endedMs])).toEqual([
    ["uid-earlier", START_MS + 40_000],
    ["uid-web", undefined],
  ]);
});
