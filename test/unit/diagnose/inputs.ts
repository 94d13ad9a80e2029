/**
 * One failed start in the words of the real API server, kubelet and containerd, wrapped as each accepted format wraps
 * it.
 */
import { gzipSync } from "node:zlib";
import { Tally } from "../../../src/diagnose/findings/tally.ts";
import { findingsOf } from "../../../src/diagnose/findings/findings.ts";
import { verdictOf } from "../../../src/diagnose/findings/verdict.ts";
import { InputReader } from "../../../src/diagnose/input/reader.ts";
import { jsonReport } from "../../../src/diagnose/report/json.ts";

export const NOW_MS = Date.parse("2026-11-24T12:00:00Z");

export const PROC0 =
  "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: " +
  "unable to create new parent process: namespace path: lstat /proc/0/ns/ipc: no such file or directory: unknown";

export const terminated = {
  reason: "StartError",
  exitCode: 128,
  message: PROC0,
  startedAt: "1970-01-01T00:00:00Z",
  finishedAt: "2026-11-24T08:08:17Z",
  containerID: "containerd://4434b46200159c3739285b08256d8104",
};

export const containerStatus = {
  name: "main",
  image: "registry.example/app-15:1",
  restartCount: 0,
  ready: false,
  state: { waiting: { reason: "RunContainerError", message: PROC0 } },
  lastState: { terminated },
};

/** An audit event of pods/status, as the kubelet's patch leaves it. */
export function auditEvent(status: object = { containerStatuses: [containerStatus] }, over: object = {}) {
  return {
    kind: "Event",
    apiVersion: "audit.k8s.io/v1",
    level: "RequestResponse",
    auditID: "6694e515-a718-409b-ae7a-3c7f8ba8e3ec",
    stage: "ResponseComplete",
    requestURI: "/api/v1/namespaces/shop/pods/app-15-6689bbb7f5-5nzgl/status",
    verb: "patch",
    user: { username: "system:node:young-1", groups: ["system:nodes"] },
    objectRef: { resource: "pods", namespace: "shop", name: "app-15-6689bbb7f5-5nzgl", subresource: "status" },
    responseStatus: { metadata: {}, code: 200 },
    requestObject: { metadata: { uid: "dbf30f3f-b164-43e2-a66e-fd6fa1297ad7" }, status },
    requestReceivedTimestamp: "2026-11-24T08:08:17.500000Z",
    stageTimestamp: "2026-11-24T08:08:17.510000Z",
    ...over,
  };
}

const audit = JSON.stringify(auditEvent());
const loggedMs = Date.parse("2026-11-24T08:08:17.510Z");
const cell = (text: string) => `"${text.replaceAll('"', '""')}"`;

export const podObject = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "app-15-6689bbb7f5-5nzgl", namespace: "shop", uid: "dbf30f3f-b164-43e2-a66e-fd6fa1297ad7" },
  spec: { nodeName: "young-1", containers: [{ name: "main", image: "registry.example/app-15:1" }] },
  status: { startTime: "2026-11-24T08:07:58Z", containerStatuses: [containerStatus] },
};

export const kubeletEvent = {
  apiVersion: "v1",
  kind: "Event",
  metadata: { name: "app-15.1", namespace: "shop", uid: "ev-1" },
  involvedObject: {
    kind: "Pod",
    namespace: "shop",
    name: "app-15-6689bbb7f5-5nzgl",
    uid: "dbf30f3f-b164-43e2-a66e-fd6fa1297ad7",
    fieldPath: "spec.containers{main}",
  },
  reason: "Failed",
  message: `Error: ${PROC0}`,
  source: { component: "kubelet", host: "young-1" },
  firstTimestamp: "2026-11-24T08:08:17Z",
  lastTimestamp: "2026-11-24T08:08:17Z",
  count: 1,
  type: "Warning",
};

const { involvedObject, message, source: _source, firstTimestamp, ...eventRest } = kubeletEvent;
const newEvent = {
  ...eventRest,
  apiVersion: "events.k8s.io/v1",
  regarding: involvedObject,
  note: message,
  eventTime: firstTimestamp,
  reportingController: "kubelet",
  reportingInstance: "young-1",
};

const subscription = {
  messageType: "DATA_MESSAGE",
  logGroup: "/aws/eks/x/cluster",
  logEvents: [{ id: "1", timestamp: loggedMs, message: audit }],
};
const packed = gzipSync(JSON.stringify(subscription)).toString("base64");

const klog =
  `E1124 08:08:17.512345    1234 pod_workers.go:1301] "Error syncing pod, skipping" err="failed to \\"StartContainer\\" for \\"main\\" with ` +
  `RunContainerError: \\"${PROC0}\\"" pod="shop/app-15-6689bbb7f5-5nzgl" podUID="dbf30f3f-b164-43e2-a66e-fd6fa1297ad7"`;
const containerd = `time="2026-11-24T08:08:17.500Z" level=error msg="StartContainer for \\"4434b46200159c37\\" failed" error="${PROC0}"`;

/** Inputs that hold one failure; `query`: how many events CloudWatch's query counts in it. */
export const inputs: Readonly<Record<string, { text: string; query: number }>> = {
  "audit log, JSON lines": { text: `${audit}\n`, query: 1 },
  "audit log with BOM and CRLF": { text: `\ufeff${audit}\r\n`, query: 1 },
  "audit log, keys in another order and spaced": {
    text: JSON.stringify(Object.fromEntries(Object.entries(auditEvent()).reverse()), undefined, 1).replaceAll("\n", ""),
    query: 1,
  },
  "audit log, indented": { text: JSON.stringify(auditEvent(), undefined, 2), query: 1 },
  "filter-log-events": {
    text: JSON.stringify(
      { events: [{ logStreamName: "kube-apiserver-audit-1", timestamp: loggedMs, message: audit, eventId: "1" }] },
      undefined,
      4,
    ),
    query: 1,
  },
  "get-query-results with @message": {
    text: JSON.stringify(
      {
        results: [
          [
            { field: "@timestamp", value: "2026-11-24 08:08:17.510" },
            { field: "@message", value: audit },
            { field: "@ptr", value: "x" },
          ],
        ],
        status: "Complete",
      },
      undefined,
      4,
    ),
    query: 1,
  },
  "get-query-results with fields": {
    text: JSON.stringify({
      results: [
        [
          { field: "@timestamp", value: "2026-11-24 08:08:17.510" },
          { field: "objectRef.namespace", value: "shop" },
          { field: "objectRef.name", value: "app-15-6689bbb7f5-5nzgl" },
          { field: "requestObject.status.containerStatuses.0.name", value: "main" },
          { field: "requestObject.status.containerStatuses.0.restartCount", value: "0" },
          { field: "requestObject.status.containerStatuses.0.lastState.terminated.reason", value: "StartError" },
          { field: "requestObject.status.containerStatuses.0.lastState.terminated.message", value: PROC0 },
        ],
      ],
    }),
    query: 1,
  },
  "Insights CSV": { text: `@timestamp,@message\n2026-11-24 08:08:17.510,${cell(audit)}\n`, query: 1 },
  "S3 export": { text: `2026-11-24T08:08:17.510Z ${audit}\n`, query: 1 },
  "subscription, concatenated": {
    text: `${JSON.stringify({ messageType: "CONTROL_MESSAGE", logEvents: [{ id: "", timestamp: 1, message: "CWL CONTROL MESSAGE" }] })}${JSON.stringify({ messageType: "DATA_MESSAGE", logGroup: "/aws/eks/x/cluster", logEvents: [{ id: "1", timestamp: loggedMs, message: audit }] })}`,
    query: 1,
  },
  "subscription in base64 and gzip, as Lambda gets it": {
    text: JSON.stringify({ awslogs: { data: packed } }),
    query: 1,
  },
  "subscription in base64 and gzip, as Kinesis has it": {
    text: JSON.stringify({ Records: [{ kinesis: { partitionKey: "p", data: packed }, eventSource: "aws:kinesis" }] }),
    query: 1,
  },
  "subscription in base64 and gzip, bare": { text: `${packed}\n`, query: 1 },
  "get-log-events": {
    text: JSON.stringify({
      events: [{ timestamp: loggedMs, message: audit, ingestionTime: 1 }],
      nextForwardToken: "f/1",
    }),
    query: 1,
  },
  "audit EventList, indented": {
    text: JSON.stringify(
      { kind: "EventList", apiVersion: "audit.k8s.io/v1", metadata: {}, items: [auditEvent()] },
      undefined,
      2,
    ),
    query: 1,
  },
  "audit events in a list": { text: JSON.stringify([auditEvent()]), query: 1 },
  "kubelet journal, short": { text: `Nov 24 08:08:17 young-1 kubelet[1234]: ${klog}\n`, query: 0 },
  "kubelet journal, ISO": { text: `2026-11-24T08:08:17+0000 young-1 kubelet[1234]: ${klog}\n`, query: 0 },
  "kubelet journal, short-full, with the journal's own lines": {
    text: `-- Logs begin at Tue 2026-11-24 00:00:00 UTC. --\nTue 2026-11-24 08:08:17 UTC young-1 kubelet[1234]: ${klog}\n-- Reboot --\n`,
    query: 0,
  },
  "kubelet journal, short-unix": { text: `${loggedMs / 1_000}000 young-1 kubelet[1234]: ${klog}\n`, query: 0 },
  "kubelet by syslog": { text: `<30>1 2026-11-24T08:08:17.512Z young-1 kubelet 1234 - - ${klog}\n`, query: 0 },
  "kubelet journal, JSON": {
    text: `${JSON.stringify({ __REALTIME_TIMESTAMP: String(loggedMs * 1_000), _HOSTNAME: "young-1", SYSLOG_IDENTIFIER: "kubelet", MESSAGE: klog })}\n`,
    query: 0,
  },
  "kubelet log, JSON": {
    text: `${JSON.stringify({ ts: loggedMs, caller: "kubelet/pod_workers.go:1301", msg: "Error syncing pod, skipping", pod: { name: "app-15-6689bbb7f5-5nzgl", namespace: "shop" }, podUID: "dbf30f3f-b164-43e2-a66e-fd6fa1297ad7", err: `failed to "StartContainer" for "main" with RunContainerError: "${PROC0}"` })}\n`,
    query: 0,
  },
  "containerd journal": { text: `Nov 24 08:08:17 young-1 containerd[99]: ${containerd}\n`, query: 0 },
  "containerd log, JSON": {
    text: `${JSON.stringify({ level: "error", time: "2026-11-24T08:08:17.5Z", msg: 'StartContainer for "4434b46200159c37" failed', error: PROC0 })}\n`,
    query: 0,
  },
  "kubectl get events": {
    text: JSON.stringify({ apiVersion: "v1", kind: "List", items: [kubeletEvent] }, undefined, 4),
    query: 0,
  },
  "kubectl get events, events.k8s.io": {
    text: JSON.stringify({ apiVersion: "v1", kind: "List", items: [newEvent] }, undefined, 4),
    query: 0,
  },
  "an EventList of events.k8s.io, whose items have no kind": {
    text: JSON.stringify({
      apiVersion: "events.k8s.io/v1",
      kind: "EventList",
      items: [{ ...newEvent, apiVersion: undefined, kind: undefined }],
    }),
    query: 0,
  },
  "one Event": { text: JSON.stringify(kubeletEvent, undefined, 4), query: 0 },
  "one Pod": { text: JSON.stringify(podObject, undefined, 4), query: 0 },
  "kubectl get pods": {
    text: JSON.stringify({ apiVersion: "v1", kind: "List", items: [podObject] }, undefined, 4),
    query: 0,
  },
};

/** Reads bytes, in pieces if wanted, as `paceline diagnose` does. */
export function diagnosed(
  bytes: string | Uint8Array,
  { pieceBytes = 65_536, binMs = 3_600_000, since = "", until = "" } = {},
) {
  const momentOf = (text: string) => (text === "" ? undefined : Date.parse(text));
  const tally = new Tally(binMs, { sinceMs: momentOf(since), untilMs: momentOf(until) });
  const reader = new InputReader(tally, { nowMs: NOW_MS, seenMs: undefined });
  const all = Buffer.from(bytes as string);
  for (let at = 0; at < all.length; at += pieceBytes) reader.push(Buffer.from(all.subarray(at, at + pieceBytes)));
  reader.end();
  const findings = findingsOf(tally);
  return { ...jsonReport(findings, verdictOf(findings)), usable: tally.usableRecords };
}
