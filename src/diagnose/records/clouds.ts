/**
 * Records as clouds and log stores wrap them: what is particular to each. Wrappers that only hold a record need no
 * mention.
 */
import { type Json, isRecord, recordOf, textOf, timeOf } from "../json.ts";

/** A table of Log Analytics, as its API and `az monitor` give it: columns and rows apart. */
export function tableRows(value: Json): Json[] | undefined {
  const columns = value["columns"];
  const rows = value["rows"];
  if (!Array.isArray(columns) || !Array.isArray(rows)) return undefined;
  const names = columns.map((one) => (isRecord(one) ? textOf(one["name"]) : textOf(one)));
  const isRow = (row: unknown): row is unknown[] => Array.isArray(row);
  return rows.filter(isRow).map((row) => Object.fromEntries(names.map((name, index) => [name, row[index]])));
}

/** Lines of a stream of Loki's API: `{stream: {labels}, values: [[ns, line], …]}`. */
export function lokiLines(value: Json): Json[] | undefined {
  const values = value["values"];
  if (!isRecord(value["stream"]) || !Array.isArray(values)) return undefined;
  const host = hostIn(value["stream"]);
  const isEntry = (entry: unknown): entry is unknown[] => Array.isArray(entry) && typeof entry[1] === "string";
  return values.filter(isEntry).map(([ns, line]) => ({ timestamp: ns, line, host }));
}

/** Keys under which stores keep the name of the host. */
const hostKeys = [
  ...["_HOSTNAME", "hostname", "host", "node", "node_name", "nodename", "Computer", "HostName", "Host", "instance"],
  ...["@logStreamHost", "hostName", "kubernetes_host", "kubernetes.node.name", "host.name", "host.hostname"],
];

/** The host that a record or a set of labels names, or "". */
export function hostIn(record: Json): string {
  for (const key of hostKeys) {
    const value = record[key];
    const text = isRecord(value) ? textOf(value["hostname"]) || textOf(value["name"]) : textOf(value);
    if (text !== "") return text;
  }
  const kubernetes = recordOf(record["kubernetes"]);
  const labels = recordOf(recordOf(record["resource"])["labels"]);
  const byKubernetes = textOf(kubernetes["host"]) || textOf(recordOf(kubernetes["node"])["name"]);
  return byKubernetes || textOf(labels["node_name"]) || textOf(kubernetes["node_name"]);
}

/**
 * An audit event of Google Cloud (`protoPayload`), as the API server would have written it; undefined for any other.
 */
export function googleAudit(entry: Json): Json | undefined {
  const payload = recordOf(entry["protoPayload"]);
  const method = /^io\.k8s\..*?\.(\w+)\.(?:(\w+)\.)?(\w+)$/.exec(textOf(payload["methodName"]));
  if (!method) return undefined;
  const path = textOf(payload["resourceName"]).split("/namespaces/").at(-1)?.split("/") ?? [];
  const [namespace, resource, name, subresource] = path;
  const code = Number(recordOf(payload["status"])["code"] ?? 0);
  return {
    kind: "Event",
    apiVersion: "audit.k8s.io/v1",
    auditID: textOf(entry["insertId"]),
    stage: "ResponseComplete",
    verb: method[3],
    user: { username: textOf(recordOf(payload["authenticationInfo"])["principalEmail"]) },
    objectRef: { namespace, resource: resource ?? method[1], name, subresource },
    // Google's codes are those of gRPC: 0 is success.
    responseStatus: { code: code === 0 ? 200 : 400 },
    requestObject: payload["request"],
    responseObject: payload["response"],
    requestReceivedTimestamp: timeOf(entry["timestamp"]) === undefined ? entry["receiveTimestamp"] : entry["timestamp"],
  };
}

/** A row of AKS's table AKSAudit: the fields of an audit event under names with a capital, objects as text. */
export function azureAudit(row: Json): Json | undefined {
  if (typeof row["AuditId"] !== "string" || row["RequestUri"] === undefined) return undefined;
  const objectOf = (key: string) => parsedRecord(row[key]);
  return {
    apiVersion: "audit.k8s.io/v1",
    kind: "Event",
    level: row["Level"],
    auditID: row["AuditId"],
    stage: row["Stage"],
    verb: row["Verb"],
    requestURI: row["RequestUri"],
    user: objectOf("User"),
    objectRef: objectOf("ObjectRef"),
    responseStatus: objectOf("ResponseStatus"),
    requestObject: objectOf("RequestObject"),
    responseObject: objectOf("ResponseObject"),
    requestReceivedTimestamp: row["RequestReceivedTime"] ?? row["TimeGenerated"],
  };
}

function parsedRecord(value: unknown): unknown {
  if (typeof value !== "string") return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return undefined;
  }
}

/** OpenTelemetry's log records keep their text in `body.stringValue`. */
export function otelText(record: Json): string {
  return textOf(recordOf(record["body"])["stringValue"]) || textOf(record["body"]);
}

/**
 * The containers' statuses in a part of a pod that was cut out: `{containerStatuses: […]}`, `{lastState: {…}}`,
 * `{terminated: {…}}`.
 */
export function statusPart(value: Json): Json | undefined {
  const lists = ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"];
  if (lists.some((key) => Array.isArray(value[key]))) return value;
  if (isStateful(value)) return { containerStatuses: [value] };
  if (isRecord(value["terminated"])) return { containerStatuses: [{ lastState: value }] };
  if (isRecord(value["waiting"])) return { containerStatuses: [{ state: value }] };
  return undefined;
}

const isStateful = (value: Json) =>
  [value["state"], value["lastState"]].some((state) =>
    ["terminated", "waiting"].some((key) => isRecord(recordOf(state)[key])),
  );
