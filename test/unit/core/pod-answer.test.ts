/** Why does this pod wait, and until when at the latest: an answer for every pod that somebody names. */
import { expect, test } from "vitest";
import type { PodFacts } from "../../../src/core/facts.ts";
import { nodeName } from "../../../src/core/ids.ts";
import { createPacer } from "../../../src/core/pacer.ts";
import { defaultPolicy } from "../../../src/policy/parse.ts";
import {
  aDaemonPod,
  aGatedPod,
  aNode,
  aPod,
  aShape,
  bound,
  changed,
  START_MS,
  started,
} from "../../support/core-facts.ts";

const policy = defaultPolicy({ nodeClasses: [{ name: "one", slots: { initial: 1, min: 1, max: 1 } }] });
const CAP_MS = policy.maxHoldSeconds * 1_000;

function answerOn(pods: readonly PodFacts[], name: string, node = aNode("young")) {
  const pacer = createPacer(policy);
  pacer.upsertNode(node, START_MS);
  for (const pod of pods) pacer.upsertPod(pod, START_MS);
  pacer.plan(START_MS);
  return { answer: pacer.podAnswer("default", name, START_MS), status: pacer.status(START_MS) };
}

const occupied = bound(aPod("starting"), "young");

test("a held pod: the reason of the plan, and its cap as the latest end, the same as in the status", () => {
  const waits = aDaemonPod("waits", "young", { createdAtMs: START_MS - 5_000 });
  const { answer, status } = answerOn([occupied, waits], "waits");
  expect(answer).toMatchObject({ state: "held", node: "young", held: { reason: "StartupSlotsFull", heldSeconds: 5 } });
  expect(answer.held?.untilMs).toBe(START_MS - 5_000 + CAP_MS);
  expect(status.held).toEqual([answer.held]);
});

test("a lower cap of its own is the end; while others gate it there is no end yet", () => {
  const own = aGatedPod("own", { shape: aShape({ maxHoldSeconds: 30 }) });
  expect(answerOn([occupied, own], "own").answer.held?.untilMs).toBe(START_MS + 30_000);
  const blocked = aGatedPod("blocked", { gatedByOthers: true });
  const { answer } = answerOn([occupied, blocked], "blocked");
  expect(answer).toMatchObject({ state: "held", held: { reason: "OtherGates", untilMs: undefined } });
});

test("a pod that a fence keeps out waits until its cap, the fence's end or the node's youth ends: the first", () => {
  const fence = { value: "young", sinceMs: START_MS - 60_000 };
  const node = aNode("young", { fence, readySinceMs: START_MS - 3_000 });
  const herd = aPod("herd", { createdAtMs: START_MS - 3_600_000, unschedulable: true });
  const { answer } = answerOn([occupied, herd], "herd", node);
  const first = Math.min(policy.maxHoldSeconds, policy.fence.maxSeconds, policy.youngForSeconds);
  expect(answer).toMatchObject({ state: "held", node: "young", held: { untilMs: START_MS - 3_000 + first * 1_000 } });
});

test.each<[name: string, pod: PodFacts, state: string, message: string]>([
  ["bound", bound(aPod("one"), "young"), "starting", "it is on node young, not started yet"],
  ["stuck", bound(aPod("one", { waitingOn: "ErrImagePull" }), "young"), "starting", "cannot start there: ErrImagePull"],
  ["started", started(bound(aPod("one"), "young")), "started", "it has started on node young"],
  ["terminal", changed(bound(aPod("one"), "young"), { terminal: true }), "ended", "it has ended"],
  ["exempt", aPod("one", { shape: aShape({ mirror: true }) }), "waiting", "exempt from pacing"],
  [
    "released",
    aPod("one", { release: { atMs: START_MS - 90_000, heldMs: 12_000 } }),
    "waiting",
    "Paceline held it for 12 s and has let it go",
  ],
  [
    "on its way",
    aPod("one", { reservation: { node: nodeName("young"), atMs: START_MS } }),
    "waiting",
    "it has a slot on node young",
  ],
  ["never held", aPod("one"), "waiting", "Paceline does not hold it"],
])("a pod that is not held says what it is: %s", (_case, pod, state, message) => {
  const { answer } = answerOn([pod], "one");
  expect(answer).toMatchObject({ state, message: expect.stringContaining(message) as string });
  expect(answer.held).toBeUndefined();
});

test("of pods that had the name one after the other the newest counts; a name that is not known says so", () => {
  const old = started(bound(aPod("one", { createdAtMs: START_MS - 60_000 }), "young"));
  const pods = [old, aGatedPod("one", { uid: aPod("other").uid })];
  expect(answerOn(pods, "one").answer.state).toBe("held");
  expect(answerOn(pods, "two").answer).toMatchObject({ state: "unknown", namespace: "default", name: "two" });
});

test("a node's limit answers with what it did and why; an unknown node has no answer", () => {
  const pacer = createPacer(defaultPolicy());
  pacer.upsertNode(aNode("young"), START_MS);
  const before = pacer.limitAnswer("young", START_MS);
  expect(before).toMatchObject({ steps: [], message: expect.stringContaining("it has not moved") as string });
  pacer.upsertPod(bound(aPod("fails"), "young"), START_MS);
  pacer.upsertPod(changed(bound(aPod("fails"), "young"), { overloadFailures: 1 }), START_MS + 1_000);
  const after = pacer.limitAnswer("young", START_MS + 2_000);
  expect(after).toMatchObject({
    limitBefore: before?.limit,
    limit: Math.floor((before?.limit ?? 0) / 2),
    steps: [{ atMs: START_MS + 1_000, from: before?.limit, why: expect.stringContaining("failed to start") as string }],
    message: expect.stringContaining("it went down once; last: cut to") as string,
  });
  expect(pacer.limitAnswer("elsewhere", START_MS)).toBeUndefined();
});
