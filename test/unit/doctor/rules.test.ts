import { describe, expect, it } from "vitest";
import { FENCE_TAINT_KEY } from "../../../src/api/names.ts";
import type { ClusterFacts, KubeletSeen, OursSeen, WebhookSeen } from "../../../src/doctor/facts.ts";
import { findingCodes } from "../../../src/doctor/finding-codes.ts";
import { findingsOf } from "../../../src/doctor/rules/rules.ts";
import { doctorText } from "../../../src/doctor/report.ts";
import { podObject } from "../diagnose/inputs.ts";
import { aShape } from "../../support/core-facts.ts";
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

const leader = ours.leader ?? { holder: "", alive: false, renewed: "", sinceMs: 0, askedMs: undefined };
const createdPod = (name: string, agoMs: number, gated = false) => ({ name, createdMs: NOW_MS - agoMs, gated });
const rewriter = {
  configuration: "MutatingWebhookConfiguration/kyverno",
  name: "mutate.kyverno",
  kinds: ["pods"] as const,
};
const installation = {
  name: "paceline",
  priorityClassName: "system-cluster-critical",
  hasQuota: false,
  isRunning: false,
  refusal: undefined,
  port: 8443,
};
const gkeNodes = (hasExternalAddress: boolean) =>
  clusterFacts().nodes?.map((node) => ({ ...node, kubelet: "v1.33.5-gke.100", hasExternalAddress }));
const pendingPod = (shape: Parameters<typeof aShape>[0], given: { missingClaim?: string } = {}) => ({
  name: "shop/waits",
  createdMs: NOW_MS - 600_000,
  shape: aShape(shape),
  pinnedTo: undefined,
  missingClaim: given.missingClaim,
});

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
  NoLeader: withOurs({ leader: { ...leader, holder: "", alive: false } }),
  WebhookNotAsked: {
    ...withOurs({ leader: { ...leader, askedMs: NOW_MS - 900_000 } }),
    pods: podsSeen([], { created: [createdPod("shop/a", 400_000), createdPod("shop/b", 100_000)] }),
  },
  OwnWriteRefused: { rewriters: [rewriter], pods: podsSeen([], { refusedWrites: ["shop/a"] }) },
  WebhookMayRewrite: { rewriters: [rewriter] },
  CriticalClassRefused: { nodes: gkeNodes(true) },
  PrivateControlPlanePort: {
    nodes: gkeNodes(false),
    ...withOurs({ leader: { ...leader, askedMs: undefined }, installation: { ...installation, hasQuota: true } }),
  },
  FastPullsOnSlowDisk: { nodeClasses: [{ name: "fast", pullsFast: true, diskMibPerSecond: 125 }] },
  SchedulerNotPaced: {
    pods: podsSeen([], {
      schedulers: new Map([
        ["default-scheduler", 9],
        ["gke.io/other", 4],
      ]),
    }),
  },
  PodsFitNoNode: { pods: podsSeen([], { pending: [pendingPod({ nodeSelector: { disk: "ssd" } })] }) },
  HeldPastCap: { pods: podsSeen([], { held: [{ name: "shop/a", sinceMs: NOW_MS - 500_000 }] }) },
  HeldWithoutLeader: { ours: undefined, pods: podsSeen([], { held: [{ name: "shop/a", sinceMs: NOW_MS - 5_000 }] }) },
  FencePastCap: {
    nodes: clusterFacts().nodes?.map((node) => ({ ...node, fence: { value: "node-1", sinceMs: NOW_MS - 800_000 } })),
  },
  PolicyMissing: withOurs({ policy: "missing" }),
  PolicyInvalid: withOurs({ policy: { ok: false, errors: [{ path: "mode", message: "mode: is wrong" }] } }),
  MissingRight: withOurs({ rights: [{ account: "a", missing: ["patch nodes"] }] }),
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
        ...withOurs({
          leader: undefined,
          policy: undefined,
          rights: [{ account: "a", missing: undefined }],
          webhooks: [],
        }),
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

  it("speak of an unasked webhook only where pods came after the last question, for five minutes", () => {
    const pods = podsSeen([], { created: [createdPod("shop/a", 400_000)] });
    const asked = (agoMs: number | undefined, over: Partial<OursSeen> = {}) =>
      codes({
        pods,
        ...withOurs({ leader: { ...leader, askedMs: agoMs === undefined ? undefined : NOW_MS - agoMs }, ...over }),
      });
    expect(asked(undefined)).toEqual(["WebhookNotAsked"]);
    expect(asked(409_000)).toEqual([]); // its own question, by clocks that differ
    expect(asked(undefined, { leader: { ...leader, askedMs: undefined, sinceMs: NOW_MS - 300_000 } })).toEqual([]);
    expect(asked(undefined, { policy: policyResult({ gate: { enabled: false } }) })).toEqual([]);
    const later = podsSeen([], { created: [createdPod("shop/a", 400_000), createdPod("shop/held", 395_000, true)] });
    expect(codes({ pods: later, ...withOurs({ leader: { ...leader, askedMs: undefined } }) })).toEqual([]);
  });

  it("call webhooks of others that change pods on update a note, and only while our policies deny", () => {
    const [note] = findingsOf(clusterFacts({ rewriters: [rewriter] }));
    expect(note).toMatchObject({ severity: "note", about: ["MutatingWebhookConfiguration/kyverno/mutate.kyverno"] });
    expect(note?.change).toContain("admissionPolicies.accounts=Audit");
    expect(codes({ rewriters: [rewriter], ...withOurs({ accountsDenied: false }) })).toEqual([]);
    expect(doctorText(clusterFacts(), note ? [note] : [])).toMatch(/Nothing to mend\. 1 note:/);
  });

  it("say beside the advice about NodePools that Karpenter replaces their nodes", () => {
    const nodes = clusterFacts().nodes?.map((node) => ({ ...node, labels: { "karpenter.sh/nodepool": "default" } }));
    const [finding] = findingsOf(clusterFacts({ nodes, nodePools: [{ ...pool, hasStartupTaint: false }] }));
    expect(finding?.change).toMatch(/drift and replaces 1 node that is there now/);
  });

  it("leave GKE alone where a quota is there, where the class is another, where replicas run, and where the webhook was asked", () => {
    const nodes = gkeNodes(false);
    expect(codes({ nodes, ...withOurs({ installation: { ...installation, hasQuota: true } }) })).toEqual([]);
    expect(codes({ nodes, ...withOurs({ installation: { ...installation, priorityClassName: "" } }) })).toEqual([]);
    for (const over of [{ isRunning: true }, { hasQuota: undefined }])
      expect(codes({ nodes, ...withOurs({ installation: { ...installation, ...over } }) })).toEqual([]);
    const refusal = "insufficient quota to match these scopes: [{PriorityClass In [system-cluster-critical]}]";
    expect(codes(withOurs({ installation: { ...installation, refusal } }))).toEqual(["CriticalClassRefused"]);
  });

  it("leave fast pulls alone on fast disks, on local ones, and where they are off", () => {
    const nodeClass = { name: "a", pullsFast: true, diskMibPerSecond: 600 };
    const others = [nodeClass, { ...nodeClass, diskMibPerSecond: undefined }, { ...nodeClass, pullsFast: false }];
    expect(codes({ nodeClasses: others })).toEqual([]);
  });

  it.each([
    ["labels", pendingPod({ nodeSelector: { disk: "ssd" } }), /no node has the labels/],
    ["a size", pendingPod({ requests: { cpu: 1e9 } }), /more cpu than any node/],
    ["a claim", pendingPod({}, { missingClaim: "data" }), /volume claims do not exist/],
  ])("name pending pods that no node fits, for want of %s, in a note", (_case, pod, words) => {
    const [note, ...more] = findingsOf(
      clusterFacts({ pods: podsSeen([], { pending: [pod, { ...pod, name: "shop/b" }] }) }),
    );
    expect(more).toEqual([]);
    expect(note).toMatchObject({ severity: "note", about: ["Pod/shop/waits", "Pod/shop/b"] });
    expect(note?.seen).toMatch(words);
  });

  it("say nothing of pods that wait for room, for a cordon's end or a taint's, or that are new", () => {
    const nodes = clusterFacts().nodes?.map((node) => ({ ...node, unschedulable: true }));
    expect(codes({ nodes, pods: podsSeen([], { pending: [pendingPod({})] }) })).toEqual([]);
    const isNew = { ...pendingPod({ nodeSelector: { disk: "ssd" } }), createdMs: NOW_MS - 60_000 };
    expect(codes({ pods: podsSeen([], { pending: [isNew] }) })).toEqual([]);
  });

  it("say for each finding what was seen, why it matters and what to change", () => {
    for (const over of Object.values(spoilt)) {
      const facts = clusterFacts(over);
      expect(doctorText(facts, findingsOf(facts))).toMatch(
        /1\. \w+(?: \(note\))?: .+\n {3}Seen: {4}.+\n {3}Matters: .+\n {3}Change: {2}.+/,
      );
    }
  });
});
