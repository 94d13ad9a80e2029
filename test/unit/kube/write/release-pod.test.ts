/** A release on the API server in memory of the fault harness. */
import { describe, expect, it } from "vitest";
import { FENCE_TAINT_KEY, GATE, YOUNG_TAINT_KEY } from "../../../../src/api/names.ts";
import { nodeName } from "../../../../src/core/ids.ts";
import type { Release } from "../../../../src/core/verdict.ts";
import type { ApiClient } from "../../../../src/kube/client/api-client.ts";
import { parseRelease } from "../../../../src/kube/parse/annotations.ts";
import { podFacts, preferredTerms } from "../../../../src/kube/parse/facts.ts";
import { type KubeObject, recordOf, recordsOf } from "../../../../src/kube/parse/kube-json.ts";
import { createShapeInterner } from "../../../../src/kube/parse/shape-interner.ts";
import { releasePod } from "../../../../src/kube/write/pods.ts";
import { newServer, pod, PODS } from "../../faults/api-server/support.ts";

const READ_TAKES_MS = 7_000;

it("a reservation is dated when it is sent, so that a slow read before it uses up none of its time", async () => {
  const { server } = newServer();
  const inner = server.client("writer");
  const seen = podFacts(server.create(PODS, pod("a", [GATE])), createShapeInterner());
  let nowMs = 1_000_000;
  const slow: ApiClient = {
    ...inner,
    get: async (...request) => {
      const answer = await inner.get(...request);
      nowMs += READ_TAKES_MS;
      return answer;
    },
  };
  const release = { pod: seen, node: nodeName("n1"), fence: "n1", reason: "SlotFree", message: "" } as const;
  const write = await releasePod(slow, release, { now: () => nowMs });
  if (!("object" in write)) throw new Error(write.kind);
  const after = podFacts(write.object, createShapeInterner());
  expect(after.reservation).toEqual({ node: "n1", atMs: 1_000_000 + READ_TAKES_MS });
});

it("a pod that has got a slot since the plan saw it gets no second one, though the watch is late (promise 7)", async () => {
  const { server } = newServer();
  const client = server.client("writer");
  const seen = podFacts(server.create(PODS, pod("a")), createShapeInterner());
  const to = (name: string) =>
    ({ pod: seen, node: nodeName(name), fence: name, reason: "SlotFree", message: "" }) as const;
  expect((await releasePod(client, to("n1"), { now: () => 1_000 })).kind).toBe("changed");
  const second = await releasePod(client, to("n2"), { now: () => 2_000 });
  expect(second.kind).toBe("unchanged");
  if (!("object" in second)) throw new Error(second.kind);
  expect(podFacts(second.object, createShapeInterner()).reservation).toEqual({ node: "n1", atMs: 1_000 });
});

it("one write takes the gate off, lets the pod pass every fence, and notes how long it was held (promise 2)", async () => {
  const { server } = newServer();
  const client = server.client("writer");
  const seen = podFacts(server.create(PODS, pod("a", [GATE])), createShapeInterner());
  const note = { atMs: 300_250, heldMs: 300_125 };
  const release = { pod: seen, node: undefined, fence: "*", reason: "HoldCapReached", message: "", note } as const;
  const before = server.version;
  const write = await releasePod(client, release, { now: () => 300_250 });
  expect(server.version).toBe(before + 1);
  if (!("object" in write)) throw new Error(write.kind);
  expect((write.object["spec"] as { tolerations: object[] }).tolerations).toContainEqual({
    key: FENCE_TAINT_KEY,
    operator: "Exists",
  });
  const after = podFacts(write.object, createShapeInterner());
  expect(after).toMatchObject({ gated: false, hold: undefined, reservation: undefined, fencesTolerated: ["*"] });
  expect(after.release).toEqual(note);
  expect((await releasePod(client, release, { now: () => 300_300 })).kind).toBe("unchanged");
});

it("a pod that only a fence keeps out gets the toleration of every fence beside that of one", async () => {
  const { server } = newServer();
  const client = server.client("writer");
  const seen = podFacts(server.create(PODS, pod("a")), createShapeInterner());
  const to = (fence: string) => ({ pod: seen, node: undefined, fence, reason: "HoldCapReached", message: "" }) as const;
  await releasePod(client, to("n1"), { now: () => 1_000 });
  const write = await releasePod(client, to("*"), { now: () => 2_000 });
  if (!("object" in write)) throw new Error(write.kind);
  expect(podFacts(write.object, createShapeInterner()).fencesTolerated).toEqual(["*"]);
});

it.each([
  "",
  "{}",
  '{"at":"2026-01-01T00:00:00Z"}',
  '{"at":"2026-01-01T00:00:00Z","heldSeconds":-1}',
  '{"heldSeconds":1}',
])("a release annotation that tenants wrote (%s) says nothing", (text) => {
  expect(parseRelease(text)).toBeUndefined();
});

describe("a release to a node that is not the only open one", () => {
  const terms = (raw: KubeObject) => preferredTerms(recordOf(raw["spec"])).map(({ weight }) => weight);
  const own = { weight: 7, preference: { matchExpressions: [{ key: "disk", operator: "Exists" }] } };
  const affinity = { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [own] }, podAffinity: {} };

  async function releasedWith(spec: object, more: Partial<Release> = {}, gates = [GATE]) {
    const { server } = newServer();
    const made = pod("a", gates) as KubeObject;
    const seen = podFacts(
      server.create(PODS, { ...made, spec: { ...recordOf(made["spec"]), ...spec } }),
      createShapeInterner(),
    );
    const release = { pod: seen, node: nodeName("n1"), fence: undefined, reason: "SlotFree", message: "", ...more };
    const write = await releasePod(server.client("writer"), release as Release, { now: () => 1_000 });
    if (!("object" in write)) throw new Error(write.kind);
    return write.object;
  }

  it("makes kube-scheduler prefer that node, beside what the pod prefers itself", async () => {
    expect(terms(await releasedWith({}))).toEqual([100]);
    const raw = await releasedWith({ affinity });
    expect(terms(raw)).toEqual([7, 100]);
    expect(recordOf(recordOf(raw["spec"])["affinity"])).toHaveProperty("podAffinity");
  });

  it("lets the pod disregard the soft taint of that node alone", async () => {
    const raw = await releasedWith({}, { steered: true });
    expect(recordsOf(recordOf(raw["spec"])["tolerations"])).toContainEqual({
      key: YOUNG_TAINT_KEY,
      operator: "Equal",
      value: "n1",
      effect: "PreferNoSchedule",
    });
  });

  it("leaves the affinity of a pod without our gate as it is: the API server would refuse the change", async () => {
    expect(terms(await releasedWith({ affinity }, { fence: "n1" }, []))).toEqual([7]);
  });
});

it("one write opens several nodes: their slots are in the annotation, their fences are tolerated", async () => {
  const { server } = newServer();
  const client = server.client("writer");
  const seen = podFacts(server.create(PODS, pod("a", [GATE])), createShapeInterner());
  const others = [
    { node: nodeName("n2"), fence: "n2" },
    { node: nodeName("hot"), fence: undefined },
  ];
  const release = { pod: seen, node: nodeName("n1"), fence: "n1", others, reason: "SlotFree", message: "" } as const;
  const before = server.version;
  const write = await releasePod(client, release, { now: () => 1_000 });
  expect(server.version).toBe(before + 1);
  if (!("object" in write)) throw new Error(write.kind);
  const after = podFacts(write.object, createShapeInterner());
  expect(after).toMatchObject({ gated: false, fencesTolerated: ["n1", "n2"] });
  expect(after.reservation).toEqual({ node: "n1", others: ["n2", "hot"], atMs: 1_000 });
  const again = await releasePod(client, { ...release, pod: after }, { now: () => 2_000 });
  expect(again.kind).toBe("unchanged");
});

it("a gated pod is given the fences of others though the first node has none", async () => {
  const { server } = newServer();
  const seen = podFacts(server.create(PODS, pod("a", [GATE])), createShapeInterner());
  const others = [{ node: nodeName("n2"), fence: "n2" }];
  const release = {
    pod: seen,
    node: nodeName("hot"),
    fence: undefined,
    others,
    reason: "SlotFree",
    message: "",
  } as const;
  const write = await releasePod(server.client("writer"), release, { now: () => 1_000 });
  if (!("object" in write)) throw new Error(write.kind);
  expect(podFacts(write.object, createShapeInterner())).toMatchObject({ gated: false, fencesTolerated: ["n2"] });
});
