/** Finds failed starts and their fingerprints in container statuses and kubelet Events. */
import { type KubeObject, recordOf, recordsOf, textOf } from "../../src/kube/parse/kube-json.ts";

export type FailureKind =
  | "NamespacePathProc0"
  | "ShimTaskContextCanceled"
  | "OtherStartError"
  | "CreateDeadline"
  | "ReservedContainerName"
  | "SandboxDeadline"
  | "PullQPSExceeded";

/** StartErrors in a pod's status, those of init containers too. The key identifies a failure, however often told. */
export function startFailures(raw: KubeObject): { key: string; kind: FailureKind }[] {
  const { initContainerStatuses, containerStatuses } = recordOf(raw["status"]);
  return [...recordsOf(initContainerStatuses), ...recordsOf(containerStatuses)].flatMap((status) => {
    const ends = [recordOf(status["state"])["terminated"], recordOf(status["lastState"])["terminated"]].map(recordOf);
    const end = ends.find((terminated) => terminated["reason"] === "StartError");
    if (!end) return [];
    const which = textOf(end["containerID"]) || `${String(status["restartCount"])} ${textOf(end["finishedAt"])}`;
    return [
      { key: `${raw.metadata?.uid} ${textOf(status["name"])} ${which}`, kind: startErrorKind(textOf(end["message"])) },
    ];
  });
}

function startErrorKind(message: string): FailureKind {
  if (message.includes("/proc/0/ns/")) return "NamespacePathProc0";
  return message.includes("shim task: context canceled") ? "ShimTaskContextCanceled" : "OtherStartError";
}

/** A failed start that only a kubelet Event reports, with its count. */
export function eventFailure(raw: KubeObject): { key: string; kind: FailureKind; count: number } | undefined {
  const kind = eventKind(textOf(raw["reason"]), textOf(raw["message"]));
  if (!kind) return undefined;
  const series = recordOf(raw["series"])["count"];
  return { key: raw.metadata?.uid ?? raw.metadata?.name ?? "", kind, count: Number(raw["count"] ?? series ?? 1) };
}

function eventKind(reason: string, message: string): FailureKind | undefined {
  if (message.includes("failed to reserve container name")) return "ReservedContainerName";
  if (message.includes("pull QPS exceeded")) return "PullQPSExceeded";
  if (reason === "FailedCreatePodSandBox") return "SandboxDeadline";
  const late = message.includes("context deadline exceeded") || message.includes("DeadlineExceeded");
  return reason === "Failed" && late ? "CreateDeadline" : undefined;
}
