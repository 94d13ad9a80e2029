/** Reads a pod's progress from `status` of the API server's JSON. */
import type { PodFacts } from "../../core/facts.ts";
import { imageName } from "../../core/ids.ts";
import { isRecord, recordOf, recordsOf, textOf, timeOf } from "./kube-json.ts";

type Json = Readonly<Record<string, unknown>>;

export type PodProgress = Pick<
  PodFacts,
  | "terminal"
  | "scheduledAtMs"
  | "containersStarted"
  | "ranImages"
  | "ready"
  | "waitingOn"
  | "restarts"
  | "overloadFailures"
  | "unschedulable"
  | "refused"
>;

/** Never throws; a missing field counts as "not yet". `generation` is that of the object. */
export function podProgress(spec: Json, status: Json, generation?: unknown): PodProgress {
  const containers = recordsOf(status["containerStatuses"]);
  const all = [...recordsOf(status["initContainerStatuses"]), ...containers];
  const hasAllStarted = containersStarted(spec, containers);
  const scheduled = condition(status, "PodScheduled");
  const unschedulable = scheduled["status"] === "False" && scheduled["reason"] === "Unschedulable";
  return {
    terminal: status["phase"] === "Succeeded" || status["phase"] === "Failed",
    scheduledAtMs: scheduled["status"] === "True" ? timeOf(scheduled["lastTransitionTime"]) : undefined,
    containersStarted: hasAllStarted,
    ...(!hasAllStarted && ranImages(spec, all)),
    ready: condition(status, "Ready")["status"] === "True",
    waitingOn: all.map(waitingOn).find((reason) => reason !== undefined),
    restarts: all.reduce((sum, one) => sum + (typeof one["restartCount"] === "number" ? one["restartCount"] : 0), 0),
    overloadFailures: all.filter(failedByOverload).length,
    unschedulable,
    refused: unschedulable && typeof generation === "number" && scheduled["observedGeneration"] === generation,
  };
}

function condition(status: Json, type: string): Json {
  return recordsOf(status["conditions"]).find((one) => one["type"] === type) ?? {};
}

/** True if every app container has started or terminated. Init containers and sidecars do not count. */
function containersStarted(spec: Json, statuses: readonly Json[]): boolean {
  const names = recordsOf(spec["containers"]).map((container) => container["name"]);
  const begun = new Set(statuses.filter(hasStarted).map((status) => status["name"]));
  return names.length > 0 && names.every((name) => begun.has(name));
}

function hasStarted(status: Json): boolean {
  return status["started"] === true || recordOf(recordOf(status["state"])["terminated"])["exitCode"] === 0;
}

function ranImages(spec: Json, statuses: readonly Json[]): Pick<PodFacts, "ranImages"> {
  const ran = new Set(statuses.filter(hasRun).map((status) => status["name"]));
  if (ran.size === 0) return {};
  const images = [...recordsOf(spec["initContainers"]), ...recordsOf(spec["containers"])]
    .filter((container) => ran.has(container["name"]))
    .map((container) => textOf(container["image"]))
    .filter((image) => image !== "");
  return images.length === 0 ? {} : { ranImages: [...new Set(images.map(imageName))] };
}

const hasRun = ({ state, lastState }: Json) =>
  [recordOf(state)["running"], recordOf(state)["terminated"], recordOf(lastState)["terminated"]].some(isRecord);

const STUCK: readonly string[] = [
  "ImagePullBackOff",
  "ErrImagePull",
  "InvalidImageName",
  "CrashLoopBackOff",
  "CreateContainerConfigError",
] satisfies PodFacts["waitingOn"][];

/** The waiting reason, if pacing cannot help. Pacing does help a pull that the kubelet's own QPS limit refused. */
function waitingOn(status: Json): PodFacts["waitingOn"] {
  const waiting = recordOf(recordOf(status["state"])["waiting"]);
  const reason = textOf(waiting["reason"]);
  if (!STUCK.includes(reason) || textOf(waiting["message"]).includes("pull QPS exceeded")) return undefined;
  return reason as PodFacts["waitingOn"];
}

/** Messages of container creation that ran into a time-out (docs/real-node.md), and messages that follow from it. */
const OVERLOAD_MESSAGE =
  /context deadline exceeded|context canceled|failed to reserve container name|DeadlineExceeded|RST_STREAM|\/proc\/0\/ns/i;

/** Here runc names a program that it could not execute: a wrong command, not an overloaded node. */
const WRONG_COMMAND = /exec: "[^"]*":/;

/** True if this container's status shows a StartError or a creation that timed out. */
function failedByOverload(status: Json): boolean {
  const state = recordOf(status["state"]);
  const endings = [recordOf(state["terminated"]), recordOf(recordOf(status["lastState"])["terminated"])];
  if (endings.some((end) => end["reason"] === "StartError" && !WRONG_COMMAND.test(textOf(end["message"])))) return true;
  const waiting = recordOf(state["waiting"]);
  const reason = textOf(waiting["reason"]);
  const creating = reason === "CreateContainerError" || reason === "RunContainerError";
  return creating && OVERLOAD_MESSAGE.test(textOf(waiting["message"]));
}
