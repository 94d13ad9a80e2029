/**
 * The facts that `paceline doctor` gathers; its rules see nothing else. Undefined: it could not be read, and a note
 * says why.
 */
import type { PodFacts, PodShape } from "../core/facts.ts";
import type { nodeFacts } from "../kube/parse/facts.ts";
import type { PolicyResult } from "../policy/parse.ts";
import type { LabelSelector } from "../policy/label-selector.ts";
import type { PacingPolicy } from "../policy/schema.ts";
import type { Findings } from "../diagnose/findings/findings.ts";
import type { Verdict } from "../diagnose/findings/verdict.ts";

/**
 * A node: what pacing knows about it, and what its kubelet reports about the machine. Images are in {@link ImageSeen}.
 */
export type NodeSeen = Omit<ReturnType<typeof nodeFacts>, "images"> & {
  readonly instanceType: string;
  readonly runtime: string;
  readonly kubelet: string;
  readonly hasExternalAddress: boolean;
};

/** The kubelet's settings that the rules need, as `/configz` returns them, and its cgroup version. */
export interface KubeletSeen {
  readonly node: string;
  readonly registryPullQPS: number | undefined;
  readonly registryBurst: number | undefined;
  readonly serializeImagePulls: boolean | undefined;
  /** Undefined or null: no limit. */
  readonly maxParallelImagePulls: number | undefined;
  readonly runtimeRequestTimeoutMs: number | undefined;
  readonly cgroupVersion: 1 | 2 | undefined;
  /** True if the kubelet's summary includes pressure figures other than the zeros of cgroup v1. */
  readonly psi: boolean | undefined;
}

/** An image that at least one pod uses. */
export interface ImageSeen {
  readonly name: string;
  readonly pods: number;
  /** The size that nodes list (compressed, with containerd); undefined if no node lists the image. */
  readonly bytes: number | undefined;
}

/** A pod that carries our gate. */
export interface HeldPod {
  /** `namespace/name`. */
  readonly name: string;
  readonly sinceMs: number;
}

/** A pod that the gate's webhook selects. */
export interface CreatedPod {
  /** `namespace/name`. */
  readonly name: string;
  readonly createdMs: number;
  /** It carries our gate, which only an answer of the webhook puts there. */
  readonly gated: boolean;
}

/** A pod without a node that no gate of others keeps back. */
export interface PendingPod {
  /** `namespace/name`. */
  readonly name: string;
  readonly createdMs: number;
  readonly shape: PodShape;
  readonly pinnedTo: PodFacts["pinnedTo"];
  /** A claim of its volumes that is missing, as kube-scheduler says. */
  readonly missingClaim: string | undefined;
}

export interface PodsSeen {
  readonly count: number;
  /** How many there are of each scheduler, those aside that are over. */
  readonly schedulers: ReadonlyMap<string, number>;
  /** Those of the last hour. */
  readonly created: readonly CreatedPod[];
  /** The first few thousand. */
  readonly pending: readonly PendingPod[];
  /** Pods about which an Event says that the policies of our accounts refused Paceline's write. */
  readonly refusedWrites: readonly string[];
  readonly held: readonly HeldPod[];
  /** The number of pods that each node got while it was young. */
  readonly startedOnYoung: ReadonlyMap<string, number>;
  readonly images: readonly ImageSeen[];
  /** Failed starts and herds of the last day, found by the core of `diagnose`. */
  readonly starts: Findings;
  readonly verdict: Verdict;
}

/** A webhook of others that is called when pods or nodes are updated. */
export interface RewriterSeen {
  readonly configuration: string;
  readonly name: string;
  readonly kinds: readonly ("pods" | "nodes")[];
}

export interface WebhookSeen {
  /** `MutatingWebhookConfiguration/paceline`. */
  readonly configuration: string;
  readonly name: string;
  readonly failurePolicy: string;
  readonly timeoutSeconds: number;
  readonly seesKubeSystem: boolean;
  /** When its configuration was created, epoch ms. */
  readonly createdMs: number;
  readonly namespaceSelector: LabelSelector;
  readonly objectSelector: LabelSelector;
  /** The address that the API server calls. */
  readonly address: string;
  /** Namespace of its Service, if it has one. */
  readonly serviceNamespace: string | undefined;
  /** Expiry times of the certificates in its caBundle; empty if it has none. */
  readonly authorities: readonly CertificateSeen[];
  readonly answer: WebhookAnswer;
}

export interface CertificateSeen {
  readonly subject: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/** The result of calling a webhook. `unchecked`: it answers, but its certificate cannot be seen from here. */
export type WebhookAnswer =
  | { readonly kind: "trusted"; readonly certificate: CertificateSeen }
  | { readonly kind: "untrusted"; readonly certificate: CertificateSeen; readonly why: string }
  | { readonly kind: "unchecked" }
  | { readonly kind: "silent"; readonly why: string };

export interface LeaderSeen {
  /** Empty if no replica holds the Lease. */
  readonly holder: string;
  readonly alive: boolean;
  /** RFC 3339; empty when there is no Lease. */
  readonly renewed: string;
  /** When it took the Lease, epoch ms. */
  readonly sinceMs: number;
  /** When some replica was last asked about a new pod, as they have noted it on the Lease, epoch ms. */
  readonly askedMs: number | undefined;
}

/** One of Paceline's accounts, and what it lacks. */
export interface AccountRights {
  /** `system:serviceaccount:…`. */
  readonly account: string;
  /** Such as `patch nodes`; undefined if no review could be made. */
  readonly missing: readonly string[] | undefined;
}

/** The replicas' Deployment. */
export interface InstallationSeen {
  readonly name: string;
  readonly priorityClassName: string;
  /** The namespace has a ResourceQuota for pods of that class; undefined: it could not be read. */
  readonly hasQuota: boolean | undefined;
  /** A replica is ready. */
  readonly isRunning: boolean;
  /** The message of a pod that was refused for want of such a quota. */
  readonly refusal: string | undefined;
  readonly port: number | undefined;
}

export interface OursSeen {
  readonly namespace: string;
  readonly webhooks: readonly WebhookSeen[];
  readonly leader: LeaderSeen | undefined;
  /** `missing`: there is no ConfigMap. */
  readonly policy: PolicyResult | "missing" | undefined;
  /** Undefined where no Deployment of ours is there. */
  readonly installation: InstallationSeen | undefined;
  /** Of replicas, second scheduler and janitor. */
  readonly rights: readonly AccountRights[];
  /** What our accounts may not do is refused (`admissionPolicies.accounts: Deny`). */
  readonly accountsDenied: boolean;
}

/** An extender in a scheduler's configuration that calls Paceline. */
export interface ExtenderSeen {
  readonly urlPrefix: string;
  readonly ignorable: boolean;
  readonly nodeCacheCapable: boolean;
  /** It is asked before pods are evicted. */
  readonly preempts: boolean;
  /** Undefined: kube-scheduler's default, 5 s. */
  readonly timeoutMs: number | undefined;
}

/** A kube-scheduler configuration found in a ConfigMap. */
export interface SchedulerSeen {
  /** `ConfigMap/namespace/name`. */
  readonly where: string;
  /** `schedulerName` of its profiles. */
  readonly names: readonly string[];
  /** Only the extenders that call Paceline. */
  readonly extenders: readonly ExtenderSeen[];
}

export interface DaemonSetSeen {
  /** `namespace/name`. */
  readonly name: string;
  readonly toleratesFence: boolean;
  /** Its template has a list of tolerations. */
  readonly hasTolerations: boolean;
}

/** An EC2NodeClass of Karpenter on AWS. */
export interface NodeClassSeen {
  readonly name: string;
  /** It turns on parallel pulling (FastImagePull, SOCI). */
  readonly pullsFast: boolean;
  /** Of its volumes; undefined: not known, or local disks. */
  readonly diskMibPerSecond: number | undefined;
}

export interface NodePoolSeen {
  readonly name: string;
  readonly hasStartupTaint: boolean;
  /** Undefined: `Never`, or not set. */
  readonly consolidateAfterMs: number | undefined;
}

/** A Deployment of Cluster Autoscaler. */
export interface AutoscalerSeen {
  /** `namespace/name`. */
  readonly name: string;
  /** The minor version of its image (1.x); undefined if the tag does not show it. */
  readonly minor: number | undefined;
  readonly knowsFence: boolean;
  /** `--scale-down-delay-after-add`, default 10 min. */
  readonly delayAfterAddMs: number;
}

export interface ClusterFacts {
  readonly nowMs: number;
  readonly nodes: readonly NodeSeen[] | undefined;
  readonly kubelets: readonly KubeletSeen[];
  readonly pods: PodsSeen | undefined;
  /** Undefined if Paceline is not installed. */
  readonly ours: OursSeen | undefined;
  readonly schedulers: readonly SchedulerSeen[];
  readonly rewriters: readonly RewriterSeen[];
  readonly daemonSets: readonly DaemonSetSeen[];
  readonly nodePools: readonly NodePoolSeen[];
  readonly nodeClasses: readonly NodeClassSeen[];
  readonly autoscalers: readonly AutoscalerSeen[];
  /** Sentences about what could not be read, or only in part, and why. */
  readonly notes: readonly string[];
}

/** The name of the gate's webhook. */
export const GATE_WEBHOOK = "pods.paceline.dev";

/** The policy in force, according to the ConfigMap. */
export function policyOf({ ours }: Pick<ClusterFacts, "ours">): PacingPolicy | undefined {
  const result = ours?.policy;
  return typeof result === "object" && result.ok ? result.policy : undefined;
}

/** True if Paceline holds pods now. */
export function isPaced(facts: ClusterFacts): boolean {
  const policy = policyOf(facts);
  const lever = policy?.gate.enabled === true || policy?.fence.enabled === true || policy?.extender.enabled === true;
  return policy?.mode === "enforce" && lever && facts.ours?.leader?.alive === true;
}

/** True if the policy has the fence on, also in mode observe. Autoscalers must know the fence before it is enforced. */
export function isFencing(facts: ClusterFacts): boolean {
  const policy = policyOf(facts);
  return policy !== undefined && policy.mode !== "off" && policy.fence.enabled;
}
