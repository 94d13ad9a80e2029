/**
 * The one table of texts by which a failed start is told from others. The texts are those of containerd, CRI-O, docker,
 * the kubelet, network plugins and registries; who reports them (pod status, Event, log) makes no difference.
 */
import type { Fingerprint } from "./fingerprints.ts";

/** Which step of a start a text is about. */
export type Step = "pull" | "sandbox" | "container";

export interface Rule {
  readonly fingerprint: Fingerprint;
  /** Only where this is the step that failed. */
  readonly step?: Step;
  readonly text: RegExp;
}

const OUT_OF_TIME = /context deadline exceeded|DeadlineExceeded|operation timeout|context cancell?ed|code = Canceled/;

/** Words of network plugins that have no address left: VPC CNI, Azure, Calico, Cilium, host-local, whereabouts, GKE. */
const NO_ADDRESS =
  /assign an IP address|no (?:more |free |available |unassigned )?IP(?:v[46])?s? (?:address(?:es)? )?(?:is |are )?(?:left|available)|no free IP|no available IP|no (?:available )?addresses available|No available addresses|IP pool exhausted|allocate (?:an )?(?:IP|address)|failed to allocate for range|InsufficientCidrBlocks|request(?:ed)? IPv[46] addresses|Assigned 0 out of|out of IP addresses|range is full|InsufficientFreeAddresses/i;

const NETWORK =
  /(?:set ?up|configure) (?:pod )?network|plugin type=|network plugin|NetworkPlugin|CNI (?:network|plugin|config)|cni config|cilium-agent|failed \(add\)|networkPlugin/i;

/** First match wins: the surest texts come first. */
export const rules: readonly Rule[] = [
  { fingerprint: "NamespacePathProc0", text: /\/proc\/0\/ns\// },
  { fingerprint: "ShimTaskContextCanceled", text: /shim task: context cancell?ed/ },
  // containerd, CRI-O and docker; k8s_POD_ is the name that the latter two give a sandbox.
  {
    fingerprint: "SandboxDeadline",
    text: /failed to reserve sandbox name|error reserving pod name|container name \\*"\/?k8s_POD_[^"]*\\*" is already in use/,
  },
  {
    fingerprint: "ReservedContainerName",
    text: /failed to reserve container name|error reserving ctr name|container name \\*"\/?k8s_[^"]*\\*" is already in use/,
  },
  { fingerprint: "PullQPSExceeded", text: /pull QPS exceeded/ },
  { fingerprint: "NoSpaceLeft", text: /no space left on device|disk quota exceeded/i },
  {
    fingerprint: "RegistryRateLimited",
    step: "pull",
    text: /\b429\b(?! bytes)|Too Many Requests|toomanyrequests|pull rate limit|Rate exceeded/i,
  },
  { fingerprint: "PullStalled", step: "pull", text: /no progress|pull progress timeout/i },
  { fingerprint: "PullStalled", step: "pull", text: OUT_OF_TIME },
  { fingerprint: "SandboxWithoutAddress", step: "sandbox", text: NO_ADDRESS },
  { fingerprint: "SandboxDeadline", step: "sandbox", text: OUT_OF_TIME },
  { fingerprint: "SandboxNetwork", step: "sandbox", text: NETWORK },
  { fingerprint: "OtherStartError", step: "container", text: OUT_OF_TIME },
];

/** What containerd, CRI-O and docker say of a container that the runtime could not start. */
export const RUNTIME_REFUSED =
  /containerd task|shim task|runc create failed|OCI runtime create failed|container create failed|StartError|ContainerCannotRun/;

/** A StartError that a wrong image or manifest explains, not a slow node. */
const MISCONFIGURED =
  /executable file not found|exec format error|permission denied|not a directory|is a directory|invalid mount|(?:cannot|unable to) find (?:user|group)|exec user process|no command specified|Are you trying to mount|read-only file system|memory limit too low|OOM-killed|no runtime for|runtime handler|unknown capability|invalid capability|operation not permitted|no matching entries in passwd|CDI device|nvidia-container-cli/i;
/** A file that the manifest names; not one of the runtime's own, or of a process that has gone. */
const FILE_MISSING = /no such file or directory/;
const RUNTIMES_FILE = /\/proc\/\d+\/ns|\/run\/containerd\/|\/run\/crio\/|log\.json/;

/** True when the image or the manifest is to blame: pacing would not help. */
export const isMisconfigured = (text: string): boolean =>
  MISCONFIGURED.test(text) || (FILE_MISSING.test(text) && !RUNTIMES_FILE.test(text));
