/** Failures that a pod's status tells: any container, ended or waiting, now or before. */
import { recordOf, recordsOf, textOf, timeOf } from "../json.ts";
import { startErrorFingerprint, waitingFingerprint, type Fingerprint } from "../fingerprint.ts";
import type { FailureReport, Place } from "../findings/sink.ts";

/** Whose status it is; "" for what is not known. */
export interface PodIdentity {
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
  readonly node: string;
  readonly owner: string;
  /** Image by container, of the pod's spec. */
  readonly images: ReadonlyMap<string, string>;
}

type Json = Readonly<Record<string, unknown>>;

const statusLists = ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"] as const;

/** Earlier than this no pod ran; containerd's zero time shows as 1970. */
const PLAUSIBLE_MS = Date.UTC(2014, 0, 1);

/** All failures of one `status`. `seenMs` is when the record was made. */
export function statusFailures(status: Json, identity: PodIdentity, seenMs: number): FailureReport[] {
  return statusLists.flatMap((list) =>
    recordsOf(status[list]).flatMap((container) => containerFailures(container, identity, seenMs)),
  );
}

function containerFailures(container: Json, identity: PodIdentity, seenMs: number): FailureReport[] {
  const state = recordOf(container["state"]);
  const restartCount = Number.isInteger(container["restartCount"]) ? (container["restartCount"] as number) : 0;
  const waits = Object.keys(recordOf(state["waiting"])).length > 0;
  const found: FailureReport[] = [];
  const add = (part: Partial<FailureReport> & { fingerprint: Fingerprint; place: Place; attempt: number }) =>
    found.push(reportOf(container, identity, { atMs: seenMs, ...part }));
  const ended = endOf(state["terminated"]);
  if (ended) add({ ...ended, atMs: ended.atMs ?? seenMs, place: "state", attempt: restartCount });
  const before = endOf(recordOf(container["lastState"])["terminated"]);
  if (before) {
    // The kubelet raises restartCount when the next container exists: while it waits for that, the count is the last one's own.
    const place = waits ? "lastStateWaiting" : "lastStateRunning";
    const attempt = waits ? restartCount : Math.max(0, restartCount - 1);
    add({ ...before, atMs: before.atMs ?? seenMs, place, attempt });
  }
  const waiting = waitingOf(state["waiting"]);
  if (waiting && waiting.fingerprint !== before?.fingerprint)
    add({ ...waiting, place: "waiting", attempt: restartCount });
  return found;
}

function reportOf(
  container: Json,
  identity: PodIdentity,
  part: Partial<FailureReport> & { fingerprint: Fingerprint; atMs: number; attempt: number; place: Place },
): FailureReport {
  const name = textOf(container["name"]);
  const { namespace, pod, uid, node, owner, images } = identity;
  const image = textOf(container["image"]) || (images.get(name) ?? "");
  const rest = { containerId: "", finishedAt: "", message: "" };
  return { source: "status", namespace, pod, uid, node, owner, container: name, image, ...rest, ...part };
}

function endOf(value: unknown) {
  const end = recordOf(value);
  const reason = textOf(end["reason"]);
  const exitCode = Number(end["exitCode"] ?? 0);
  if (reason === "Completed" || (reason === "" && exitCode === 0)) return undefined;
  const message = textOf(end["message"]);
  const fingerprint = endFingerprint(reason, message, exitCode);
  if (!fingerprint) return undefined;
  const finishedAt = textOf(end["finishedAt"]);
  const finishedMs = timeOf(finishedAt);
  return {
    fingerprint,
    message,
    finishedAt,
    containerId: textOf(end["containerID"]),
    atMs: finishedMs !== undefined && finishedMs > PLAUSIBLE_MS ? finishedMs : undefined,
  };
}

function endFingerprint(reason: string, message: string, exitCode: number): Fingerprint | undefined {
  if (reason === "StartError") return startErrorFingerprint(message);
  if (reason === "ContainerCannotRun") {
    const fingerprint = startErrorFingerprint(message);
    return fingerprint === "OtherStartError" ? "Unrelated" : fingerprint;
  }
  return exitCode !== 0 || reason === "OOMKilled" ? "Unrelated" : undefined;
}

function waitingOf(value: unknown) {
  const waiting = recordOf(value);
  const message = textOf(waiting["message"]);
  const fingerprint = waitingFingerprint(textOf(waiting["reason"]), message);
  return fingerprint && { fingerprint, message };
}
