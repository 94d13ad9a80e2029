import { describe, expect, test } from "vitest";
import type { PodFacts, SandboxCause } from "../../../../src/core/facts.ts";
import { nodeName, podUID } from "../../../../src/core/ids.ts";
import type { Pacer } from "../../../../src/core/pacer.ts";
import { aGatedPod, aNode, aPod, bound, changed, START_MS, started } from "../../../support/core-facts.ts";
import { observe, pacerWith, released, slots } from "../../../support/core-plan.ts";

const SECOND_MS = 1_000;
const pod = bound(aPod("a"), "n1");

/** The kubelet of `node` says it of the pod `a`. */
const says = (pacer: Pacer, cause: SandboxCause = "NoAddress", atMs = START_MS, node = "n1", uid: string = pod.uid) =>
  pacer.observeSandboxFailure({ pod: podUID(uid), node: nodeName(node), cause }, atMs);

const pacerOf = (...pods: readonly PodFacts[]) => pacerWith([aNode("n1"), aNode("n2")], pods, slots(8));
const limitOf = (pacer: Pacer, nowMs = START_MS) => pacer.status(nowMs).nodes.find(({ name }) => name === "n1");

/** Its containers wait, and this is what the kubelet says of its sandbox. */
const withSandbox = (sandboxReady: boolean | undefined) =>
  changed(pod, { startup: { sandboxReady, sandboxSinceMs: undefined, containers: [] } });

describe("a sandbox that was not made", () => {
  test.each([
    ["NoAddress", "cut to 4: no address was left for a"],
    ["RateLimited", "cut to 4: a rate limit refused the network of a"],
    ["TimedOut", "cut to 4: the sandbox of a was not made in time"],
  ] as const)("for want of what starts compete for halves the node's limit: %s", (cause, move) => {
    const pacer = pacerOf(pod);
    expect(says(pacer, cause)).toBe(true);
    expect(limitOf(pacer)).toMatchObject({ limit: 4, limitMove: move });
    expect(pacer.takeMoves()).toMatchObject([{ node: "n1", from: 8, to: 4 }]);
    expect(pacer.takeFailedStarts()).toEqual([{ node: "n1", pod: "default/a", reason: `Sandbox${cause}` }]);
  });

  test("for another reason is counted, and cuts nothing: the node is still being set up", () => {
    const pacer = pacerOf(pod);
    expect(says(pacer, "Other")).toBe(true);
    expect(limitOf(pacer)?.limit).toBe(8);
    expect(pacer.takeFailedStarts()).toMatchObject([{ reason: "SandboxOther" }]);
    expect(pacer.takeFailedStarts()).toEqual([]);
  });

  test("again and again is evidence each time, at most once in ten seconds", () => {
    const pacer = pacerOf(pod);
    for (let atMs = START_MS; atMs < START_MS + 10 * SECOND_MS; atMs += SECOND_MS) says(pacer, "TimedOut", atMs);
    expect(limitOf(pacer)?.limit).toBe(4);
    says(pacer, "TimedOut", START_MS + 10 * SECOND_MS);
    expect(limitOf(pacer)?.limit).toBe(2);
  });

  test("ends the ceiling of sandboxes on that node, as a container that failed to start does", () => {
    const releases = (cause: SandboxCause) => {
      const gated = ["b", "c", "d"].map((name) => aGatedPod(name, { pinnedTo: nodeName("n1") }));
      const pacer = pacerWith([aNode("n1")], [pod, ...gated], slots(2));
      observe(pacer, "n1", { utilisation: 0, cpuPressure: 0 }, START_MS + 2_000);
      says(pacer, cause);
      return released(pacer.plan(START_MS + 2_000)).length;
    };
    expect([releases("Other"), releases("NoAddress")]).toEqual([2, 0]); // as many beyond the limit as a sample allows
  });

  test.each<[why: string, PodFacts | undefined]>([
    ["that is not known", undefined],
    ["that is bound to another node", bound(aPod("a"), "n2")],
    ["that is not bound", aPod("a")],
    ["of another uid", changed(pod, { uid: podUID("another") })],
    ["that has its sandbox", withSandbox(true)],
    ["that has started", started(pod)],
    ["that is being deleted: the kubelet gives its sandbox up", changed(pod, { deleting: true })],
    ["that waits for what pacing cannot help", changed(pod, { waitingOn: "InvalidImageName" })],
    ["that has been in startup for too long", bound(aPod("a"), "n1", START_MS - 300 * SECOND_MS)],
  ])("is no evidence by an Event of a pod %s", (_why, known) => {
    const pacer = pacerOf(...(known ? [known] : []));
    expect(says(pacer)).toBe(false);
    expect([limitOf(pacer)?.limit ?? 8, pacer.takeFailedStarts(), pacer.takeMoves()]).toEqual([8, [], []]);
  });

  test("is no evidence by the word of another node's kubelet", () => {
    const pacer = pacerOf(pod);
    expect(says(pacer, "NoAddress", START_MS, "n2")).toBe(false);
    expect(limitOf(pacer)?.limit).toBe(8);
  });

  test("counts where the kubelet says that there is none, or says nothing of it", () => {
    for (const known of [withSandbox(false), withSandbox(undefined)]) expect(says(pacerOf(known))).toBe(true);
  });
});

test("a container that failed to start is counted, too", () => {
  const pacer = pacerOf(pod);
  pacer.upsertPod(changed(pod, { overloadFailures: 1 }), START_MS);
  expect(pacer.takeFailedStarts()).toEqual([{ node: "n1", pod: "default/a", reason: "Container" }]);
});
