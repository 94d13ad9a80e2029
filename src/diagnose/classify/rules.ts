/**
 * The one table of texts by which a failed start is told from others. The texts are those of containerd, CRI-O, docker,
 * the kubelet, network plugins and registries; the source (pod status, Event, log) makes no difference.
 */
import { NO_ADDRESS, OUT_OF_TIME, PLUGINS_REQUEST, SANDBOX_NAME_TAKEN } from "../../kube/parse/failure-texts.ts";
import type { Fingerprint } from "./fingerprints.ts";

/** Which step of a start a text is about. */
export type Step = "pull" | "sandbox" | "container";

export interface Rule {
  readonly fingerprint: Fingerprint;
  /** Only where this is the step that failed. */
  readonly step?: Step;
  readonly text: RegExp;
}

const NETWORK =
  /(?:set ?up|configure) (?:pod )?network|plugin type=|network plugin|NetworkPlugin|CNI (?:network|plugin|config)|cni config|cilium-agent|failed \(add\)|networkPlugin/i;

/** First match wins: the surest texts come first. */
export const rules: readonly Rule[] = [
  { fingerprint: "NamespacePathProc0", text: /\/proc\/0\/ns\// },
  { fingerprint: "ShimTaskContextCanceled", text: /shim task: context cancell?ed/ },
  { fingerprint: "SandboxDeadline", text: SANDBOX_NAME_TAKEN },
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
  { fingerprint: "SandboxNetwork", step: "sandbox", text: PLUGINS_REQUEST },
  { fingerprint: "SandboxDeadline", step: "sandbox", text: OUT_OF_TIME },
  { fingerprint: "SandboxNetwork", step: "sandbox", text: NETWORK },
  { fingerprint: "OtherStartError", step: "container", text: OUT_OF_TIME },
];

/** What containerd, CRI-O and docker say of a container that the runtime could not start. */
export const RUNTIME_REFUSED =
  /containerd task|shim task|runc create failed|OCI runtime create failed|container create failed|StartError|ContainerCannotRun/;

/** A StartError that a wrong image or manifest explains, not a slow node. */
const MISCONFIGURED =
  /executable file not found|exec format error|permission denied|not a directory|is a directory|invalid mount|(?:cannot|unable to) find (?:user|group)|exec user process|no command specified|Are you trying to mount|read-only file system|memory limit too low|OOM-killed|no runtime for|runtime handler|unknown capability|invalid capability|operation not permitted|no matching entries in passwd|CDI device|nvidia-container-cli|the file \S+ was not found|system cannot find the (?:file|path)|does not match the host operating system/i;
/** A memory limit too low for runc itself: the kernel ends its child before it can say so. */
const LIMIT_TOO_LOW =
  /final child's pid from pipe[^]{0,20}: EOF|init preliminary setup: EOF|read init-p: connection reset by peer/i;
/** A file that the manifest names; not one of the runtime's own. */
const FILE_MISSING = /no such file or directory/i;
const RUNTIMES_FILE = /\/run\/containerd\/|\/run\/crio\/|log\.json/;

/** How the node is set up, or what its kernel refuses: a missing program, a system call, a mount, a cgroup. */
const NODE_SETUP =
  /fork\/exec \/|\/proc\/[1-9]\d*\/ns|function not implemented|BPF_CGROUP|cgroup mountpoint does not exist|no such device|too many open files|attr\/keycreate|: invalid argument|cgroup configuration|cannot allocate memory|input\/output error|structure needs cleaning|stale (?:NFS )?file handle|operation not supported|resource temporarily unavailable|too many levels of symbolic links/i;
/** Any word of a time that ran out: with it, what else a message names is its consequence. */
const ANY_TIMEOUT = /\btimed? ?-?out\b/i;

/** What explains a container that the runtime could not start. */
export type Cause = "manifest" | "setup" | "unknown";

/** A deadline in the message outweighs all: what was cancelled leaves files and processes missing. */
export function causeOf(text: string): Cause {
  if (OUT_OF_TIME.test(text) || ANY_TIMEOUT.test(text)) return "unknown";
  if (LIMIT_TOO_LOW.test(text)) return "manifest";
  if (NODE_SETUP.test(text)) return "setup";
  const isFileMissing = FILE_MISSING.test(text) && !RUNTIMES_FILE.test(text);
  return MISCONFIGURED.test(text) || isFileMissing ? "manifest" : "unknown";
}
