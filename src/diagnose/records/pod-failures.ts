/** Failures that a pod's status tells: any container, ended or waiting, now or before. */
import { recordOf, recordsOf, textOf, timeOf } from "../json.ts";
import { classify, type Classified } from "../classify/classify.ts";
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

/** Told of a failure of which only the reason is known. */
type NoDetails = (text: string) => void;

/** All failures of one `status`. `seenMs` is when the record was made. */
export function statusFailures(
  status: Json,
  identity: PodIdentity,
  seenMs: number,
  noDetails: NoDetails,
): FailureReport[] {
  return statusLists.flatMap((list) =>
    recordsOf(status[list]).flatMap((container) => containerFailures(container, identity, seenMs, noDetails)),
  );
}

/** All failures of one container's status. */
export function containerFailures(
  container: Json,
  identity: PodIdentity,
  seenMs: number,
  noDetails: NoDetails,
): FailureReport[] {
  const state = recordOf(container["state"]);
  const restartCount = Number.isInteger(container["restartCount"]) ? (container["restartCount"] as number) : 0;
  const waits = Object.keys(recordOf(state["waiting"])).length > 0;
  const found: FailureReport[] = [];
  const add = (part: Partial<FailureReport> & Classified & { place: Place; attempt: number }) =>
    found.push(reportOf(container, identity, { atMs: seenMs, ...part }));
  const ended = endOf(state["terminated"]);
  if (ended) add({ ...ended, atMs: ended.atMs ?? seenMs, place: "state", attempt: restartCount });
  const before = endOf(recordOf(container["lastState"])["terminated"]);
  if (before) {
    // The kubelet raises restartCount when the next container exists: while it waits for that, the count is the last
    // one's own.
    const place = waits ? "lastStateWaiting" : "lastStateRunning";
    const attempt = waits ? restartCount : Math.max(0, restartCount - 1);
    add({ ...before, atMs: before.atMs ?? seenMs, place, attempt });
  }
  const waiting = waitingOf(state["waiting"]);
  if (waiting && waiting.fingerprint !== before?.fingerprint)
    add({ ...waiting, place: "waiting", attempt: restartCount });
  const reason = textOf(recordOf(state["waiting"])["reason"]);
  if (found.length === 0 && START_REASONS.test(reason))
    noDetails(`${identity.namespace}/${identity.pod} waits with ${reason}`);
  return found;
}

function reportOf(
  container: Json,
  identity: PodIdentity,
  part: Partial<FailureReport> & Classified & { atMs: number; attempt: number; place: Place },
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
  const told = endTold(reason, message, exitCode);
  if (!told) return undefined;
  const finishedAt = textOf(end["finishedAt"]);
  const finishedMs = timeOf(finishedAt);
  return {
    ...told,
    message,
    finishedAt,
    containerId: textOf(end["containerID"]),
    atMs: finishedMs !== undefined && finishedMs > PLAUSIBLE_MS ? finishedMs : undefined,
  };
}

/** The message of any other end is the program's own, whatever words are in it. */
function endTold(reason: string, message: string, exitCode: number): Classified | undefined {
  if (reason === "StartError" || reason === "ContainerCannotRun") return classify({ reason, message });
  return exitCode !== 0 || reason === "OOMKilled" ? { fingerprint: "Unrelated", misconfigured: false } : undefined;
}

/** Reasons of waiting that are failures, and say why in their message only. */
const START_REASONS = /^(?:RunContainerError|CreateContainerError|CreatePodSandboxError)$/;

function waitingOf(value: unknown) {
  const waiting = recordOf(value);
  const message = textOf(waiting["message"]);
  const told = classify({ reason: textOf(waiting["reason"]), message });
  return told && { ...told, message };
}
