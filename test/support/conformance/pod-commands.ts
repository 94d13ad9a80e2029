/** Requests about pods, drawn at random. Names are few, so that requests meet each other. */
import fc from "fast-check";
import { GATE, FENCE_TAINT_KEY } from "../../../src/api/names.ts";
import type { Command, Version } from "./command.ts";

const OTHER_GATE = "example.com/other";
const FIRST_TOLERATION = { key: "a", operator: "Exists", effect: "NoSchedule" };
const FENCE_TOLERATION = { key: FENCE_TAINT_KEY, operator: "Equal", value: "n0", effect: "NoSchedule" };
const EVICTED_LATER = { key: "a", operator: "Exists", effect: "NoExecute", tolerationSeconds: 60 };
const BAD_TOLERATION = { key: "a", operator: "Exists", value: "b" };
const IMAGE = "example.com/app:1";

const podName = fc.constantFrom("p0", "p1", "p2");
const gates = fc.subarray([{ name: GATE }, { name: OTHER_GATE }]);
const tolerations = fc.subarray([FIRST_TOLERATION, FENCE_TOLERATION, EVICTED_LATER], { maxLength: 2 });
const annotations = fc.constantFrom({}, { a: "1" }, { "paceline.dev/hold": "{}" });
const labels = fc.constantFrom({}, { app: "a" }, { app: "b", tier: "x" });
export const version: fc.Arbitrary<Version> = fc.constantFrom("none", "none", "current", "current", "first", "wrong");

const affinityOf = (...terms: readonly object[]) => ({
  nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } },
});
const pinned = { matchFields: [{ key: "metadata.name", operator: "In", values: ["n0"] }] };
const labelled = { matchExpressions: [{ key: "zone", operator: "Exists" }] };
const affinity = fc.constantFrom(affinityOf(pinned), affinityOf(labelled), affinityOf({ ...pinned, ...labelled }));

/** Now and then a field that makes the pod invalid. */
const oddities = fc.constantFrom<object>(
  ...Array.from({ length: 40 }, () => ({})),
  { containers: [] },
  { containers: [{ name: "main" }] },
  { tolerations: [BAD_TOLERATION] },
  { schedulingGates: [{ name: GATE }, { name: GATE }] },
  { schedulingGates: [{ name: "not a gate" }] },
);

const podSpec = fc
  .record({
    gates,
    tolerations,
    nodeName: fc.constantFrom(undefined, undefined, undefined, undefined, undefined, "n0"),
    affinity: fc.option(affinity, { nil: undefined, freq: 4 }),
    grace: fc.constantFrom(undefined, 0, 5),
    odd: oddities,
    resources: fc.constantFrom({}, { requests: { cpu: "100m" } }, { limits: { cpu: "1", memory: "1Gi" } }),
  })
  .map(({ gates, tolerations, nodeName, affinity, grace, odd, resources }) => ({
    containers: [{ name: "main", image: IMAGE, resources }],
    ...(gates.length === 0 ? {} : { schedulingGates: gates }),
    ...(tolerations.length === 0 ? {} : { tolerations }),
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(affinity === undefined ? {} : { affinity }),
    ...(grace === undefined ? {} : { terminationGracePeriodSeconds: grace }),
    ...odd,
  }));

export const podCreate = fc
  .record({ name: podName, annotations, labels, spec: podSpec, finalizer: fc.nat(9) })
  .map(({ name, annotations, labels, spec, finalizer }): Command => {
    const finalizers = finalizer === 0 ? { finalizers: ["example.com/hold"] } : {};
    const status = { phase: "Running" };
    return {
      kind: "create",
      resource: "pods",
      body: { metadata: { name, annotations, labels, ...finalizers }, spec, status },
    };
  });

const operation = fc.constantFrom<object>(
  { op: "remove", path: "/spec/schedulingGates" },
  { op: "remove", path: "/spec/schedulingGates/0" },
  { op: "replace", path: "/spec/schedulingGates", value: [] },
  { op: "add", path: "/spec/schedulingGates/-", value: { name: "example.com/new" } },
  { op: "add", path: "/spec/schedulingGates", value: [{ name: GATE }] },
  { op: "add", path: "/spec/tolerations/-", value: FENCE_TOLERATION },
  { op: "add", path: "/spec/tolerations/-", value: BAD_TOLERATION },
  { op: "remove", path: "/spec/tolerations/0" },
  { op: "remove", path: "/spec/tolerations" },
  { op: "replace", path: "/spec/tolerations/0/key", value: "changed" },
  { op: "replace", path: "/spec/tolerations/0/tolerationSeconds", value: 7 },
  { op: "add", path: "/metadata/annotations/b", value: "2" },
  { op: "add", path: "/metadata/annotations", value: { a: "2" } },
  { op: "remove", path: "/metadata/annotations/a" },
  { op: "replace", path: "/metadata/labels/app", value: "c" },
  { op: "replace", path: "/spec/containers/0/image", value: "example.com/app:2" },
  { op: "add", path: "/spec/nodeName", value: "n1" },
  { op: "add", path: "/spec/priority", value: 7 },
  { op: "add", path: "/spec/hostNetwork", value: true },
  { op: "add", path: "/spec/nodeSelector", value: { disk: "fast" } },
  { op: "add", path: "/spec/affinity", value: affinityOf({ ...pinned, ...labelled }) },
  { op: "remove", path: "/spec/affinity" },
  { op: "remove", path: "/metadata/finalizers" },
  { op: "add", path: "/status/phase", value: "Failed" },
  { op: "add", path: "/nowhere/field", value: 1 },
);

const target = fc.record({ name: podName, uid: version, version });

const jsonPatch = fc
  .record({ target, operations: fc.array(operation, { minLength: 0, maxLength: 3 }) })
  .map(({ target, operations }): Command => ({ kind: "json-patch", resource: "pods", ...target, operations }));

const podChange = fc.oneof(
  fc.constantFrom<object>(
    { metadata: { annotations: { a: null, b: "3" } } },
    { metadata: { annotations: { a: "1" } } },
    { metadata: { labels: { app: null } } },
    { metadata: { finalizers: null } },
    { spec: { schedulingGates: null } },
    { spec: { schedulingGates: [{ name: OTHER_GATE }] } },
    { spec: { schedulingGates: [{ name: GATE, $patch: "delete" }] } },
    {
      spec: { schedulingGates: [{ $patch: "delete", name: GATE }] },
      metadata: { annotations: { "paceline.dev/hold": null } },
    },
    { spec: { tolerations: [FIRST_TOLERATION, FENCE_TOLERATION] } },
    { spec: { tolerations: [EVICTED_LATER] } },
    { spec: { nodeName: "n1" } },
    { spec: { containers: [{ name: "main", image: "example.com/app:3" }] } },
    { spec: { containers: [{ name: "second", image: "example.com/app:3" }] } },
    { spec: { activeDeadlineSeconds: 100 } },
    { spec: { nodeSelector: { disk: "slow" } } },
    {},
  ),
  fc.record({ metadata: fc.record({ annotations, labels }) }),
);

const mergePatch = fc
  .record({ target, format: fc.constantFrom("merge" as const, "strategic" as const), change: podChange })
  .map(({ target, format, change }): Command => ({ kind: "patch", resource: "pods", ...target, format, change }));

/** Without tolerations: kube-apiserver gives a PUT that lacks its own two a new version, but only a second later. */
const put = fc
  .record({ target, change: podChange.filter((change) => !JSON.stringify(change).includes("tolerations")) })
  .map(({ target, change }): Command => ({ kind: "put", resource: "pods", ...target, change }));

const condition = (type: string, status: string, more: object = {}) => ({
  ...{ type, status, lastTransitionTime: "2026-01-01T00:00:00Z" },
  ...more,
});

const status = fc
  .record({
    target,
    format: fc.constantFrom("merge" as const, "strategic" as const),
    change: fc.constantFrom<object>(
      { status: { phase: "Running" } },
      { status: { phase: "Succeeded" } },
      { status: { conditions: [condition("Ready", "True")] } },
      {
        status: {
          conditions: [condition("PodScheduled", "False", { reason: "Unschedulable", observedGeneration: 1 })],
        },
      },
      { status: { conditions: [condition("PodScheduled", "False", { reason: "Unschedulable", message: "again" })] } },
      { spec: { nodeName: "n1" }, metadata: { annotations: { status: "written" } } },
    ),
  })
  .map(({ target, format, change }): Command => {
    return { kind: "patch", resource: "pods", subresource: "status", ...target, format, change };
  });

const bind = fc
  .record({ target, node: fc.constantFrom("n0", "n1", "") })
  .map(({ target, node }): Command => ({ kind: "bind", ...target, node }));

const remove = fc
  .record({ target, grace: fc.constantFrom(undefined, undefined, 0, 1, 10) })
  .map(({ target, grace }): Command => ({ kind: "delete", resource: "pods", ...target, grace }));

const get = podName.map((name): Command => ({ kind: "get", resource: "pods", name }));

const list = fc
  .record({
    limit: fc.constantFrom(undefined, 1, 2),
    query: fc.constantFrom<Record<string, string>>(
      {},
      { fieldSelector: "spec.nodeName=" },
      { fieldSelector: "status.phase!=Succeeded,status.phase!=Failed" },
      { labelSelector: "app=a" },
      { labelSelector: "app notin (a, b)" },
      { labelSelector: "app in (a, b),tier" },
      { fieldSelector: "spec.unknown=1" },
    ),
  })
  .map(({ limit, query }): Command => ({ kind: "list", resource: "pods", limit, query }));

export const podCommand: fc.Arbitrary<Command> = fc.oneof(
  { weight: 5, arbitrary: podCreate },
  { weight: 5, arbitrary: jsonPatch },
  { weight: 5, arbitrary: mergePatch },
  { weight: 2, arbitrary: put },
  { weight: 2, arbitrary: status },
  { weight: 3, arbitrary: bind },
  { weight: 3, arbitrary: remove },
  { weight: 1, arbitrary: get },
  { weight: 2, arbitrary: list },
);
