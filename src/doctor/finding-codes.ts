/** Everything that `paceline doctor` can find, and why it matters. docs/doctor.md lists the same codes (a test keeps them equal). */

export const findingCodes = {
  // Nodes
  RegistryPullQPSLow:
    "The kubelet fails every image pull beyond its own rate with `pull QPS exceeded`; a herd of a few dozen pods exceeds the default at once.",
  SerializedImagePulls: "The kubelet pulls one image at a time, so that one large image holds up all pods behind it.",
  UnboundedImagePulls:
    "The kubelet pulls as many images at a time as pods ask for, and nothing paces them: all of them share the node's disk.",
  RuntimeTimeoutShort:
    "A start that takes longer than runtimeRequestTimeout fails; the kubelet's default of 2 min is what herds run out of already.",
  CgroupV1:
    "Without cgroup v2 the kernel tells no pressure (PSI), and kubelets of 1.35 and later refuse to start unless told otherwise.",
  PressureUnknown:
    "The policy takes its figures from kubelets, and these have none of pressure (PSI): that condition is skipped.",
  ImageOutlastsTimeout:
    "The image alone keeps the node's disk busy for longer than a start may take, whatever else starts there.",
  YoungNodeHerd:
    "So many pods that start together on a new node ask its disk for more than it writes within the kubelet's time-outs; nothing paces them.",
  RecentStartFailures: "Starts failed in the way that an overloaded node makes them fail.",
  // Paceline
  WebhookMissing: "The policy switches this lever on, and no webhook brings objects to it: it does nothing.",
  WebhookUnreachable:
    "Nobody answers at the webhook's address: pods and nodes are created as if Paceline were not there.",
  WebhookCertificateUntrusted:
    "The certificate that is served does not fit the webhook's caBundle, so the API server passes the webhook over.",
  CertificateExpiring: "After its end the API server passes the webhooks over; renewal should have come before this.",
  WebhookFailsClosed: "With failurePolicy Fail a Paceline that is down stops pods or nodes from being created at all.",
  WebhookTimeoutLong:
    "Every creation waits for the webhook; with a long time-out one that hangs slows the whole cluster.",
  WebhookSeesKubeSystem: "Pods that a cluster needs to live must not depend on a webhook.",
  TwoInstallations: "Two installations gate and release the same pods and know nothing of each other's slots.",
  NoLeader: "Nobody renews the Lease: nothing new is held, and nothing that is held is released before its cap.",
  HeldWithoutLeader: "These pods carry Paceline's gate and nobody is there to take it off but the janitor, at the cap.",
  HeldPastCap:
    "No hold should outlast the policy's maxHoldSeconds: neither the leader nor the janitor can do its work.",
  FencePastCap:
    "No fence should outlast the policy's fence.maxSeconds: neither the leader nor the janitor can do its work.",
  PolicyMissing: "Without its ConfigMap Paceline has no policy in force.",
  PolicyInvalid: "A policy with errors is not in force; an earlier one is, or none.",
  PullBudgetTooHigh: "Paceline releases pulls at the rate of the policy, and the kubelet fails those beyond its own.",
  DrainTargetTooLong:
    "Starts fail when the bytes that the disk owes take longer than the kubelet's time-out; the target must stay well under it.",
  MissingRight: "Without it Paceline cannot do a part of its work.",
  ExtenderNotIgnorable: "A scheduler whose extender is not ignorable schedules nothing while Paceline is down.",
  ExtenderSendsWholeNodes:
    "Without nodeCacheCapable every call carries every node whole; scheduling slows down with the cluster.",
  ExtenderTimeoutLong:
    "kube-scheduler decides one pod at a time and waits this long for each call when Paceline hangs; the default is 5 s.",
  ExtenderOffInPolicy: "The scheduler asks Paceline about every pod, and the policy says that it has nothing to say.",
  DaemonSetWaitsForFence:
    "A DaemonSet whose pods do not tolerate the fence gets none on a node until the fence is lifted, though others may need it first.",
  NodePoolWithoutStartupTaint:
    "To Karpenter a fenced node has a taint that pending pods do not tolerate: it may launch another node for them.",
  NodePoolConsolidatesEarly: "Karpenter may take a node away while its pods are still being let in.",
  AutoscalerIgnoresFence:
    "Cluster Autoscaler before 1.29 does not know the fence for a startup taint: it may add nodes for pods that are only waiting.",
  AutoscalerScalesDownEarly: "Cluster Autoscaler may take a node away while its pods are still being let in.",
} as const;

export type FindingCode = keyof typeof findingCodes;

/** One thing that is not as it should be. */
export interface Finding {
  readonly code: FindingCode;
  /** What it is about: `kind/name`, or `kind/namespace/name`; the first ones where there are many. */
  readonly about: readonly string[];
  /** What was seen: a sentence with figures. */
  readonly seen: string;
  /** The exact change that ends it. */
  readonly change: string;
}

/** Names told of each finding; `seen` says how many there are. */
const MOST_NAMES = 5;

/** The first few names, for `about`. */
export const someOf = (kind: string, names: readonly string[]): string[] =>
  names.slice(0, MOST_NAMES).map((name) => `${kind}/${name}`);

/** `3 nodes`, `1 node`. */
export const many = (count: number, one: string, more = `${one}s`): string => `${count} ${count === 1 ? one : more}`;
