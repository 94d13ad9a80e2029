/** What an Event says, from whichever source: the API, a table of kubectl, a row of a cloud's export. */
import { classify } from "../classify/classify.ts";
import type { EventTold } from "../findings/event-told.ts";
import type { Sink } from "../findings/sink.ts";
import { reservedName } from "./reserved-name.ts";

/** Reads what an Event says: a start, a failure, or nothing of interest. */
export function readEventTold(event: EventTold, sink: Sink): void {
  const { type, reason, message, atMs, kind, namespace, name } = event;
  sink.objects?.event(event);
  if (kind === "Node") sink.nodeSeen(name, atMs);
  const assigned = / assigned (\S+)\/(\S+) to ([^\s"]+)/.exec(message);
  if (assigned && (reason === "Scheduled" || reason === "")) {
    sink.started(`${assigned[1] ?? namespace}/${assigned[2] ?? name}`, assigned[3] ?? "", atMs, "event");
    return;
  }
  if (type === "Normal" && reason !== "BackOff") return;
  if (type !== "Normal" && isCutBeforeCause(reason, message)) {
    sink.unread("noDetails", `${namespace}/${name}: ${reason}: ${message}`, "record");
    return;
  }
  const told = classify({ reason, message });
  if (told) sink.failure({ ...reportOf(event), ...told });
}

/** How the kubelet begins to tell of a failure, before it says why. */
const OPENINGS = [
  "Failed to create pod sandbox: rpc error: code = X desc = failed to",
  "Failed to start sandbox: rpc error: code = X desc = failed to",
  "Error: failed to create containerd task: failed to create shim task: ",
  "Error: failed to start container: ",
  "Error: rpc error: code = X desc = failed to",
  "Failed to pull image X: rpc error: code = X desc = failed to",
];
const FAILURES = /^(?:Failed|FailedCreatePodSand[Bb]ox)$/;

/** True when a message was cut off before the cause: it says that a start failed, and nothing else. */
function isCutBeforeCause(reason: string, message: string): boolean {
  if (!FAILURES.test(reason) || message === "") return false;
  const told = message
    .replace(/^\(combined from similar events\): ?/, "")
    .replace(/\s*(?:…|\.\.\.|>)?$/, "")
    .replace(/code = \w+ desc/, "code = X desc")
    .replace(/code = \w*$/, "code = ")
    .replace(/(?<=pull image )(?:"[^"]*"|"[^"]*$)/, "X");
  return OPENINGS.some((opening) => opening.startsWith(told));
}

function reportOf(event: EventTold) {
  const { kind, node, message, atMs } = event;
  const isNode = kind === "Node";
  return {
    source: "event" as const,
    ...whoOf(event),
    ...(isNode ? { pod: "", uid: "" } : {}),
    containerId: "",
    finishedAt: "",
    place: undefined,
    owner: "",
    node: isNode ? event.name : node,
    image: /image "([^"]+)"/.exec(message)?.[1] ?? "",
    message,
    atMs,
  };
}

/** Pod and container, from the message where the Event does not name them. */
function whoOf({ namespace, name, uid, container, message }: EventTold) {
  const reserved = reservedName(message);
  if (!reserved) return { namespace, pod: name, uid, container, attempt: undefined };
  return {
    namespace: namespace || reserved.namespace,
    pod: name || reserved.pod,
    uid: uid || reserved.uid,
    container: container || reserved.container,
    attempt: reserved.attempt,
  };
}

/** The container in `spec.containers{name}`. */
export const containerIn = (fieldPath: string): string => /\{(.+)\}/.exec(fieldPath)?.[1] ?? "";
