/** The writes of a roll call, and what a sweep makes of one that nobody has ended, on the fake API server. */
import { expect, it } from "vitest";
import {
  FENCE_TAINT_KEY,
  FENCED_AT_ANNOTATION,
  ROLL_CALL_ANNOTATION,
  ROLL_CALL_TAINT,
} from "../../../../src/api/names.ts";
import type { NodeFacts } from "../../../../src/core/facts.ts";
import { nodeFacts } from "../../../../src/kube/parse/facts.ts";
import { recordOf, recordsOf } from "../../../../src/kube/parse/kube-json.ts";
import { adoptFence, beginRollCall, endRollCall, liftFence } from "../../../../src/kube/write/nodes.ts";
import { CAPS_WITHOUT_POLICY } from "../../../../src/policy/caps.ts";
import { planSweep, sweep } from "../../../../src/release/sweep.ts";
import { newServer } from "../../faults/api-server/support.ts";

const NOW_MS = Date.parse("2026-01-01T00:01:00Z");
const NODE = "/api/v1/nodes/n1";
const OTHER = { key: "other", effect: "NoSchedule" };
const fence = (effect: string) => ({ key: FENCE_TAINT_KEY, value: "n1", effect });

function subject(spec: object = {}) {
  const { server } = newServer();
  const annotations = { [FENCED_AT_ANNOTATION]: new Date(NOW_MS).toISOString() };
  server.create("/api/v1/nodes", {
    metadata: { name: "n1", annotations },
    spec: { taints: [fence("NoSchedule"), OTHER], ...spec },
  });
  const client = server.client("writer");
  const raw = () => server.find(NODE) ?? {};
  const facts = (): NodeFacts => nodeFacts(raw());
  const begin = (nowMs = NOW_MS) => beginRollCall(client, { kind: "beginRollCall", node: facts(), value: "n1" }, nowMs);
  const end = () => endRollCall(client, { kind: "endRollCall", node: facts(), value: "n1" });
  const isCordoned = () => recordOf(raw()["spec"])["unschedulable"] === true;
  const fences = () => recordsOf(recordOf(raw()["spec"])["taints"]).filter(({ key }) => key === FENCE_TAINT_KEY);
  return { server, client, raw, facts, begin, end, isCordoned, fences };
}

it("begins with one write: cordon, fence without effect, and its time; a repetition changes nothing", async () => {
  const { begin, facts, fences, isCordoned, server } = subject();
  const before = server.version;
  expect((await begin()).kind).toBe("changed");
  expect(server.version).toBe(before + 1);
  expect(isCordoned()).toBe(true);
  expect(fences()).toEqual([fence("PreferNoSchedule")]);
  expect(facts()).toMatchObject({
    unschedulable: true,
    fence: { value: "n1", sinceMs: NOW_MS, rollCall: { state: "open", sinceMs: NOW_MS } },
  });
  expect(facts().taints.map(({ key }) => key)).toContain("other");
  expect((await begin()).kind).toBe("unchanged");
});

it("ends with one write, and none follows it", async () => {
  const { begin, end, facts, fences, isCordoned, server } = subject();
  expect((await end()).kind).toBe("unchanged");
  await begin();
  const before = server.version;
  expect((await end()).kind).toBe("changed");
  expect(server.version).toBe(before + 1);
  expect(isCordoned()).toBe(false);
  expect(fences()).toEqual([fence("NoSchedule")]);
  expect(facts().fence).toEqual({ value: "n1", sinceMs: NOW_MS, rollCall: { state: "done", sinceMs: NOW_MS } });
  expect((await begin()).kind).toBe("unchanged");
});

it("takes no cordon of somebody else: neither for itself, nor off", async () => {
  const { begin, client, end, facts, isCordoned } = subject({ unschedulable: true });
  expect((await begin()).kind).toBe("unchanged");
  expect((await end()).kind).toBe("unchanged");
  expect((await liftFence(client, facts())).kind).toBe("changed");
  expect(isCordoned()).toBe(true);
});

it("a cordon after the roll call is somebody else's", async () => {
  const { begin, client, end, facts, isCordoned, server } = subject();
  await begin();
  await end();
  server.patch(NODE, { spec: { unschedulable: true } }, "merge");
  expect(facts().fence?.rollCall?.state).toBe("done");
  await liftFence(client, facts());
  expect(isCordoned()).toBe(true);
});

it("carries a taint meanwhile by which Cluster Autoscaler takes the cordoned node for one that is still to come", async () => {
  const { begin, end, facts, raw } = subject();
  const marks = () =>
    recordsOf(recordOf(raw()["spec"])["taints"]).filter(({ effect }) => effect === "PreferNoSchedule");
  const others = facts().taints;
  await begin();
  // By key it is a taint of a node that is not Ready. With another effect it would keep DaemonSet pods out.
  expect(marks()).toEqual([
    fence("PreferNoSchedule"),
    { key: "node.kubernetes.io/not-ready", value: "paceline", effect: "PreferNoSchedule" },
  ]);
  expect(facts().taints).toEqual(others);
  await end();
  expect(marks()).toEqual([]);
});

it("leaves a taint of the same key alone that says that the node is not Ready", async () => {
  const notReady = { key: ROLL_CALL_TAINT.key, effect: "NoSchedule" };
  const { begin, end, raw } = subject({ taints: [fence("NoSchedule"), notReady] });
  await begin();
  await end();
  expect(recordOf(raw()["spec"])["taints"]).toContainEqual(notReady);
});

it("the cordon goes although somebody has removed the fence", async () => {
  const { begin, client, end, facts, fences, isCordoned, raw, server } = subject();
  await begin();
  server.patch(NODE, { spec: { taints: [OTHER, ROLL_CALL_TAINT] } }, "merge");
  expect(fences()).toEqual([]);
  expect(facts().fence?.rollCall?.state).toBe("open");
  await end();
  expect([isCordoned(), fences()]).toEqual([false, [fence("NoSchedule")]]);
  await liftFence(client, facts());
  expect(recordOf(raw()["spec"])["taints"]).toEqual([OTHER]);
});

it("the leader's next write takes the taint off where somebody has taken the cordon off", async () => {
  const { begin, client, facts, fences, raw, server } = subject();
  await begin();
  server.patch(NODE, { spec: { unschedulable: false } }, "merge");
  expect(facts().fence).toMatchObject({ value: "", rollCall: { state: "done" } });
  await adoptFence(client, { kind: "adopt", node: facts(), value: "n1" });
  expect(recordOf(raw()["spec"])["taints"]).not.toContainEqual(ROLL_CALL_TAINT);
  expect(fences()).toEqual([fence("NoSchedule")]);
});

it("a lift during the roll call takes fence and cordon with one write; the note stays", async () => {
  const { begin, client, facts, fences, isCordoned, raw, server } = subject();
  await begin();
  const before = server.version;
  expect((await liftFence(client, facts())).kind).toBe("changed");
  expect(server.version).toBe(before + 1);
  expect([isCordoned(), fences()]).toEqual([false, []]);
  expect(raw().metadata?.annotations).toHaveProperty([ROLL_CALL_ANNOTATION]);
  expect(raw().metadata?.annotations).not.toHaveProperty([FENCED_AT_ANNOTATION]);
});

it("one that nobody ends is expired after seconds, whatever the caps are; a sweep takes it off", async () => {
  const { begin, client, fences, isCordoned, server } = subject();
  const createdMs = Date.parse(server.find(NODE)?.metadata?.creationTimestamp ?? "");
  await begin(createdMs);
  const planAt = (nowMs: number, which: "all" | "expired" = "expired") =>
    planSweep(client, { which }, CAPS_WITHOUT_POLICY, { nowMs });
  expect((await planAt(createdMs + 5_000)).nodes).toEqual([]);
  expect((await planAt(createdMs + 5_000, "all")).nodes).toHaveLength(1);
  const plan = await planAt(createdMs + 30_000);
  expect(plan.nodes).toHaveLength(1);
  expect(await sweep(client, plan, createdMs + 30_000)).toMatchObject([{ name: "n1", outcome: "released" }]);
  expect([isCordoned(), fences()]).toEqual([false, []]);
});
