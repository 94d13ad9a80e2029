/** A log record in JSON: the journal's export, klog's JSON format, containerd's, and what log stores make of them. */
import { type Json, recordOf, textOf, timeOf } from "../json.ts";
import { hostIn } from "./clouds.ts";

/**
 * Keys under which a text is kept: journal, klog, CloudWatch, Splunk, Loki, Google, Azure, Datadog, OpenTelemetry,
 * Elastic.
 */
const textKeys = [
  ...["MESSAGE", "message", "@message", "msg", "log", "_raw", "line", "textPayload", "log_s", "LogMessage", "LogEntry"],
  ...["SyslogMessage", "Message", "Log", "Line", "content", "Content", "body", "Body", "event", "original", "raw"],
];
const timeKeys = [
  ...["_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP", "@timestamp", "ts", "time", "timestamp", "_time"],
  ...["EventTime", "TimeGenerated", "Time", "Date", "date", "Timestamp", "timeUnixNano", "observedTimeUnixNano"],
];
const programKeys = [
  ...["SYSLOG_IDENTIFIER", "_SYSTEMD_UNIT", "UNIT", "_COMM", "systemd_unit", "syslog_identifier", "unit", "ident"],
  ...["ProcessName", "appname", "program", "service", "Service", "job", "logName", "source_type"],
];

/** The text of a log record, or undefined when the record is none. The journal writes what is not UTF-8 as bytes. */
export function logText(record: Json): string | undefined {
  for (const key of textKeys) {
    const value = record[key];
    if (typeof value === "string") return value;
    if (key === "MESSAGE" && Array.isArray(value))
      return Buffer.from(value.filter((one) => typeof one === "number")).toString();
  }
  return textOf(recordOf(record["body"])["stringValue"]) || undefined;
}

/** When the record was written, as it tells by itself. */
export function logTime(record: Json): number | undefined {
  for (const key of timeKeys) {
    const ms = timeOf(record[key]) ?? timeOf(record[`${key} [UTC]`]);
    if (ms !== undefined) return ms;
  }
  return undefined;
}

/** Host that wrote it, or "". */
export const logHost = (record: Json): string => hostIn(record) || streamHost(record);

/** The host in the name of a log stream, where streams are called after hosts. */
function streamHost(value: Json): string {
  const stream = textOf(value["@logStream"]) || textOf(value["logStreamName"]);
  return /^i?p?-?[\w.-]+\.(?:ec2\.)?internal/.exec(stream)?.[0] ?? "";
}

/** Program that wrote it, or "". */
export function logProgram(record: Json): string {
  const named = programKeys.map((key) => textOf(record[key])).find((text) => text !== "");
  // klog's JSON names the file: `kubelet/pod_workers.go:1301`.
  const caller = /^(kubelet)\//.exec(textOf(record["caller"]))?.[1];
  return caller ?? named?.split("/").at(-1) ?? "";
}

/** Whether a record without a wrapper is a log: it has a text and a time or a level beside it. */
export const looksLikeLog = (record: Json): boolean =>
  logTime(record) !== undefined ||
  ["level", "v", "PRIORITY", "severity", "systemd_unit", "stream"].some((key) => key in record);

/** The text and what stands beside it, as klog and logfmt write it, so that one set of patterns reads both. */
export function logLine(record: Json, text: string): string {
  const fields = Object.entries(record).filter(([key]) => !textKeys.includes(key));
  return `${text} ${fields.map(fieldText).join(" ")}`;
}

/** klog's JSON has pods as objects. */
function fieldText([key, value]: [string, unknown]): string {
  if (key.startsWith("_") || timeKeys.includes(key)) return "";
  if (typeof value === "string") return `${key}=${JSON.stringify(value)}`;
  const { namespace, name } = recordOf(value);
  if (typeof namespace === "string" && typeof name === "string") return `${key}="${namespace}/${name}"`;
  return typeof value === "number" ? `${key}=${value}` : "";
}
