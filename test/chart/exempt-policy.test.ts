/** The chart's admission policy on a real API server: exempt pods pass every fence from their creation on. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { findHelm } from "../../dev/chart/helm.ts";
import { startControlPlane, type ControlPlane } from "../../dev/control-plane/control-plane.ts";
import { FENCE_TAINT_KEY, PACING_LABEL, YOUNG_TAINT_KEY } from "../../src/api/names.ts";
import { podFacts } from "../../src/kube/parse/facts.ts";
import { createShapeInterner } from "../../src/kube/parse/shape-interner.ts";
import { recordOf, recordsOf } from "../../src/kube/parse/kube-json.ts";
import { exempt as exemptShape } from "../../src/core/rules/exempt.ts";
import { Namespaces } from "../../src/core/state/namespaces.ts";
import { EVERY_FENCE } from "../../src/core/verdict.ts";
import type { LabelSelector } from "../../src/policy/label-selector.ts";
import { defaultPolicy } from "../../src/policy/parse.ts";
import { aShape } from "../support/core-facts.ts";
import { eventually } from "../support/control-plane.ts";
import { applyAll, chartObjects } from "../support/installed.ts";

const KIND = "MutatingAdmissionPolicy";
const API = ["--api-versions", `admissionregistration.k8s.io/v1/${KIND}`];

/** What the API server adds to every pod. */
const ALLOWED = ["not-ready", "unreachable"].map((key) => ({
  key: `node.kubernetes.io/${key}`,
  operator: "Exists",
  effect: "NoExecute",
}));

/** Namespaces that the policy exempts, and those that alone it paces. */
const OUT: LabelSelector = {
  matchLabels: { tier: "data" },
  matchExpressions: [{ key: "web", operator: "DoesNotExist" }],
};
const ONLY: LabelSelector = {
  matchExpressions: [
    { key: "canary", operator: "Exists" },
    { key: "kubernetes.io/metadata.name", operator: "NotIn", values: ["excluded"] },
    { key: "canary", operator: "In", values: ["yes", "true"] },
  ],
};
const CANARY = { canary: "yes" };
const NAMESPACES: Readonly<Record<string, Record<string, string>>> = {
  ...{ team: CANARY, vital: CANARY, excluded: CANARY, outside: {}, bystander: { canary: "no" } },
  optedout: { ...CANARY, [PACING_LABEL]: "disabled" },
  data: { ...CANARY, tier: "data" },
  webdata: { ...CANARY, tier: "data", web: "" },
};

const helm = await findHelm();
let cp: ControlPlane;

beforeAll(async () => {
  cp = await startControlPlane({ scheduler: false, admissionPlugins: ["PodTolerationRestriction"] });
  const rendered = await chartObjects(helm, [
    ...API,
    "--set",
    "policy.exempt.namespaces={vital}",
    "--set",
    "policy.exempt.minPriority=1000",
    "--set-json",
    `policy.exempt.namespaceSelector=${JSON.stringify(OUT)}`,
    "--set-json",
    `policy.namespaces.selector=${JSON.stringify(ONLY)}`,
    "--set",
    "secondScheduler.schedulerName=second",
  ]);
  const policies = rendered.filter(({ kind }) => String(kind).startsWith(KIND));
  expect(policies).toHaveLength(2);
  await applyAll(cp, policies);
  for (const [name, value] of Object.entries({ low: 999, high: 1_000 })) {
    await cp.client.create("/apis/scheduling.k8s.io/v1/priorityclasses", { metadata: { name }, value });
  }
  for (const [name, labels] of Object.entries(NAMESPACES)) {
    await cp.client.create("/api/v1/namespaces", { metadata: { name, labels } });
  }
  await cp.client.create("/api/v1/namespaces", {
    metadata: {
      name: "strict",
      labels: { "kubernetes.io/metadata.name": "strict" },
      annotations: { "scheduler.alpha.kubernetes.io/tolerationsWhitelist": JSON.stringify(ALLOWED) },
    },
  });
  await eventually("the policy is in force", async () => (await tolerated("vital")).length > 0);
});
afterAll(() => cp.stop());

/** What a new pod of the namespace tolerates of fences, as the core reads it. Nothing is created. */
async function tolerated(namespace: string, { labels = {}, ...spec }: Record<string, unknown> = {}) {
  const pod = { metadata: { name: "p", labels }, spec: { containers: [{ name: "main", image: "app:1" }], ...spec } };
  const created = await cp.client.create(`/api/v1/namespaces/${namespace}/pods`, pod, { dryRun: "All" });
  return podFacts(created, createShapeInterner()).fencesTolerated;
}

it.each<[string, string, Record<string, unknown>]>([
  ["of a namespace that the policy exempts", "vital", {}],
  ["of kube-system", "kube-system", {}],
  ["that opts out", "team", { labels: { [PACING_LABEL]: "disabled" } }],
  ["that is critical", "team", { priorityClassName: "system-cluster-critical" }],
  ["of the policy's least exempt priority", "team", { priorityClassName: "high" }],
  ["of another scheduler", "team", { schedulerName: "volcano" }],
  ["with tolerations of its own", "vital", { tolerations: [{ key: "gpu", operator: "Exists" }] }],
])("a pod %s tolerates every fence", async (_, namespace, given) => {
  expect(await tolerated(namespace, given)).toEqual([EVERY_FENCE]);
});

it("an exempt pod of a namespace that does not allow the toleration is created without it", async () => {
  expect(await tolerated("strict", { priorityClassName: "high" })).toEqual([]);
});

it("a namespace's labels decide as in the service: opted out, exempt by the policy, or not among those that it paces", async () => {
  const exempt: string[] = [];
  for (const name of Object.keys(NAMESPACES)) if ((await tolerated(name)).length > 0) exempt.push(name);
  expect(exempt.toSorted()).toEqual(["bystander", "data", "excluded", "optedout", "outside", "vital"]);
  const core = new Namespaces();
  for (const [name, labels] of Object.entries(NAMESPACES)) {
    core.upsert(name, { ...labels, "kubernetes.io/metadata.name": name });
  }
  const policy = defaultPolicy({
    exempt: { namespaces: ["vital"], namespaceSelector: OUT },
    namespaces: { selector: ONLY },
  });
  const asTheCore = Object.keys(NAMESPACES).filter((namespace) => exemptShape(aShape({ namespace }), policy, core));
  expect(asTheCore.toSorted()).toEqual(exempt.toSorted());
});

it("exempt pods are not steered: they tolerate the soft taint of young nodes as well", async () => {
  const pod = { metadata: { name: "p" }, spec: { containers: [{ name: "main", image: "app:1" }] } };
  const created = await cp.client.create("/api/v1/namespaces/vital/pods", pod, { dryRun: "All" });
  const soft = { key: YOUNG_TAINT_KEY, operator: "Exists", effect: "PreferNoSchedule" };
  expect(recordsOf(recordOf(created["spec"])["tolerations"])).toContainEqual(soft);
});

it("other pods do not, and nothing is added twice", async () => {
  expect(await tolerated("team", { labels: { [PACING_LABEL]: "enabled" } })).toEqual([]);
  expect(await tolerated("team", { priorityClassName: "low" })).toEqual([]);
  expect(await tolerated("team", { schedulerName: "second" })).toEqual([]);
  const tolerations = [{ key: FENCE_TAINT_KEY, operator: "Exists", effect: "NoSchedule" }];
  const spec = { containers: [{ name: "main", image: "app:1" }], tolerations };
  const path = "/api/v1/namespaces/vital/pods";
  const created = await cp.client.create(path, { metadata: { name: "p" }, spec }, { dryRun: "All" });
  const ours = recordsOf(recordOf(created["spec"])["tolerations"]).filter(({ key }) => key === FENCE_TAINT_KEY);
  expect(ours).toEqual(tolerations);
});

it("is left out where the API server has no such policies, where nodes have no webhook, and where it is not wanted", async () => {
  const kinds = async (...args: string[]) => (await chartObjects(helm, args)).map(({ kind }) => kind);
  expect(await kinds()).not.toContain(KIND);
  expect(await kinds(...API, "--set", "webhooks.nodes=false")).not.toContain(KIND);
  expect(await kinds(...API, "--set", "webhooks.exemptPolicy=false")).not.toContain(KIND);
});

it.each<[string, boolean]>([
  ["policy.mode=observe", false],
  ["policy.mode=off", false],
  ["policy.fence.enabled=false", false],
  ["policy.fence.maxSeconds=60", true],
  ["policy.mode=enforce", true],
  ["policy.mode=null", true],
])("with %s, is it there? %s: a policy that raises no fence changes no pod", async (value, isThere) => {
  const kinds = (await chartObjects(helm, [...API, "--set", value])).map(({ kind }) => kind);
  expect(kinds.includes(KIND)).toBe(isThere);
});
