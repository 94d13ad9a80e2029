import { describe, expect, it } from "vitest";
import { FENCE_TAINT_KEY } from "../../../src/api/names.ts";
import type { ClusterFacts, KubeletSeen, OursSeen, WebhookSeen } from "../../../src/doctor/facts.ts";
import { findingCodes } from "../../../src/doctor/finding-codes.ts";
import { findingsOf } from "../../../src/doctor/rules/rules.ts";
import { doctorText } from "../../../src/doctor/report.ts";
import { podObject } from "../diagnose/inputs.ts";
import { clusterFacts, kubelet, NOW_MS, ours, podsSeen, policyResult } from "./cluster-facts.ts";

const codes = (over: Partial<ClusterFacts>) => findingsOf(clusterFacts(over)).map(({ code }) => code);
const withOurs = (over: Partial<OursSeen>) => ({ ours: { ...ours, ...over } });
const withWebhook = (over: Partial<WebhookSeen>) =>
  withOurs({ webhooks: ours.webhooks.map((webhook) => ({ ...webhook, ...over })) });
const withKubelet = (over: Partial<KubeletSeen>) => ({ kubelets: [{ ...kubelet, ...over }] });
const extender = {
  urlPrefix: "https://10.0.0.1/scheduler",
  ignorable: true,
  nodeCacheCapable: true,
  preempts: true,
  timeoutMs: 1_000,
};
const withExtender = (over: Partial<typeof extender> | { timeoutMs: undefined }) => ({
  ...withOurs({ policy: policyResult({ extender: { enabled: true } }) }),
  schedulers: [{ where: "ConfigMap/kube-system/s", names: ["x"], extenders: [{ ...extender, ...over }] }],
});
const autoscaler = { name: "kube-system/ca", minor: 33, knowsFence: false, delayAfterAddMs: 600_000 };
const daemonSet = { name: "logs/agent", toleratesFence: false, hasTolerations: false };
const pool = { name: "default", hasStartupTaint: true, consolidateAfterMs: 900_000 };
const ended = { subject: "CN=x", fromMs: NOW_MS - 90_000, toMs: NOW_MS + 1_000 };

/** Each broken fact, and all findings that it must lead to. */
const spoilt: Readonly<Record<string, Partial<ClusterFacts>>> = {
  SerializedImagePulls: withKubelet({ serializeImagePulls: true }),
  RuntimeTimeoutShort: withKubelet({ runtimeRequestTimeoutMs: 90_000 }),
  DrainTargetTooLong: withOurs({ policy: policyResult({ nodeClasses: [{ name: "slow", drainSeconds: 100 }] }) }),
  PullBudgetTooHigh: withKubelet({ registryPullQPS: 2 }),
  CgroupV1: withKubelet({ cgroupVersion: 1 }),
  PressureUnknown: {
    ...withOurs({ policy: policyResult({ telemetry: { source: "kubelet" } }) }),
    ...withKubelet({ psi: false }),
  },
  RegistryPullQPSLow: { ours: undefined, ...withKubelet({ registryPullQPS: 5, registryBurst: 10 }) },
  UnboundedImagePulls: { ours: undefined, ...withKubelet({ maxParallelImagePulls: undefined }) },
  RecentStartFailures: { pods: podsSeen([podObject]) },
  YoungNodeHerd: { ours: undefined, pods: podsSeen(herdOf(20)) },
  ImageOutlastsTimeout: { pods: podsSeen([], { images: [{ name: "llm", pods: 1, bytes: 8e9 }] }) },
  WebhookMissing: withOurs({ webhooks: ours.webhooks.slice(1) }),
  WebhookUnreachable: withWebhook({ answer: { kind: "silent", why: "ECONNREFUSED" } }),
  WebhookCertificateUntrusted: withWebhook({
    answer: { kind: "untrusted", certificate: { ...ended, toMs: NOW_MS + 90_000 }, why: "SELF_SIGNED_CERT_IN_CHAIN" },
  }),
  CertificateExpiring: withWebhook({ answer: { kind: "trusted", certificate: ended } }),
  WebhookFailsClosed: withWebhook({ failurePolicy: "Fail" }),
  WebhookTimeoutLong: withWebhook({ timeoutSeconds: 10 }),
  WebhookSeesKubeSystem: withWebhook({ seesKubeSystem: true }),
  TwoInstallations: withOurs({
    webhooks: [
      ...ours.webhooks,
      ...ours.webhooks.map((one) => ({ ...one, configuration: "MutatingWebhookConfiguration/b" })),
    ],
  }),
  NoLeader: withOurs({ leader: { holder: "", alive: false, renewed: "" } }),
  HeldPastCap: { pods: podsSeen([], { held: [{ name: "shop/a", sinceMs: NOW_MS - 500_000 }] }) },
  HeldWithoutLeader: { ours: undefined, pods: podsSeen([], { held: [{ name: "shop/a", sinceMs: NOW_MS - 5_000 }] }) },
  FencePastCap: {
    nodes: clusterFacts().nodes?.map((node) => ({ ...node, fence: { value: "node-1", sinceMs: NOW_MS - 800_000 } })),
  },
  PolicyMissing: withOurs({ policy: "missing" }),
  PolicyInvalid: withOurs({ policy: { ok: false, errors: [{ path: "mode", message: "mode: is wrong" }] } }),
  MissingRight: withOurs({ missingRights: ["patch nodes"] }),
  ExtenderNotIgnorable: withExtender({ ignorable: false }),
  ExtenderSendsWholeNodes: withExtender({ nodeCacheCapable: false }),
  ExtenderLetsEvict: withExtender({ preempts: false }),
  ExtenderTimeoutLong: withExtender({ timeoutMs: undefined }),
  ExtenderOffInPolicy: { schedulers: [{ where: "ConfigMap/a/b", names: ["paced"], extenders: [extender] }] },
  DaemonSetWaitsForFence: { daemonSets: [daemonSet] },
  NodePoolWithoutStartupTaint: { nodePools: [{ ...pool, hasStartupTaint: false }] },
  NodePoolConsolidatesEarly: { nodePools: [{ ...pool, consolidateAfterMs: 30_000 }] },
  AutoscalerIgnoresFence: { autoscalers: [{ ...autoscaler, minor: 28 }] },
  AutoscalerScalesDownEarly: { autoscalers: [{ ...autoscaler, delayAfterAddMs: 60_000 }] },
};

function herdOf(pods: number): object[] {
  return Array.from({ length: pods }, (_, index) => ({
    ...podObject,
    metadata: { name: `pod-${index}`, namespace: "shop", uid: `u${index}` },
    spec: { ...podObject.spec, nodeName: "node-1" },
    status: { startTime: new Date(NOW_MS - 240_000).toISOString() },
  }));
}

describe("rules", () => {
  it("find nothing in a healthy cluster", () => {
    expect(findingsOf(clusterFacts())).toEqual([]);
  });

  it.each(Object.entries(spoilt))("%s is found, and nothing else", (code, over) => {
    expect(codes(over)).toEqual([code]);
  });

  it("have a case in this test for every code", () => {
    expect(Object.keys(spoilt).sort()).toEqual(Object.keys(findingCodes).sort());
  });

  it("find nothing in facts that could not be read", () => {
    const nothing = { nodes: undefined, kubelets: [], pods: undefined, schedulers: [], daemonSets: [] };
    expect(codes({ ...nothing, ours: undefined })).toEqual([]);
    expect(
      codes({
        ...nothing,
        ...withOurs({ leader: undefined, policy: undefined, missingRights: undefined, webhooks: [] }),
      }),
    ).toEqual([]);
  });

  it("leave the kubelet's pull rate alone while Paceline budgets pulls below it", () => {
    expect(codes(withKubelet({ registryPullQPS: 5, registryBurst: 10, maxParallelImagePulls: undefined }))).toEqual([]);
  });

  it("propose more pulls in clusters of 200 nodes and above, and no change without a limit", () => {
    const [node] = clusterFacts().nodes ?? [];
    const nodes = Array.from({ length: 200 }, () => node).filter((one) => one !== undefined);
    expect(codes({ ours: undefined, nodes })).toEqual(["RegistryPullQPSLow"]);
    expect(codes({ ours: undefined, nodes, ...withKubelet({ registryPullQPS: 0 }) })).toEqual([]);
  });

  it("name a shared cause once, with all its objects", () => {
    const [finding] = findingsOf(clusterFacts(withWebhook({ failurePolicy: "Fail" })));
    expect(finding?.about).toHaveLength(2);
  });

  it("print a command for each DaemonSet that waits, which leaves its other tolerations alone", () => {
    const changeFor = (over: Partial<ClusterFacts>) => findingsOf(clusterFacts(over))[0]?.change.split("\n").slice(1);
    const toleration = `{"key":"${FENCE_TAINT_KEY}","operator":"Exists","effect":"NoSchedule"}`;
    expect(changeFor({ daemonSets: [daemonSet, { ...daemonSet, name: "b/c", hasTolerations: true }] })).toEqual([
      `kubectl patch daemonset agent -n logs --type=json -p '[{"op":"add","path":"/spec/template/spec/tolerations","value":[${toleration}]}]'`,
      `kubectl patch daemonset c -n b --type=json -p '[{"op":"add","path":"/spec/template/spec/tolerations/-","value":${toleration}}]'`,
    ]);
    const many = Array.from({ length: 8 }, (_, at) => ({ ...daemonSet, name: `logs/agent-${at}` }));
    expect(changeFor({ daemonSets: many })).toHaveLength(6);
    expect(changeFor({ daemonSets: many })?.at(-1)).toBe("and 3 more");
    expect(changeFor({ daemonSets: many.slice(0, 5) })).toHaveLength(5);
  });

  it("say for each finding what was seen, why it matters and what to change", () => {
    for (const over of Object.values(spoilt)) {
      const facts = clusterFacts(over);
      expect(doctorText(facts, findingsOf(facts))).toMatch(
        /1\. \w+: .+\n {3}Seen: {4}.+\n {3}Matters: .+\n {3}Change: {2}.+/,
      );
    }
  });
});
