/** Objects of the API: Pods, Nodes, Events, and audit events about them. */
import type { Sink, Worth } from "../findings/sink.ts";
import { isRecord, type Json, ownerOf, recordOf, recordsOf, textOf, timeOf } from "../json.ts";
import { containerIn, readEventTold } from "./event.ts";
import { statusFailures, type PodIdentity } from "./pod-failures.ts";

/** `system:node:<name>` is how a kubelet signs in. */
const NODE_USER = "system:node:";

export const isAuditEvent = (record: Json) =>
  textOf(record["apiVersion"]).startsWith("audit.k8s.io/") ||
  (record["auditID"] !== undefined && (record["verb"] !== undefined || record["stage"] !== undefined)) ||
  (record["objectRef"] !== undefined && record["requestObject"] !== undefined);

/** An audit event. `loggedMs` is CloudWatch's `@timestamp`, by which its query makes bins. */
export function readAuditEvent(event: Json, loggedMs: number | undefined, sink: Sink): void {
  const received = event["requestReceivedTimestamp"] ?? event["stageTimestamp"] ?? event["timestamp"];
  const atMs = timeOf(received) ?? loggedMs;
  const objectRef = recordOf(event["objectRef"]);
  sink.usable(auditWorth(event, objectRef), atMs);
  if (!firstTime(event, received, objectRef, sink)) {
    sink.skip("duplicate");
    return;
  }
  if (atMs === undefined) {
    sink.skip("withoutTime");
    return;
  }
  const request = recordOf(event["requestObject"]);
  if (isQueried(request)) sink.queried(loggedMs ?? atMs);
  const response = recordOf(event["responseObject"]);
  readByResource({ event, objectRef, request, response, atMs }, sink);
}

/** Failures show in what kubelets write of pods and Events, where the audit policy keeps what they wrote. */
function auditWorth(event: Json, objectRef: Json): Worth {
  const { resource } = place(event, objectRef);
  const isWrite = !["get", "list", "watch", "delete"].includes(textOf(event["verb"]));
  const isKept = isRecord(event["requestObject"]) || isRecord(event["responseObject"]);
  return isWrite && isKept && (resource === "pods" || resource === "events" || resource === "")
    ? "evidence"
    : "context";
}

function firstTime(event: Json, received: unknown, objectRef: Json, sink: Sink): boolean {
  const id = textOf(event["auditID"]);
  if (id === "") return true;
  return sink.firstTime(`${id} ${textOf(event["stage"])} ${String(received)} ${textOf(objectRef["name"])}`);
}

/** `requestObject.status.containerStatuses.0.lastState.terminated.reason == 'StartError'`, no more and no less. */
function isQueried(request: Json): boolean {
  const statuses = recordOf(request["status"])["containerStatuses"];
  const first = recordOf(Array.isArray(statuses) ? statuses[0] : undefined);
  return recordOf(recordOf(first["lastState"])["terminated"])["reason"] === "StartError";
}

interface Audited {
  readonly event: Json;
  readonly objectRef: Json;
  readonly request: Json;
  readonly response: Json;
  readonly atMs: number;
}

function readByResource(audited: Audited, sink: Sink): void {
  const { event, objectRef, request, response, atMs } = audited;
  const { resource, subresource, namespace, name } = place(event, objectRef);
  const isDone = wasDone(event, request);
  if (sink.objects !== undefined && isDone) {
    const user = textOf(recordOf(event["user"])["username"]);
    const verb = textOf(event["verb"]);
    sink.objects.audited({ verb, resource, subresource, namespace, name, user, request, response, atMs });
  }
  if (resource === "nodes" && name + textOf(recordOf(request["metadata"])["name"]) !== "" && isDone) {
    readNode({ ...audited, name }, sink);
  } else if (subresource === "binding") {
    if (isDone) readBinding(audited, sink);
  } else if (resource === "events") {
    for (const one of [response, request]) {
      if (isEvent(one)) {
        readEvent(one, sink, atMs);
        return;
      }
    }
  } else {
    readPodRequest(audited, sink);
  }
}

/** The API server did what it was asked: not what it only received so far, refused, or tried as a dry run. */
function wasDone(event: Json, request: Json): boolean {
  const isComplete = ["", "ResponseComplete"].includes(textOf(event["stage"]));
  const isRefused = Number(recordOf(event["responseStatus"])["code"] ?? 200) >= 300;
  return isComplete && !isRefused && !isDryRun(event, request);
}

/** Deletes and evictions may say it in their options, all writes in the query of their URI. */
const isDryRun = (event: Json, request: Json) =>
  [request, recordOf(request["deleteOptions"])].some(({ dryRun }) => Array.isArray(dryRun) && dryRun.length > 0) ||
  /[?&]dryRun=\w/.test(textOf(event["requestURI"]));

/** From `objectRef`, or from the URI where a row of a query has no other. */
function place(event: Json, objectRef: Json) {
  const uri = /\/(?:namespaces\/([^/?]+)\/)?(pods|nodes|events)(?:\/([^/?]+))?(?:\/([^/?]+))?/.exec(
    textOf(event["requestURI"]),
  );
  return {
    resource: textOf(objectRef["resource"]) || (uri?.[2] ?? ""),
    namespace: textOf(objectRef["namespace"]) || (uri?.[1] ?? ""),
    name: textOf(objectRef["name"]) || (uri?.[3] ?? ""),
    subresource: textOf(objectRef["subresource"]) || (uri?.[4] ?? ""),
  };
}

function readNode({ event, request, response, atMs, name }: Audited & { name: string }, sink: Sink): void {
  const node = name || textOf(recordOf(request["metadata"])["name"]);
  const createdMs = timeOf(recordOf(response["metadata"])["creationTimestamp"]);
  if (createdMs !== undefined) sink.nodeCreated(node, createdMs);
  else if (event["verb"] === "create") sink.nodeCreated(node, atMs);
  sink.nodeSeen(node, atMs);
}

function readBinding({ event, objectRef, request, atMs }: Audited, sink: Sink): void {
  const node = textOf(recordOf(request["target"])["name"]);
  const { namespace, name } = place(event, objectRef);
  if (node === "" || name === "") return;
  sink.started(`${namespace}/${name}`, node, atMs, "binding");
}

function readPodRequest({ event, objectRef, request, response, atMs }: Audited, sink: Sink): void {
  const { resource, namespace, name } = place(event, objectRef);
  if (resource !== "" && resource !== "pods") return;
  const user = textOf(recordOf(event["user"])["username"]);
  const signedIn = user.startsWith(NODE_USER) ? user.slice(NODE_USER.length) : "";
  const answered = identityOf(response, namespace, name);
  const asked = identityOf(request, namespace, name);
  const identity = {
    ...answered,
    uid: asked.uid || answered.uid || textOf(objectRef["uid"]),
    node: answered.node || asked.node || signedIn,
    owner: answered.owner || asked.owner,
  };
  for (const one of [request, response]) readStatus(recordOf(one["status"]), identity, atMs, sink);
  for (const item of recordsOf(response["items"])) {
    readStatus(recordOf(item["status"]), identityOf(item, namespace, ""), atMs, sink);
  }
}

function identityOf(object: Json, namespace: string, name: string): PodIdentity {
  const metadata = recordOf(object["metadata"]);
  const spec = recordOf(object["spec"]);
  const containers = ["containers", "initContainers", "ephemeralContainers"].flatMap((list) => recordsOf(spec[list]));
  return {
    namespace: namespace || textOf(metadata["namespace"]),
    pod: name || textOf(metadata["name"]),
    uid: textOf(metadata["uid"]),
    node: textOf(spec["nodeName"]),
    owner: ownerOf(metadata),
    images: new Map(containers.map((one) => [textOf(one["name"]), textOf(one["image"])])),
  };
}

function readStatus(status: Json, identity: PodIdentity, seenMs: number, sink: Sink): void {
  const noDetails = (text: string) => sink.unread("noDetails", text, "record");
  for (const report of statusFailures(status, identity, seenMs, noDetails)) sink.failure(report);
  const startMs = timeOf(status["startTime"]);
  const { namespace, pod, node } = identity;
  if (node === "") return;
  sink.nodeSeen(node, seenMs);
  if (startMs !== undefined && pod !== "") sink.started(`${namespace}/${pod}`, node, startMs, "status");
}

/**
 * Reads an object of `kubectl get … -o json`, or of a list; false when its kind is none of those of interest.
 * `fallbackMs`: dates what has no time of its own.
 */
export function readObject(
  object: Json,
  listKind: string,
  loggedMs: number | undefined,
  sink: Sink,
  fallbackMs?: number,
): boolean {
  const kind = textOf(object["kind"]) || listKind.replace(/List$/, "");
  if (
    kind === "Pod" ||
    (kind === "" && isRecord(object["spec"]) && isRecord(object["status"]) && "containers" in object["spec"])
  ) {
    const seenMs = readPod(object, loggedMs, sink, fallbackMs);
    if (seenMs !== undefined) sink.objects?.pod(object, seenMs);
    sink.usable(hasStatuses(object) ? "evidence" : "context", seenMs);
  } else if (kind === "Node") {
    readNodeObject(object, sink);
    sink.objects?.node(object);
    sink.usable("context");
  } else if (isEvent(object)) {
    sink.usable(isOfPods(object) ? "evidence" : "context", eventTime(object) ?? loggedMs ?? fallbackMs);
    readEvent(object, sink, loggedMs, fallbackMs);
  } else return false;
  return true;
}

/** Before its first container was made, a pod's status shows no start, failed or not. */
const hasStatuses = (pod: Json) =>
  ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"].some(
    (list) => recordsOf(recordOf(pod["status"])[list]).length > 0,
  );

/** Events of nodes and controllers tell of no start. */
const isOfPods = (event: Json) =>
  ["Pod", ""].includes(textOf(recordOf(event["involvedObject"] ?? event["regarding"])["kind"]));

/** When the pod was as its status says, epoch ms. */
function readPod(pod: Json, loggedMs: number | undefined, sink: Sink, fallbackMs?: number): number | undefined {
  const status = recordOf(pod["status"]);
  const createdMs = timeOf(recordOf(pod["metadata"])["creationTimestamp"]);
  const seenMs = loggedMs ?? latestOf(status) ?? createdMs ?? fallbackMs;
  if (seenMs === undefined) {
    sink.skip("withoutTime");
    return undefined;
  }
  readStatus(status, identityOf(pod, "", ""), seenMs, sink);
  return seenMs;
}

/** When the pod's conditions last changed: the nearest thing to the time at which it waited. */
function latestOf(status: Json): number | undefined {
  const times = recordsOf(status["conditions"]).map((one) => timeOf(one["lastTransitionTime"]) ?? 0);
  const latest = Math.max(0, ...times);
  return latest > 0 ? latest : timeOf(status["startTime"]);
}

function readNodeObject(node: Json, sink: Sink): void {
  const metadata = recordOf(node["metadata"]);
  const createdMs = timeOf(metadata["creationTimestamp"]);
  if (createdMs !== undefined) sink.nodeCreated(textOf(metadata["name"]), createdMs);
}

/** core/v1 and events.k8s.io/v1. */
export const isEvent = (object: Json) =>
  isRecord(object["involvedObject"]) ||
  isRecord(object["regarding"]) ||
  (textOf(object["apiVersion"]).startsWith("events.k8s.io") && !Array.isArray(object["items"]));

function readEvent(event: Json, sink: Sink, loggedMs: number | undefined, fallbackMs?: number): void {
  const about = recordOf(event["involvedObject"] ?? event["regarding"]);
  const atMs = eventTime(event) ?? loggedMs ?? fallbackMs;
  if (atMs === undefined) {
    sink.skip("withoutTime");
    return;
  }
  const host = textOf(recordOf(event["source"])["host"]) || textOf(recordOf(event["deprecatedSource"])["host"]);
  const controller = textOf(event["reportingComponent"]) || textOf(event["reportingController"]);
  readEventTold(
    {
      type: textOf(event["type"]),
      reason: textOf(event["reason"]),
      message: textOf(event["message"]) || textOf(event["note"]),
      atMs,
      kind: textOf(about["kind"]),
      namespace: textOf(about["namespace"]),
      name: textOf(about["name"]),
      uid: textOf(about["uid"]),
      container: containerIn(textOf(about["fieldPath"])),
      node: host || (controller === "kubelet" ? textOf(event["reportingInstance"]) : ""),
    },
    sink,
  );
}

function eventTime(event: Json): number | undefined {
  const series = recordOf(event["series"]);
  const candidates = [
    ...[event["firstTimestamp"], event["deprecatedFirstTimestamp"], event["eventTime"], series["lastObservedTime"]],
    ...[event["lastTimestamp"], event["deprecatedLastTimestamp"], recordOf(event["metadata"])["creationTimestamp"]],
  ];
  return candidates.map(timeOf).find((ms) => ms !== undefined);
}
