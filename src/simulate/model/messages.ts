/** The exact messages of kubelet and containerd. Diagnosis tools match them. */
import type { ModelPod } from "./types.ts";

/** The error of a CRI call that timed out. */
export const DEADLINE_EXCEEDED = "context deadline exceeded";

/** The shim found no process id of its sandbox, because the task's state call had timed out. */
export const STATE_TIMED_OUT =
  "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: " +
  "unable to create new parent process: namespace path: lstat /proc/0/ns/ipc: no such file or directory: unknown";

/** The creation of the shim was cancelled, because the call itself timed out. */
export const CREATE_CANCELED = "failed to create containerd task: failed to create shim task: context canceled";

/** The name that the runtime reserves for an attempt of a container. */
export function reservedName(pod: ModelPod, container: string, attempt: number): string {
  return `${container}_${pod.name}_${pod.namespace}_${pod.uid}_${attempt}`;
}

export function nameReserved(name: string, ownerId: string): string {
  return `failed to reserve container name ${reserved(name, ownerId)}`;
}

/** An earlier call is still making a sandbox of the pod. */
export function sandboxReserved(pod: ModelPod, ownerId: string): string {
  return `failed to reserve sandbox name ${reserved(`${pod.name}_${pod.namespace}_${pod.uid}_0`, ownerId)}`;
}

const reserved = (name: string, ownerId: string) => `"${name}": name "${name}" is reserved for "${ownerId}"`;

/** How the kubelet names a pod in its messages. */
export function podLabel(pod: ModelPod): string {
  return `${pod.name}_${pod.namespace}(${pod.uid})`;
}

/** A duration as Go prints it, for the values that occur here: `850ms`, `12.345s`, `2m3.5s`. */
export function goDuration(ms: number): string {
  const whole = Math.trunc(ms);
  if (whole === 0) return "0s";
  if (whole < 1_000) return `${whole}ms`;
  const hours = Math.floor(whole / 3_600_000);
  const minutes = Math.floor((whole % 3_600_000) / 60_000);
  const seconds = `${(whole % 60_000) / 1_000}s`;
  if (hours > 0) return `${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${minutes}m${seconds}` : seconds;
}

/** The kubelet's Event for a volume of a Secret that does not exist. */
export const MISSING_SECRET = 'MountVolume.SetUp failed for volume "secret" : secret "missing" not found';
