/**
 * Paceline's writes on a real API server: they are conditional and idempotent, and report whether they changed
 * anything.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startControlPlane } from "../../dev/control-plane/control-plane.ts";
import type { ControlPlane } from "../../dev/control-plane/control-plane.ts";
import { FENCE_TAINT_KEY, FENCED_AT_ANNOTATION, GATE, HOLD_ANNOTATION } from "../../src/api/names.ts";
import { formatHold } from "../../src/kube/parse/annotations.ts";
import { createApiClient } from "../../src/kube/client/api-client.ts";
import type { ApiClient } from "../../src/kube/client/api-client.ts";
import { systemClock } from "../../src/kube/clock.ts";
import { createEventRecorder } from "../../src/kube/write/events.ts";
import { nodeFacts, podFacts } from "../../src/kube/parse/facts.ts";
import type { KubeObject } from "../../src/kube/parse/kube-json.ts";
import { silentLog } from "../../src/kube/log.ts";
import { createShapeInterner } from "../../src/kube/parse/shape-interner.ts";
import { adoptFence, liftFence } from "../../src/kube/write/nodes.ts";
import { annotateHold, releasePod } from "../../src/kube/write/pods.ts";
import type { Write } from "../../src/kube/write/conditional.ts";
import type { PodFacts } from "../../src/core/facts.ts";
import { nodeName } from "../../src/core/ids.ts";
import type { Release } from "../../src/core/verdict.ts";
import { HANG_MS } from "../support/control-plane.ts";

/** A clock that stands still. */
const at = (ms: number) => ({ now: () => ms });

const NOW_MS = Date.parse("2026-01-01T00:01:00Z");
const SINCE_MS = Date.parse("2026-01-01T00:00:00Z");

let plane: ControlPlane;
let client: ApiClient;
let serial = 0;
let name: string;

beforeAll(async () => {
  plane = await startControlPlane({ scheduler: false, controllerManager: false });
  client = createApiClient({ url: plane.url, token: plane.token, ca: plane.caCert });
});
afterAll(async () => {
  await client.close();
  await plane.stop();
});
beforeEach(() => {
  name = `w-${++serial}`;
});

const interner = createShapeInterner();
const factsOf = (write: Write): PodFacts => {
  if (!("object" in write)) throw new Error(`the write answered ${write.kind}`);
  return podFacts(write.object, interner);
};

async function createPod(gates: readonly string[], annotations?: Record<string, string>): Promise<PodFacts> {
  const raw = await client.create("/api/v1/namespaces/default/pods", {
    metadata: { name, ...(annotations === undefined ? {} : { annotations }) },
    spec: {
      containers: [{ name: "app", image: "app:1" }],
      ...(gates.length === 0 ? {} : { schedulingGates: gates.map((gate) => ({ name: gate })) }),
    },
  });
  return podFacts(raw, interner);
}

const hold = () => ({
  [HOLD_ANNOTATION]: formatHold({ node: undefined, reason: "AwaitingRelease", sinceMs: SINCE_MS }),
});
const toNode = (pod: PodFacts, fence?: string): Release => ({
  pod,
  node: nodeName("n1"),
  fence,
  reason: "SlotFree",
  message: "slot 1 of 4",
});

describe("releasePod", () => {
  it("removes the gate and the hold and reserves the slot in one write; a repetition changes nothing", async () => {
    const pod = await createPod([GATE], { ...hold(), other: "stays" });
    const write = await releasePod(client, toNode(pod), at(NOW_MS));
    expect(write.kind).toBe("changed");
    const after = factsOf(write);
    expect(after).toMatchObject({ gated: false, hold: undefined, reservation: { node: "n1", atMs: NOW_MS } });
    expect((write as { object: KubeObject }).object.metadata?.annotations).toHaveProperty("other", "stays");
    expect((await releasePod(client, toNode(pod), at(NOW_MS + 5))).kind).toBe("unchanged");
    expect((await releasePod(client, toNode(after), at(NOW_MS + 5))).kind).toBe("unchanged");
  });

  it("leaves other gates alone, in any order", async () => {
    const pod = await createPod(["a/first", GATE, "z/last"]);
    const write = await releasePod(client, { ...toNode(pod), node: undefined }, at(NOW_MS));
    expect(factsOf(write)).toMatchObject({ gated: false, gatedByOthers: true, reservation: undefined });
  });

  it("adds the toleration for the fence in the same write", async () => {
    const pod = await createPod([GATE], hold());
    const after = factsOf(await releasePod(client, toNode(pod, "n1"), at(NOW_MS)));
    expect(after).toMatchObject({ gated: false, fencesTolerated: ["n1"], reservation: { node: "n1" } });
  });

  it("lets a pending pod without gate or annotation through the fence", async () => {
    const pod = await createPod([]);
    const write = await releasePod(client, toNode(pod, "n1"), at(NOW_MS));
    expect(write.kind).toBe("changed");
    expect(factsOf(write)).toMatchObject({ fencesTolerated: ["n1"], reservation: { node: "n1", atMs: NOW_MS } });
    expect((await releasePod(client, toNode(pod, "n1"), at(NOW_MS + 5))).kind).toBe("unchanged");
    const other = factsOf(await releasePod(client, toNode(factsOf(write), "n2"), at(NOW_MS + 5)));
    expect(other.fencesTolerated).toEqual(["n1", "n2"]);
  });

  it("succeeds although the pod has changed since it was seen", async () => {
    const pod = await createPod([GATE], hold());
    await client.patch(`/api/v1/namespaces/default/pods/${name}`, { metadata: { labels: { a: "b" } } }, "merge");
    const write = await releasePod(client, toNode(pod), at(NOW_MS));
    expect(write.kind).toBe("changed");
    expect(factsOf(write).shape.labels).toEqual({ a: "b" });
  });

  it("does not touch a pod of the same name that came later", async () => {
    const pod = await createPod([GATE]);
    await client.remove(`/api/v1/namespaces/default/pods/${name}`, { gracePeriodSeconds: 0 });
    expect(await releasePod(client, toNode(pod), at(NOW_MS))).toEqual({ kind: "gone" });
    const later = await createPod([GATE]);
    expect(await releasePod(client, toNode(pod), at(NOW_MS))).toEqual({ kind: "gone" });
    expect(podFacts(await client.get(`/api/v1/namespaces/default/pods/${name}`), interner).resourceVersion).toBe(
      later.resourceVersion,
    );
  });

  it("leaves a bound pod alone", async () => {
    const pod = await createPod([]);
    await client.create(`/api/v1/namespaces/default/pods/${name}/binding`, {
      metadata: { name },
      target: { kind: "Node", name: "n1" },
    });
    expect((await releasePod(client, toNode(pod, "n1"), at(NOW_MS))).kind).toBe("unchanged");
  });
});

describe("annotateHold", () => {
  it("writes node and reason and keeps the start; reports a conflict if the pod has changed", async () => {
    const pod = await createPod([GATE], hold());
    const now = { node: nodeName("n1"), reason: "StartupSlotsFull", sinceMs: SINCE_MS } as const;
    expect(factsOf(await annotateHold(client, pod, now)).hold).toEqual(now);
    expect(await annotateHold(client, pod, now)).toEqual({ kind: "conflict" });
  });
});

describe("fences", () => {
  async function createNode(taints: readonly object[]) {
    return nodeFacts(await client.create("/api/v1/nodes", { metadata: { name }, spec: { taints } }));
  }
  const others = [{ key: "a", effect: "NoSchedule" }];

  it("adopts a foreign fence and lifts it again, leaving other taints alone", async () => {
    const foreign = ["NoSchedule", "PreferNoSchedule"].map((effect) => ({ key: FENCE_TAINT_KEY, effect }));
    const node = await createNode([...others, ...foreign]);
    const adopted = await adoptFence(client, { kind: "adopt", node, value: "mine" });
    if (!("object" in adopted)) throw new Error(adopted.kind);
    expect(nodeFacts(adopted.object).fence).toEqual({ value: "mine", sinceMs: node.createdAtMs });
    const taints = (adopted.object["spec"] as { taints: { key: string }[] }).taints.filter(
      ({ key }) => key === FENCE_TAINT_KEY,
    );
    expect(taints).toEqual([{ key: FENCE_TAINT_KEY, value: "mine", effect: "NoSchedule" }]);
    const lifted = await liftFence(client, node);
    if (!("object" in lifted)) throw new Error(lifted.kind);
    expect(nodeFacts(lifted.object)).toMatchObject({ fence: undefined });
    expect(nodeFacts(lifted.object).taints).toContainEqual({ key: "a", value: "", effect: "NoSchedule" });
    expect(lifted.object.metadata?.annotations ?? {}).not.toHaveProperty(FENCED_AT_ANNOTATION);
    expect((await liftFence(client, node)).kind).toBe("unchanged");
  });

  it("reports gone if the node no longer exists", async () => {
    const node = await createNode([]);
    await client.remove(`/api/v1/nodes/${name}`);
    expect(await liftFence(client, node)).toEqual({ kind: "gone" });
  });
});

describe("Events", () => {
  it("are accepted by the API server, also with a note that is far too long", async () => {
    const pod = await createPod([GATE]);
    const events = createEventRecorder({ client, instance: "test-0", clock: systemClock, log: silentLog });
    const regarding = { apiVersion: "v1", kind: "Pod", namespace: "default", name, uid: pod.uid };
    const event = { regarding, type: "Normal", reason: "Held", action: "Hold", note: "ö".repeat(2_000) } as const;
    events.emit(event);
    events.emit(event);
    events.emit({ ...event, regarding: { ...regarding, namespace: "no-such-namespace", uid: "other" } });
    await expect
      .poll(() => events.counts, { timeout: HANG_MS })
      .toEqual({ written: 1, repeated: 1, dropped: 0, failed: 1 });
    const list = await client.list("/apis/events.k8s.io/v1/namespaces/default/events");
    const own = list.items.find((item) => (item["regarding"] as { name?: string }).name === name);
    expect(own).toMatchObject({ reason: "Held", reportingController: "paceline.dev/paceline" });
    await events.stop();
  });
});
