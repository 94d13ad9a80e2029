/** Pods that wait: for volumes, for init containers, for another pod, for a startup probe. */
import { expect, test } from "vitest";
import { MIB } from "../../../../src/simulate/model/constants.ts";
import type { NodeEvent } from "../../../../src/simulate/model/types.ts";
import { plainNode, podOf, run } from "./one-node.ts";

const images = [
  { name: "web", mib: 100, layers: 1, compressedRatio: 0.5 },
  { name: "tools", mib: 100, layers: 1, compressedRatio: 0.5 },
];
const initOf = (...init: { runSeconds?: number; waitsFor?: string }[]) => ({
  initContainers: init.map((one, at) => ({ name: `init${at}`, image: "tools", init: one })),
});

/** The pod's statuses in a few letters: sandbox, init containers, containers; each w(aiting), r(unning), s(tarted). */
const story = (events: readonly NodeEvent[]) =>
  events.flatMap((event) => {
    if (event.kind !== "status") return [];
    const { sandboxReady, initContainers, containers } = event.status;
    const letters = [...initContainers, ...containers].map(({ state, started }) =>
      state.kind === "running" && started ? "s" : state.kind.charAt(0),
    );
    return [`${Math.round(event.atMs / 100) / 10} ${sandboxReady ? "+" : "-"}${letters.join("")}`];
  });
const unlikeTheOneBefore = (lines: readonly string[]) =>
  lines.filter((line, at) => line.split(" ")[1] !== lines[at - 1]?.split(" ")[1]);

test("a container runs, not started, until its startup probe passes, and costs neither disk nor cores", () => {
  const node = plainNode({ images, present: ["web"] });
  node.addPod(podOf("a", "web", { startCpuSeconds: 2, startupProbeSeconds: 120, readySeconds: 5 }), 0);
  const { events, readySeconds } = run(node);
  expect(unlikeTheOneBefore(story(events))).toEqual(["0 -w", "0 +w", "0 +r", "122 +s"]);
  expect(readySeconds("a")).toBe(127);
  const { cpuMs, disk } = node.counters(130_000);
  expect(cpuMs).toBeCloseTo(2_000);
  expect(disk.writtenBytes).toBe(0);
});

test("a startup probe's deadline kills a container whose probe would pass too late", () => {
  const node = plainNode({ images, present: ["web"] });
  node.addPod(podOf("a", "web", { startupProbeSeconds: 60, startupDeadlineSeconds: 30 }), 0);
  const { messages, readySeconds } = run(node, 300);
  expect(readySeconds("a")).toBeUndefined();
  expect(messages("a")).toContainEqual(expect.stringContaining("Unhealthy"));
});

test("init containers run one after another, and the app's image is pulled when its turn comes", () => {
  const node = plainNode({ images });
  node.addPod(podOf("a", "web", initOf({ runSeconds: 10 }, { runSeconds: 20 })), 0);
  const { events, messages, view } = run(node);
  const pulled = messages("a").filter((line) => line.startsWith("Pulling"));
  expect(pulled).toEqual(['Pulling: Pulling image "tools"', 'Pulling: Pulling image "web"']);
  const states = unlikeTheOneBefore(story(events)).map((line) => line.split(" ")[1]);
  expect(states).toEqual(["-www", "+www", "+sww", "+tww", "+tsw", "+ttw", "+tts"]);
  const pullsWeb = events.find((event) => event.kind === "event" && event.message === 'Pulling image "web"');
  const secondsOfInit = (pullsWeb?.atMs ?? 0) / 1_000;
  expect(secondsOfInit).toBeGreaterThan(32); // both runs, each seen a relist later
  expect(secondsOfInit).toBeLessThan(36);
  expect(view("a")?.initContainers[0]?.state).toMatchObject({ kind: "terminated", reason: "Completed", exitCode: 0 });
  expect(node.counters(60_000).disk.writtenBytes).toBeGreaterThanOrEqual(200 * MIB);
});

test("with init containers, whatever waits without a reason of its own waits with PodInitializing", () => {
  const node = plainNode({ images, present: ["web", "tools"] });
  node.addPod(podOf("a", "web", initOf({ runSeconds: 10 })), 0);
  node.addPod(podOf("b", "web"), 0);
  const { events } = run(node, 5);
  const reasons = (uid: string) =>
    events.flatMap((event) =>
      event.kind === "status" && event.uid === uid
        ? [...event.status.initContainers, ...event.status.containers].flatMap(({ state }) =>
            state.kind === "waiting" ? [state.reason] : [],
          )
        : [],
    );
  expect(new Set(reasons("uid-a"))).toEqual(new Set(["PodInitializing"]));
  expect(new Set(reasons("uid-b"))).toEqual(new Set(["ContainerCreating"]));
});

test("an init container waits for another workload, and a pod that comes later does not", () => {
  const node = plainNode({ images, present: ["web", "tools"] });
  node.addPod(podOf("a", "web", initOf({ waitsFor: "db" })), 0);
  expect(run(node, 500).view("a")).toMatchObject({ initialized: false, phase: "Pending", ready: false });
  node.dependencyReady("db", 600_000);
  node.addPod(podOf("b", "web", initOf({ waitsFor: "db" })), 700_000);
  const { readySeconds } = run(node);
  expect(readySeconds("a")).toBe(601);
  expect(readySeconds("b")).toBe(701);
});

test("a pod that is removed while it waits comes to nothing", () => {
  const node = plainNode({ images, present: ["web", "tools"] });
  node.addPod(podOf("a", "web", initOf({ waitsFor: "db" })), 0);
  node.addPod(podOf("b", "web", { attachSeconds: 100 }), 0);
  node.advanceTo(50_000);
  for (const uid of ["uid-a", "uid-b"]) node.removePod(uid, 50_000);
  node.dependencyReady("db", 60_000);
  expect(run(node).events.filter((event) => event.kind === "status")).toEqual([]);
  expect(node.podCount).toBe(0);
});

test("no sandbox is made before the volumes are attached", () => {
  const node = plainNode({ images, present: ["web"] });
  node.addPod(podOf("a", "web", { attachSeconds: 90 }), 0);
  const { events, readySeconds } = run(node);
  expect(unlikeTheOneBefore(story(events))).toEqual(["0 -w", "90 +w", "90 +s"]);
  expect(readySeconds("a")).toBe(90);
});

test("a pod with a missing Secret stays in ContainerCreating, and the node has nothing more to do", () => {
  const node = plainNode({ images, present: ["web"] });
  node.addPod(podOf("a", "web", { missingSecret: true }), 0);
  const { events, messages } = run(node);
  expect(story(events)).toEqual(["0 -w"]);
  expect(messages("a")).toEqual([expect.stringMatching(/^FailedMount: .*secret ".*" not found$/)]);
  expect(node.nextEventMs()).toBeUndefined();
});
