/** Webhooks of the fault harness' API server. */
import { expect, it } from "vitest";
import type { Webhook } from "../../../../bench/faults/api-server/admission.ts";
import { allowWithPatch } from "../../../../src/webhooks/patch.ts";
import { newServer, NODES, pod, PODS, refusalOf } from "./support.ts";

const gate: Webhook = ({ uid, operation, resource }) =>
  operation === "CREATE" && resource.resource === "pods"
    ? allowWithPatch(uid, { spec: {} }, { spec: { schedulingGates: [{ name: "a/gate" }] } })
    : { uid, allowed: true };

it("a webhook changes what is created, and the next one sees the change", () => {
  const seen: unknown[] = [];
  const look: Webhook = ({ uid, object }) => {
    seen.push((object?.["spec"] as { schedulingGates?: unknown }).schedulingGates);
    return { uid, allowed: true };
  };
  const { server } = newServer({ admission: [gate, look] });
  const made = server.create(PODS, pod("a"));
  expect(made["spec"]).toMatchObject({ schedulingGates: [{ name: "a/gate" }] });
  expect(made["status"]).toMatchObject({ conditions: [{ reason: "SchedulingGated" }] });
  expect(seen).toEqual([[{ name: "a/gate" }]]);
});

it("a webhook sees a pod without uid, and without a name that is to be generated", () => {
  const seen: unknown[] = [];
  const { server } = newServer({
    admission: [
      ({ uid, name, object }) => {
        seen.push(name, (object?.["metadata"] as { uid?: string }).uid);
        return { uid, allowed: true };
      },
    ],
  });
  const made = server.create(PODS, { ...pod("a"), metadata: { generateName: "gen-" } });
  expect(seen).toEqual([undefined, undefined]);
  expect(made.metadata?.name).toMatch(/^gen-.{5}$/);
});

it("a webhook refuses creations and updates; one that throws is ignored", () => {
  const refuse: Webhook = ({ uid, operation }) => ({
    ...{ uid, allowed: operation === "CREATE" },
    status: { code: 403, reason: "Forbidden", message: "no" },
  });
  const broken: Webhook = () => {
    throw new Error("down");
  };
  const { server } = newServer({ admission: [broken, refuse] });
  server.create(PODS, pod("a"));
  const change = () => server.patch(`${PODS}/a`, { metadata: { labels: { a: "1" } } }, "merge");
  expect(refusalOf(change)).toBe("403 Forbidden");
  expect(refusalOf(() => server.bind(`${PODS}/a`, "n1"))).toBe("allowed");
  server.webhooks = [];
  expect(refusalOf(change)).toBe("allowed");
});

it("a new node is not ready, and a dry run writes nothing", async () => {
  const { server } = newServer();
  const client = server.client("test");
  await client.create(NODES, { metadata: { name: "n1" } }, { dryRun: "All" });
  expect(server.find(`${NODES}/n1`)).toBeUndefined();
  const taints = [{ key: "node.kubernetes.io/not-ready", effect: "NoSchedule" }];
  expect(server.create(NODES, { metadata: { name: "n1" } })["spec"]).toEqual({ taints });
});
