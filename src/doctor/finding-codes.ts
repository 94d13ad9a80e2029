/**
 * Every finding of `paceline doctor`, and why it matters. docs/doctor.md lists the same codes; a test keeps them equal.
 */

export const findingCodes = {
  // Nodes
  RegistryPullQPSLow:
    "The kubelet fails every image pull beyond its own rate with `pull QPS exceeded`; a herd of a few dozen pods exceeds the default at once.",
  SerializedImagePulls: "The kubelet pulls one image at a time, so one large image delays all pods behind it.",
  UnboundedImagePulls:
    "The kubelet pulls as many images at a time as pods ask for, and nothing paces them: all pulls share the node's disk.",
  RuntimeTimeoutShort:
    "A start that takes longer than runtimeRequestTimeout fails. Herds already exceed the kubelet's default of 2 min.",
  CgroupV1:
    "Without cgroup v2 the kernel reports no pressure (PSI), and kubelets of 1.35 and later refuse to start by default.",
  PressureUnknown:
    "The policy takes its figures from kubelets, and these report no pressure (PSI), so Paceline skips that condition.",
  ImageOutlastsTimeout:
    "The image alone keeps the node's disk busy for longer than a start may take, even if nothing else starts there.",
  YoungNodeHerd:
    "This many pods that start together on a new node need more writes than its disk can do within the kubelet's time-outs, and nothing paces them.",
  RecentStartFailures: "Starts failed with the errors that an overloaded node causes.",
  // Paceline
  WebhookMissing: "The policy enables this lever, but no webhook sends objects to it, so the lever does nothing.",
  WebhookUnreachable:
    "Nothing answers at the webhook's address, so pods and nodes are created as if Paceline were not installed.",
  WebhookCertificateUntrusted:
    "The webhook's caBundle does not trust the certificate that is served, so the API server skips the webhook.",
  CertificateExpiring:
    "The API server skips the webhooks once the certificate has expired; it should have been renewed by now.",
  WebhookNotAsked:
    "The API server asks no replica about new pods: each creation waits for the webhook's time-out, and nothing is paced.",
  OwnWriteRefused:
    "The API server takes another webhook's change for a part of Paceline's write, refuses it, and the pod stays held until its cap.",
  WebhookMayRewrite:
    "If another webhook changes the object in Paceline's own write, the policies of Paceline's accounts refuse that write.",
  WebhookFailsClosed: "With failurePolicy Fail, pods or nodes cannot be created while Paceline is down.",
  WebhookTimeoutLong:
    "Every creation waits for the webhook. With a long time-out, a hanging webhook slows the whole cluster.",
  WebhookSeesKubeSystem: "Pods that a cluster needs to live must not depend on a webhook.",
  TwoInstallations: "Two installations gate and release the same pods, and neither knows the slots of the other.",
  NoLeader: "No replica renews the Lease, so no new pod is held, and held pods stay held until the cap.",
  HeldWithoutLeader: "These pods carry Paceline's gate, and without a leader only the janitor removes it, at the cap.",
  HeldPastCap:
    "No hold should last longer than the policy's maxHoldSeconds: neither the leader nor the janitor can do its work.",
  FencePastCap:
    "No fence should last longer than the policy's fence.maxSeconds: neither the leader nor the janitor can do its work.",
  PolicyMissing: "Without its ConfigMap, Paceline has no policy in force.",
  PolicyInvalid: "A policy with errors is not in force; Paceline uses an earlier one, or none.",
  PullBudgetTooHigh:
    "Paceline releases pulls at the policy's rate, and the kubelet fails the pulls beyond its own rate.",
  DrainTargetTooLong:
    "Starts fail if the disk needs longer than the kubelet's time-out to write the bytes it owes; the target must stay well below the time-out.",
  MissingRight: "Without this right, Paceline cannot do a part of its work.",
  CriticalClassRefused:
    "Pods of a system-critical class are refused in a namespace without a ResourceQuota for it (GKE), so no replica runs.",
  PrivateControlPlanePort:
    "The control plane of a private GKE cluster reaches nodes on ports 443 and 10250 only, unless a firewall rule allows more.",
  FastPullsOnSlowDisk:
    "Parallel pulling of layers makes pulls slower on a disk of less than 600 MiB/s, and overloads it sooner.",
  SchedulerNotPaced: "Paceline leaves pods alone whose scheduler the policy does not name, and they start all at once.",
  PodsFitNoNode: "No node that is here fits these pods, whatever Paceline does.",
  ExtenderNotIgnorable: "If its extender is not ignorable, a scheduler schedules nothing while Paceline is down.",
  ExtenderSendsWholeNodes:
    "Without nodeCacheCapable, every call contains every node object, so scheduling slows down as the cluster grows.",
  ExtenderLetsEvict:
    "Without preemptVerb, kube-scheduler evicts running pods for one that only waits for its turn on a new node.",
  ExtenderTimeoutLong:
    "kube-scheduler decides one pod at a time, and waits this long for each call if Paceline hangs; the default is 5 s.",
  ExtenderOffInPolicy: "The scheduler asks Paceline about every pod, but the policy turns the extender off.",
  DaemonSetWaitsForFence:
    "If the pods of a DaemonSet do not tolerate the fence, a node gets none until its roll call, or until the fence is lifted where there is no roll call.",
  NodePoolWithoutStartupTaint:
    "Nodes of a NodePool that does not name the fence get none, so that Karpenter launches no others for it: what was pending comes unpaced.",
  NodePoolConsolidatesEarly: "Karpenter may remove a node while Paceline still releases pods to it.",
  AutoscalerIgnoresFence:
    "Cluster Autoscaler before 1.29 does not treat the fence as a startup taint, so it may add nodes for pods that only wait.",
  AutoscalerScalesDownEarly: "Cluster Autoscaler may remove a node while Paceline still releases pods to it.",
} as const;

export type FindingCode = keyof typeof findingCodes;

/** One problem that doctor found. */
export interface Finding {
  readonly code: FindingCode;
  /** A note is worth knowing and may be right as it is; it changes no exit code. Absent: a warning. */
  readonly severity?: "note";
  /** The objects concerned: `kind/name` or `kind/namespace/name`. Only the first few if there are many. */
  readonly about: readonly string[];
  /** A sentence with figures that says what was seen. */
  readonly seen: string;
  /** The exact change that fixes it; commands stand on lines of their own. */
  readonly change: string;
}

/** The most names that a finding lists; `seen` gives the total. */
const MOST_NAMES = 5;

/** The first few names, for `about`. */
export const someOf = (kind: string, names: readonly string[]): string[] =>
  names.slice(0, MOST_NAMES).map((name) => `${kind}/${name}`);

/** `3 nodes`, `1 node`. */
export const many = (count: number, one: string, more = `${one}s`): string => `${count} ${count === 1 ? one : more}`;
