/** Facts of a healthy, paced cluster for tests of the rules. Each test breaks one thing. */
import { nodeFacts } from "../../../src/kube/parse/facts.ts";
import type { ClusterFacts, KubeletSeen, OursSeen, PodsSeen, WebhookSeen } from "../../../src/doctor/facts.ts";
import { findingsOf } from "../../../src/diagnose/findings/findings.ts";
import { Tally } from "../../../src/diagnose/findings/tally.ts";
import { verdictOf } from "../../../src/diagnose/findings/verdict.ts";
import { readObject } from "../../../src/diagnose/records/objects.ts";
import { defaultPolicy } from "../../../src/policy/parse.ts";
import type { PacingPolicyInput } from "../../../src/policy/schema.ts";
import { rawNode } from "../../support/raw-objects.ts";

export const NOW_MS = Date.parse("2026-11-24T12:00:00Z");
const DAY_MS = 86_400_000;

export const kubelet: KubeletSeen = {
  node: "node-1",
  registryPullQPS: 10,
  registryBurst: 15,
  serializeImagePulls: false,
  maxParallelImagePulls: 6,
  runtimeRequestTimeoutMs: 120_000,
  cgroupVersion: 2,
  psi: true,
};

const certificate = { subject: "CN=paceline", fromMs: NOW_MS - 10 * DAY_MS, toMs: NOW_MS + 80 * DAY_MS };

const webhook = (name: string): WebhookSeen => ({
  configuration: "MutatingWebhookConfiguration/paceline",
  name,
  failurePolicy: "Ignore",
  timeoutSeconds: 2,
  seesKubeSystem: false,
  createdMs: NOW_MS - DAY_MS,
  namespaceSelector: {},
  objectSelector: {},
  address: "https://10.0.0.1",
  serviceNamespace: undefined,
  authorities: [certificate],
  answer: { kind: "trusted", certificate },
});

export const policyResult = (over: Omit<PacingPolicyInput, "apiVersion" | "kind"> = {}) => ({
  ok: true as const,
  policy: defaultPolicy(over),
});

export const ours: OursSeen = {
  namespace: "paceline",
  webhooks: [webhook("pods.paceline.dev"), webhook("nodes.paceline.dev")],
  leader: {
    holder: "a",
    alive: true,
    renewed: "2026-11-24T11:59:58.000000Z",
    sinceMs: NOW_MS - DAY_MS,
    askedMs: NOW_MS - 60_000,
  },
  policy: policyResult(),
  installation: {
    name: "paceline",
    priorityClassName: "system-cluster-critical",
    hasQuota: false,
    isRunning: false,
    refusal: undefined,
    port: 8443,
  },
  accountsDenied: true,
  rights: [{ account: "system:serviceaccount:paceline:paceline", missing: [] }],
};

/** Pods as the gatherer of pods and Events makes them from raw objects. */
export function podsSeen(objects: readonly object[] = [], over: Partial<PodsSeen> = {}): PodsSeen {
  const tally = new Tally(3_600_000, { sinceMs: NOW_MS - DAY_MS, untilMs: undefined });
  tally.nodeCreated("node-1", NOW_MS - 300_000);
  for (const object of objects) readObject(object as Readonly<Record<string, unknown>>, "", undefined, tally);
  const starts = findingsOf(tally);
  const rest = {
    count: objects.length,
    created: [],
    pending: [],
    refusedWrites: [],
    schedulers: new Map([["default-scheduler", 1]]),
    held: [],
    startedOnYoung: new Map<string, number>(),
    images: [],
  };
  return { ...rest, starts, verdict: verdictOf(starts), ...over };
}

export function clusterFacts(over: Partial<ClusterFacts> = {}): ClusterFacts {
  const { images: _images, ...node } = nodeFacts(rawNode());
  return {
    nowMs: NOW_MS,
    nodes: [
      {
        ...node,
        instanceType: "m5.xlarge",
        runtime: "containerd://2.1.5",
        kubelet: "v1.36.3",
        hasExternalAddress: true,
      },
    ],
    kubelets: [kubelet],
    pods: podsSeen(),
    ours,
    schedulers: [],
    rewriters: [],
    nodeClasses: [],
    daemonSets: [{ name: "kube-system/cni", toleratesFence: true, hasTolerations: true }],
    nodePools: [],
    autoscalers: [],
    notes: [],
    ...over,
  };
}
