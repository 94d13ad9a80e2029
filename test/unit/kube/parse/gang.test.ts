/** Which gang a pod belongs to, by what schedulers and queues write on their pods. */
import { expect, test } from "vitest";
import { podFacts } from "../../../../src/kube/parse/facts.ts";
import { createShapeInterner } from "../../../../src/kube/parse/shape-interner.ts";

type Texts = Readonly<Record<string, string>>;

const gangOf = (labels: Texts, annotations: Texts = {}, spec: object = {}) =>
  podFacts({ metadata: { name: "p", namespace: "team", labels, annotations }, spec }, createShapeInterner()).gang;

test.each<[string, Texts, Texts, object]>([
  ["coscheduling", { "scheduling.x-k8s.io/pod-group": "a" }, {}, {}],
  ["coscheduling before its CRD", { "pod-group.scheduling.sigs.k8s.io": "a" }, {}, {}],
  ["coscheduling at first", { "pod-group.scheduling.sigs.k8s.io/name": "a" }, {}, {}],
  ["Kueue", { "kueue.x-k8s.io/pod-group-name": "a" }, {}, {}],
  ["LeaderWorkerSet", { "leaderworkerset.sigs.k8s.io/group-key": "a" }, {}, {}],
  ["Volcano", {}, { "scheduling.k8s.io/group-name": "a" }, {}],
  ["Kubernetes 1.36", {}, {}, { schedulingGroup: { podGroupName: "a" } }],
  ["Kubernetes 1.35", {}, {}, { workloadRef: { name: "w", podGroup: "a", podGroupReplicaKey: "0" } }],
])("a pod of a gang of %s is told from those without and of other gangs", (_, labels, annotations, spec) => {
  const other = <Part extends object>(part: Part) => JSON.parse(JSON.stringify(part).replaceAll('"a"', '"b"')) as Part;
  const gang = gangOf(labels, annotations, spec);
  expect(gang).toMatch(/^team\/.*\ba\b/);
  expect(gangOf(labels, annotations, spec)).toBe(gang);
  expect(gangOf(other(labels), other(annotations), other(spec))).not.toBe(gang);
});

test("a StatefulSet of Kueue's is no gang: its replicas come and go one by one; a LeaderWorkerSet of Kueue's is one", () => {
  const group = { "kueue.x-k8s.io/pod-group-name": "a" };
  const serving = { "kueue.x-k8s.io/pod-group-serving": "true" };
  expect(gangOf(group, serving)).toBeUndefined();
  expect(gangOf({ ...group, ...serving })).toBeUndefined();
  expect(gangOf({ ...group, "leaderworkerset.sigs.k8s.io/group-key": "k" }, serving)).toContain("group-key/k");
});

test.each<[string, Texts, Texts, object]>([
  ["nothing", {}, {}, {}],
  ["an empty name", { "kueue.x-k8s.io/pod-group-name": "" }, {}, { schedulingGroup: {} }],
  ["a queue of Kueue's alone", { "kueue.x-k8s.io/queue-name": "q" }, {}, {}],
  ["a JobSet, which starts its pods one by one", { "jobset.sigs.k8s.io/jobset-name": "a" }, {}, {}],
  ["fields of other types", {}, {}, { schedulingGroup: "a", workloadRef: ["a"] }],
])("a pod with %s is of none", (_, labels, annotations, spec) => {
  expect(gangOf(labels, annotations, spec)).toBeUndefined();
});

test("pods of two gangs of one template share all else", () => {
  const interner = createShapeInterner();
  const shapeOf = (podGroupName: string) =>
    podFacts({ metadata: { name: "p" }, spec: { schedulingGroup: { podGroupName } } }, interner).shape;
  expect(shapeOf("a")).toBe(shapeOf("b"));
});
