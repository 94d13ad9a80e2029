/** Kubernetes' rules of pods, as the fault harness' API server keeps them. */
import { expect, it } from "vitest";
import { GATE } from "../../../../src/api/names.ts";
import { newServer, NODES, pod, PODS, refusalOf, versionOf } from "./support.ts";

const TOLERATION = { key: "a", operator: "Exists", effect: "NoSchedule" };

it("a gated pod says so, and starts with generation 1 and Kubernetes' defaults", () => {
  const { server } = newServer();
  const made = server.create(PODS, pod("a", [GATE]));
  expect(made).toMatchObject({
    kind: "Pod",
    apiVersion: "v1",
    metadata: { namespace: "default", generation: 1, creationTimestamp: "2026-01-01T00:00:00Z" },
    spec: { schedulerName: "default-scheduler", priority: 0 },
    status: { phase: "Pending", conditions: [{ type: "PodScheduled", status: "False", reason: "SchedulingGated" }] },
  });
  expect(Object.isFrozen(made["spec"])).toBe(true);
});

it("gates only go", () => {
  const { server } = newServer();
  server.create(PODS, pod("a", [GATE, "other/gate"]));
  const add = [{ op: "add", path: "/spec/schedulingGates/-", value: { name: "new/gate" } }];
  expect(refusalOf(() => server.patch(`${PODS}/a`, add, "json"))).toBe("422 Invalid");
  const after = server.patch(
    `${PODS}/a`,
    { spec: { schedulingGates: [{ name: GATE, $patch: "delete" }] } },
    "strategic",
  );
  expect(after).toMatchObject({ metadata: { generation: 2 }, spec: { schedulingGates: [{ name: "other/gate" }] } });
  expect(refusalOf(() => server.create(PODS, pod("b", [GATE], { nodeName: "n1" })))).toBe("422 Invalid");
});

it("tolerations only come", () => {
  const { server } = newServer();
  server.create(PODS, pod("a", [], { tolerations: [TOLERATION] }));
  const add = [{ op: "add", path: "/spec/tolerations/-", value: { ...TOLERATION, key: "b" } }];
  expect(refusalOf(() => server.patch(`${PODS}/a`, add, "json"))).toBe("allowed");
  const remove = [{ op: "remove", path: "/spec/tolerations/0" }];
  expect(refusalOf(() => server.patch(`${PODS}/a`, remove, "json"))).toBe("422 Invalid");
  const change = [{ op: "replace", path: "/spec/tolerations/0/key", value: "c" }];
  expect(refusalOf(() => server.patch(`${PODS}/a`, change, "json"))).toBe("422 Invalid");
});

it("the node of a pod comes from its binding alone, once, and not while it is gated", () => {
  const { server } = newServer();
  server.create(NODES, { metadata: { name: "n1", labels: { "topology.kubernetes.io/zone": "z" } } });
  server.create(PODS, pod("a", [GATE]));
  expect(refusalOf(() => server.bind(`${PODS}/a`, "n1"))).toBe("409 Conflict");
  server.patch(`${PODS}/a`, [{ op: "remove", path: "/spec/schedulingGates" }], "json");
  expect(refusalOf(() => server.patch(`${PODS}/a`, { spec: { nodeName: "n1" } }, "merge"))).toBe("422 Invalid");
  server.bind(`${PODS}/a`, "n1");
  expect(refusalOf(() => server.bind(`${PODS}/a`, "n2"))).toBe("409 Conflict");
  expect(server.get(`${PODS}/a`)).toMatchObject({
    metadata: { labels: { "topology.kubernetes.io/zone": "z" } },
    spec: { nodeName: "n1" },
    status: { conditions: [{ type: "PodScheduled", status: "True" }] },
  });
});

it("an unbound pod goes at once; a bound one stays until the kubelet removes it", () => {
  const { server } = newServer();
  server.create(PODS, pod("free", [GATE]));
  server.delete(`${PODS}/free`);
  expect(server.find(`${PODS}/free`)).toBeUndefined();
  server.create(PODS, pod("bound"));
  server.bind(`${PODS}/bound`, "n1");
  const leaving = server.delete(`${PODS}/bound`);
  expect(leaving.metadata).toMatchObject({ deletionTimestamp: "2026-01-01T00:00:30Z", deletionGracePeriodSeconds: 30 });
  expect(versionOf(server.delete(`${PODS}/bound`))).toBe(versionOf(leaving));
  server.delete(`${PODS}/bound`, { gracePeriodSeconds: 0 });
  expect(server.find(`${PODS}/bound`)).toBeUndefined();
});

it("a deletion with the uid of another pod conflicts", () => {
  const { server } = newServer();
  server.create(PODS, pod("a"));
  expect(refusalOf(() => server.delete(`${PODS}/a`, { preconditions: { uid: "other" } }))).toBe("409 Conflict");
});

it("a finalizer keeps a pod until it is removed", () => {
  const { server } = newServer();
  const made = pod("a") as { metadata: object };
  server.create(PODS, { ...made, metadata: { ...made.metadata, finalizers: ["a/b"] } });
  server.delete(`${PODS}/a`);
  expect(server.get(`${PODS}/a`).metadata?.deletionTimestamp).toBeDefined();
  server.patch(`${PODS}/a`, { metadata: { finalizers: null } }, "merge");
  expect(server.find(`${PODS}/a`)).toBeUndefined();
});

it("status is written by its own path only", () => {
  const { server } = newServer();
  server.create(PODS, { ...pod("a"), status: { phase: "Running" } });
  server.patch(`${PODS}/a`, { status: { phase: "Running" } }, "merge");
  expect(server.get(`${PODS}/a`)["status"]).toMatchObject({ phase: "Pending" });
  server.patch(`${PODS}/a/status`, { status: { phase: "Running" }, spec: { nodeName: "n1" } }, "merge");
  expect(server.get(`${PODS}/a`)).toMatchObject({ status: { phase: "Running" } });
  expect(server.get(`${PODS}/a`)["spec"]).not.toHaveProperty("nodeName");
});
