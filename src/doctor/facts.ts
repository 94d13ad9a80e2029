/** What `paceline doctor` gathers, and all that its rules look at. Undefined: it could not be seen (a note says why). */
import type { nodeFacts } from "../kube/parse/facts.ts";
import type { PolicyResult } from "../policy/parse.ts";
import type { PacingPolicy } from "../policy/schema.ts";
import type { Findings } from "../diagnose/findings/findings.ts";
import type { Verdict } from "../diagnose/findings/verdict.ts";

/** A node: what pacing knows of it, and what its kubelet says of the machine. Images are in {@link ImageSeen}. */
export type NodeSeen = Omit<ReturnType<typeof nodeFacts>, "images"> & {
  readonly instanceType: string;
  readonly runtime: string;
  readonly kubelet: string;
};

/** The kubelet's settings that matter, as `/configz` gives them, and its cgroups. */
export interface KubeletSeen {
  readonly node: string;
  readonly registryPullQPS: number | undefined;
  readonly registryBurst: number | undefined;
  readonly serializeImagePulls: boolean | undefined;
  /** Undefined or null: no limit. */
  readonly maxParallelImagePulls: number | undefined;
  readonly runtimeRequestTimeoutMs: number | undefined;
  readonly cgroupVersion: 1 | 2 | undefined;
  /** Whether its summary has pressure figures. */
  readonly psi: boolean | undefined;
}

/** An image that some pod runs. */
export interface ImageSeen {
  readonly name: string;
  readonly pods: number;
  /** As nodes list it (containerd: compressed); undefined when no node lists it. */
  readonly bytes: number | undefined;
}

/** A pod that carries our gate. */
export interface HeldPod {
  /** `namespace/name`. */
  readonly name: string;
  readonly sinceMs: number;
}

export interface PodsSeen {
  readonly count: number;
  readonly held: readonly HeldPod[];
  /** Pods by node, of those that came to it while it was young. */
  readonly startedOnYoung: ReadonlyMap<string, number>;
  readonly images: readonly ImageSeen[];
  /** Failed starts and herds of the last day, by the core of `diagnose`. */
  readonly starts: Findings;
  readonly verdict: Verdict;
}

export interface WebhookSeen {
  /** `MutatingWebhookConfiguration/paceline`. */
  readonly configuration: string;
  readonly name: string;
  readonly failurePolicy: string;
  readonly timeoutSeconds: number;
  readonly seesKubeSystem: boolean;
  /** Where it is called. */
  readonly address: string;
  /** Namespace of its Service, where it has one. */
  readonly serviceNamespace: string | undefined;
  /** Ends of the certificates of its caBundle; none: it has no bundle. */
  readonly authorities: readonly CertificateSeen[];
  readonly answer: WebhookAnswer;
}

export interface CertificateSeen {
  readonly subject: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/** What came of calling a webhook. `unchecked`: somebody answers, but its certificate cannot be seen from here. */
export type WebhookAnswer =
  | { readonly kind: "trusted"; readonly certificate: CertificateSeen }
  | { readonly kind: "untrusted"; readonly certificate: CertificateSeen; readonly why: string }
  | { readonly kind: "unchecked" }
  | { readonly kind: "silent"; readonly why: string };

export interface LeaderSeen {
  /** Empty: nobody. */
  readonly holder: string;
  readonly alive: boolean;
  /** RFC 3339; empty when there is no Lease. */
  readonly renewed: string;
}

/** A right of the service's account that it lacks: `patch nodes`. */
export type MissingRight = string;

export interface OursSeen {
  readonly namespace: string;
  readonly webhooks: readonly WebhookSeen[];
  readonly leader: LeaderSeen | undefined;
  /** `missing`: there is no ConfigMap. */
  readonly policy: PolicyResult | "missing" | undefined;
  /** Rights that its account lacks; undefined: could not be asked. */
  readonly missingRights: readonly MissingRight[] | undefined;
  /** `system:serviceaccount:…` that was asked about. */
  readonly account: string;
}

/** One extender of a scheduler's configuration that calls Paceline. */
export interface ExtenderSeen {
  readonly urlPrefix: string;
  readonly ignorable: boolean;
  readonly nodeCacheCapable: boolean;
  /** Undefined: kube-scheduler's default, 5 s. */
  readonly timeoutMs: number | undefined;
}

/** A kube-scheduler's configuration that was found in a ConfigMap. */
export interface SchedulerSeen {
  /** `ConfigMap/namespace/name`. */
  readonly where: string;
  /** `schedulerName` of its profiles. */
  readonly names: readonly string[];
  /** Ours only. */
  readonly extenders: readonly ExtenderSeen[];
}

export interface DaemonSetSeen {
  /** `namespace/name`. */
  readonly name: string;
  readonly toleratesFence: boolean;
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
  /** Minor of its image's version 1.x; undefined: not told by the tag. */
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
  /** Undefined: Paceline is not installed. */
  readonly ours: OursSeen | undefined;
  readonly schedulers: readonly SchedulerSeen[];
  readonly daemonSets: readonly DaemonSetSeen[];
  readonly nodePools: readonly NodePoolSeen[];
  readonly autoscalers: readonly AutoscalerSeen[];
  /** What could not be looked at, or only in part, and why. */
  readonly notes: readonly string[];
}

/** The policy in force, as far as the ConfigMap tells. */
export function policyOf({ ours }: Pick<ClusterFacts, "ours">): PacingPolicy | undefined {
  const result = ours?.policy;
  return typeof result === "object" && result.ok ? result.policy : undefined;
}

/** Whether Paceline holds pods back now. */
export function isPaced(facts: ClusterFacts): boolean {
  const policy = policyOf(facts);
  const lever = policy?.gate.enabled === true || policy?.fence.enabled === true || policy?.extender.enabled === true;
  return policy?.mode === "enforce" && lever && facts.ours?.leader?.alive === true;
}

/** Whether Paceline puts up fences, or would in mode enforce: what must know of them had better do so before. */
export function isFencing(facts: ClusterFacts): boolean {
  const policy = policyOf(facts);
  return policy !== undefined && policy.mode !== "off" && policy.fence.enabled;
}
