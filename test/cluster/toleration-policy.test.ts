/** A namespace whose pods may not tolerate what they like (PodTolerationRestriction), on the real API server. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ControlPlane, startControlPlane } from "../../dev/control-plane/control-plane.ts";
import { GATE, HOLD_ANNOTATION } from "../../src/api/names.ts";
import type { PodFacts } from "../../src/core/facts.ts";
import { nodeName } from "../../src/core/ids.ts";
import { EVERY_FENCE, type Release } from "../../src/core/verdict.ts";
import type { ApiClient } from "../../src/kube/client/api-client.ts";
import { formatHold } from "../../src/kube/parse/annotations.ts";
import { podFacts } from "../../src/kube/parse/facts.ts";
import { createShapeInterner } from "../../src/kube/parse/shape-interner.ts";
import { releasePod } from "../../src/kube/write/pods.ts";
import { planSweep, sweep } from "../../src/release/sweep.ts";

const NAMESPACE = "strict";
/** What the API server adds to every pod. */
const ALLOWED = ["not-ready", "unreachable"].map((key) => ({
  key: `node.kubernetes.io/${key}`,
  operator: "Exists",
  effect: "NoExecute",
}));
const SINCE_MS = Date.parse("2026-01-01T00:00:00Z");
const CAPS = { holdSeconds: 300, fenceSeconds: 600 };

let plane: ControlPlane;
let client: ApiClient;

beforeAll(async () => {
  plane = await startControlPlane({
    scheduler: false,
    controllerManager: false,
    admissionPlugins: ["PodTolerationRestriction"],
  });
  ({ client } = plane);
  const annotations = { "scheduler.alpha.kubernetes.io/tolerationsWhitelist": JSON.stringify(ALLOWED) };
  await client.create("/api/v1/namespaces", { metadata: { name: NAMESPACE, annotations } });
});
afterAll(() => plane.stop());

const PODS = `/api/v1/namespaces/${NAMESPACE}/pods`;
const interner = createShapeInterner();

async function createGatedPod(name: string): Promise<PodFacts> {
  const hold = formatHold({ node: undefined, reason: "AwaitingRelease", sinceMs: SINCE_MS });
  const spec = { schedulingGates: [{ name: GATE }], containers: [{ name: "main", image: "app:1" }] };
  const created = await client.create(PODS, { metadata: { name, annotations: { [HOLD_ANNOTATION]: hold } }, spec });
  return podFacts(created, interner);
}

const clock = { now: () => SINCE_MS };
const past = (pod: PodFacts, more: Partial<Release> = {}): Release => ({
  ...{ pod, node: undefined, fence: EVERY_FENCE, reason: "HoldCapReached", message: "", ...more },
});

test.each<[string, Partial<Release>]>([
  ["at its cap", {}],
  ["near its cap, to a node", { reason: "NearHoldCap", node: nodeName("n1") }],
  ["when pacing is switched off", { reason: "PacingOff" }],
])("a pod goes %s though it may not tolerate fences: it loses the gate alone (promise 2)", async (_, more) => {
  const pod = await createGatedPod(`cap-${(more.reason ?? "reached").toLowerCase()}`);
  const note = { atMs: SINCE_MS + 300_000, heldMs: 300_000 };
  const write = await releasePod(client, past(pod, { note, ...more }), clock);
  if (!("object" in write)) throw new Error(write.kind);
  const after = podFacts(write.object, interner);
  expect(after).toMatchObject({ gated: false, fencesTolerated: [], reservation: undefined, hold: undefined });
  expect(after.release).toMatchObject(note);
});

test("a pod goes at its turn to a node that has the soft taint only", async () => {
  const pod = await createGatedPod("steered");
  const others = [{ node: nodeName("n2"), fence: undefined, steered: true }];
  const to = {
    ...past(pod),
    fence: undefined,
    reason: "SlotFree",
    node: nodeName("n1"),
    steered: true,
    others,
  } as const;
  const write = await releasePod(client, to, clock);
  if (!("object" in write)) throw new Error(write.kind);
  const reservation = { node: "n1", others: ["n2"] };
  expect(podFacts(write.object, interner)).toMatchObject({ gated: false, reservation, prefersNodes: true });
});

test("a pod whose turn is merely due keeps its gate, and the refusal is told", async () => {
  const pod = await createGatedPod("waits");
  const release = past(pod, { reason: "SlotFree", node: nodeName("n1"), fence: "n1" });
  await expect(releasePod(client, release, clock)).rejects.toThrow(/toleration/);
  expect(podFacts(await client.get(`${PODS}/waits`), interner).gated).toBe(true);
});

test("the janitor lets such pods go, too", async () => {
  await createGatedPod("swept");
  const nowMs = SINCE_MS + 400_000_000_000;
  const plan = await planSweep(client, { which: "expired", namespace: NAMESPACE }, CAPS, { nowMs });
  const results = await sweep(client, plan, nowMs, EVERY_FENCE);
  expect(results.map(({ outcome }) => outcome)).not.toContain("failed");
  expect(podFacts(await client.get(`${PODS}/swept`), interner).gated).toBe(false);
});
