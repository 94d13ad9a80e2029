/** Requests about nodes, Leases, ConfigMaps and Events, drawn at random. */
import fc from "fast-check";
import { FENCE_TAINT_KEY } from "../../../src/api/names.ts";
import type { Command } from "./command.ts";
import { version } from "./pod-commands.ts";

const FENCE = { key: FENCE_TAINT_KEY, value: "n0", effect: "NoSchedule" };
const OTHER = { key: "other", effect: "PreferNoSchedule" };

const nodeTarget = fc.record({ name: fc.constantFrom("n0", "n1"), uid: version, version });
const taints = fc.constantFrom<readonly object[]>([], [FENCE], [FENCE, OTHER], [FENCE, FENCE], [{ key: "no effect" }]);
const zone = fc.constantFrom<object>({}, { "topology.kubernetes.io/zone": "z1" });

export const nodeCreate = fc
  .record({ name: fc.constantFrom("n0", "n1"), taints, labels: zone })
  .map(({ name, taints, labels }): Command => {
    const status = { capacity: { pods: "110" }, allocatable: { pods: "110" } };
    const spec = taints.length === 0 ? {} : { taints };
    return { kind: "create", resource: "nodes", body: { metadata: { name, labels }, spec, status } };
  });

const nodeOperation = fc.constantFrom<object>(
  { op: "add", path: "/spec/taints/-", value: FENCE },
  { op: "remove", path: "/spec/taints" },
  { op: "remove", path: "/spec/taints/0" },
  { op: "replace", path: "/spec/taints", value: [FENCE] },
  { op: "add", path: "/spec/unschedulable", value: true },
  { op: "add", path: "/metadata/annotations", value: { "paceline.dev/fenced-at": "2026-01-01T00:00:00.000Z" } },
);

const nodePatch = fc
  .record({ target: nodeTarget, operations: fc.array(nodeOperation, { maxLength: 2 }) })
  .map(({ target, operations }): Command => ({ kind: "json-patch", resource: "nodes", ...target, operations }));

const ready = (status: string) => ({ type: "Ready", status, lastTransitionTime: "2026-01-01T00:00:00Z" });

const nodeStatus = fc
  .record({
    target: nodeTarget,
    status: fc.constantFrom("True", "False"),
    format: fc.constantFrom("merge", "strategic"),
  })
  .map(({ target, status, format }): Command => ({
    ...{ kind: "patch", resource: "nodes", subresource: "status", ...target },
    format: format,
    change: { status: { conditions: [ready(status)], addresses: [{ type: "InternalIP", address: "10.0.0.1" }] } },
  }));

const nodeDelete = nodeTarget.map((target): Command => ({
  kind: "delete",
  resource: "nodes",
  ...target,
  grace: undefined,
}));

const MICRO = "2026-01-01T00:00:00.000000Z";

const leaseSpec = fc.constantFrom<object>(
  { holderIdentity: "a", leaseDurationSeconds: 10, renewTime: MICRO, acquireTime: MICRO, leaseTransitions: 0 },
  { holderIdentity: "b", leaseDurationSeconds: 10, renewTime: MICRO, acquireTime: MICRO, leaseTransitions: 1 },
  { holderIdentity: "", leaseDurationSeconds: 1, renewTime: MICRO, acquireTime: MICRO, leaseTransitions: 1 },
  { holderIdentity: "a", leaseDurationSeconds: 0 },
  { holderIdentity: "a", leaseDurationSeconds: 10, leaseTransitions: -1 },
);

const lease = fc
  .record({ kind: fc.constantFrom("create", "patch", "put"), uid: version, version, spec: leaseSpec })
  .map(({ kind, uid, version, spec }): Command => {
    const aim = { resource: "leases", name: "leader", uid, version } as const;
    if (kind === "create") return { kind, resource: "leases", body: { metadata: { name: "leader" }, spec } };
    if (kind === "put") return { kind, ...aim, change: { spec } };
    return { kind: "patch", ...aim, format: "merge", change: { spec } };
  });

const configMap = fc
  .record({ kind: fc.constantFrom("create", "patch", "put", "delete"), uid: version, version, data: fc.nat(2) })
  .map(({ kind, uid, version, data }): Command => {
    const aim = { resource: "configmaps", name: "policy", uid, version } as const;
    const change = { data: { "policy.yaml": `version: ${data}` } };
    if (kind === "create") return { kind, resource: "configmaps", body: { metadata: { name: "policy" }, ...change } };
    if (kind === "put") return { kind, ...aim, change };
    if (kind === "delete") return { kind, ...aim, grace: undefined };
    return { kind: "patch", ...aim, format: "merge", change };
  });

const event = fc
  .record({
    name: fc.constantFrom("e0", "e1"),
    note: fc.constantFrom("short", "ö".repeat(600)),
    type: fc.constantFrom("Normal", "Odd"),
  })
  .map(({ name, note, type }): Command => ({
    kind: "create",
    resource: "events",
    body: {
      metadata: { name },
      ...{ eventTime: MICRO, reportingController: "paceline.dev/paceline", reportingInstance: "x", action: "Hold" },
      ...{ reason: "Held", type, note },
      regarding: { apiVersion: "v1", kind: "Pod", namespace: "$namespace", name: "p0" },
    },
  }));

const missingNamespace = fc.constant<Command>({
  ...{ kind: "create", resource: "configmaps", namespace: "no-such-namespace", body: { metadata: { name: "x" } } },
});

const badName = fc
  .constantFrom<object>({ name: "Not A Name" }, {}, { name: "x", labels: { "a b": "c" } })
  .map((metadata): Command => ({ kind: "create", resource: "configmaps", body: { metadata } }));

const get = fc.constantFrom<Command>(
  { kind: "get", resource: "nodes", name: "n0" },
  { kind: "get", resource: "leases", name: "leader" },
  { kind: "list", resource: "configmaps", limit: undefined, query: { fieldSelector: "metadata.name=policy" } },
  { kind: "list", resource: "events", limit: undefined, query: {} },
);

export const otherCommand: fc.Arbitrary<Command> = fc.oneof(
  { weight: 3, arbitrary: nodeCreate },
  { weight: 4, arbitrary: nodePatch },
  { weight: 2, arbitrary: nodeStatus },
  { weight: 1, arbitrary: nodeDelete },
  { weight: 4, arbitrary: lease },
  { weight: 3, arbitrary: configMap },
  { weight: 2, arbitrary: event },
  { weight: 1, arbitrary: missingNamespace },
  { weight: 1, arbitrary: badName },
  { weight: 2, arbitrary: get },
);
