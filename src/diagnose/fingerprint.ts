/** By which words a failed start is told from others. The words are containerd's and the kubelet's own. */

/** The keys of `failures.byFingerprint`, in the order in which they are told. */
export const fingerprints = [
  "NamespacePathProc0",
  "ShimTaskContextCanceled",
  "OtherStartError",
  "ReservedContainerName",
  "PullQPSExceeded",
  "SandboxDeadline",
  "ImagePullBackOff",
  "Unrelated",
] as const;

export type Fingerprint = (typeof fingerprints)[number];

/** What each one means, for people. */
export const fingerprintWords: Readonly<Record<Fingerprint, string>> = {
  NamespacePathProc0: "the shim found no process id of the sandbox (/proc/0): containerd's 2 s task time-out ran out",
  ShimTaskContextCanceled: "the shim's creation was cancelled because the call ran out of time",
  OtherStartError: "other StartErrors, and containers whose creation ran out of time",
  ReservedContainerName: "an earlier, timed-out creation still held the container's name",
  PullQPSExceeded: "the kubelet refused to pull: registryPullQPS was used up",
  SandboxDeadline: "the pod's sandbox was not made in time",
  ImagePullBackOff: "an image could not be pulled",
  Unrelated: "not this problem: out of memory, the program's own exit, configuration",
};

const DEADLINE = /context deadline exceeded|DeadlineExceeded/;

/** A StartError that a wrong image or manifest explains, not a slow node. */
const MISCONFIGURED =
  /executable file not found|exec format error|permission denied|no such file or directory(?!.*\/proc\/0)|not a directory|invalid mount|cannot find user|unable to find user|exec user process/i;

/** Fingerprint of a container's end whose reason is StartError (or its older name ContainerCannotRun). */
export function startErrorFingerprint(message: string): Fingerprint {
  if (/\/proc\/0\/ns\//.test(message)) return "NamespacePathProc0";
  if (/shim task: context cancell?ed/.test(message)) return "ShimTaskContextCanceled";
  return "OtherStartError";
}

/** True when the image or manifest is to blame for a StartError: pacing would not help. */
export function isMisconfigured(fingerprint: Fingerprint, message: string): boolean {
  return fingerprint === "OtherStartError" && MISCONFIGURED.test(message);
}

/** Fingerprint of a container that waits, or undefined when waiting is no failure, or a consequence of one told elsewhere. */
export function waitingFingerprint(reason: string, message: string): Fingerprint | undefined {
  const told = messageFingerprint(message);
  switch (reason) {
    case "ErrImagePull":
    case "ImagePullBackOff":
    case "RegistryUnavailable":
    case "ImageInspectError":
      return message.includes("pull QPS exceeded") ? "PullQPSExceeded" : "ImagePullBackOff";
    case "CreateContainerError":
    case "RunContainerError":
      return (
        told ?? (DEADLINE.test(message) ? "OtherStartError" : reason === "RunContainerError" ? undefined : "Unrelated")
      );
    case "CreatePodSandboxError":
      return DEADLINE.test(message) ? "SandboxDeadline" : "Unrelated";
    case "InvalidImageName":
    case "CreateContainerConfigError":
    case "ErrImageNeverPull":
      return "Unrelated";
    default:
      return told;
  }
}

/** Fingerprint that a text has by itself, whoever says it. */
export function messageFingerprint(message: string): Fingerprint | undefined {
  if (message.includes("failed to reserve container name")) return "ReservedContainerName";
  if (message.includes("pull QPS exceeded")) return "PullQPSExceeded";
  if (
    !message.includes("containerd task") &&
    !message.includes("shim task") &&
    !message.includes("runc create failed")
  ) {
    return undefined;
  }
  return startErrorFingerprint(message);
}

/** Fingerprint of an Event of the kubelet, or undefined when it is no failure, or one that its pod's status tells better. */
export function eventFingerprint(reason: string, message: string): Fingerprint | undefined {
  const told = messageFingerprint(message);
  switch (reason) {
    case "FailedCreatePodSandBox":
    case "FailedCreatePodSandbox":
      return DEADLINE.test(message) || message.includes("failed to reserve sandbox name")
        ? "SandboxDeadline"
        : "Unrelated";
    case "Failed":
      if (told !== undefined) return told;
      if (/ErrImagePull|ImagePullBackOff|[Ff]ailed to pull image/.test(message)) return "ImagePullBackOff";
      return DEADLINE.test(message) ? "OtherStartError" : "Unrelated";
    case "BackOff":
      return /pulling image/.test(message) ? "ImagePullBackOff" : undefined;
    case "OOMKilling":
    case "OOMKilled":
    case "SystemOOM":
    case "InspectFailed":
      return "Unrelated";
    default:
      return told;
  }
}

const LOG_MARKS =
  /StartError|containerd task|shim task|runc create failed|reserve (?:container|sandbox) name|pull QPS exceeded|RunPodSandbox|[Cc]reate sandbox|CreatePodSandbox|CreateContainer|ErrImagePull|ImagePullBackOff|TaskOOM|OOMKill|oom-kill/;

/** Fingerprint of a line of the kubelet's or containerd's log. */
export function logFingerprint(line: string): Fingerprint | undefined {
  if (!LOG_MARKS.test(line)) return undefined;
  if (/TaskOOM|OOMKill|oom-kill/.test(line)) return "Unrelated";
  const told = messageFingerprint(line);
  if (told !== undefined) return told === "OtherStartError" && !/fail|error/i.test(line) ? undefined : told;
  const failed = DEADLINE.test(line);
  if (/RunPodSandbox|[Cc]reate sandbox|CreatePodSandbox/.test(line)) return failed ? "SandboxDeadline" : undefined;
  if (line.includes("failed to reserve sandbox name")) return "SandboxDeadline";
  if (/CreateContainer\b/.test(line) && failed) return "OtherStartError";
  if (line.includes("StartError")) return startErrorFingerprint(line);
  return /with (?:ErrImagePull|ImagePullBackOff)/.test(line) ? "ImagePullBackOff" : undefined;
}
