/** A log record in JSON: the journal's export, klog's JSON format, containerd's, and what log shippers make of them. */
import type { Sink } from "../findings/sink.ts";
import { type Json, recordOf, textOf, timeOf } from "../json.ts";
import { readLogLine, type LogContext } from "./log-line.ts";

/** The text of a log record, or undefined when the record is none. The journal writes what is not UTF-8 as bytes. */
export function logText(record: Json): string | undefined {
  for (const key of ["MESSAGE", "message", "msg", "log", "@message"]) {
    const value = record[key];
    if (typeof value === "string") return value;
    if (key === "MESSAGE" && Array.isArray(value))
      return Buffer.from(value.filter((one) => typeof one === "number")).toString();
  }
  return undefined;
}

/** When the record was written, as it tells by itself. */
export function logTime(record: Json): number | undefined {
  for (const key of ["_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP", "ts", "time", "@timestamp", "timestamp"]) {
    const ms = timeOf(record[key]);
    if (ms !== undefined) return ms;
  }
  return undefined;
}

/** Host that wrote it, or "". */
export function logHost(record: Json): string {
  const kubernetes = recordOf(record["kubernetes"]);
  return (
    textOf(record["_HOSTNAME"]) ||
    textOf(record["hostname"]) ||
    textOf(record["host"]) ||
    textOf(record["node"]) ||
    textOf(kubernetes["host"])
  );
}

/** Whether a record without a wrapper is a log: it has a text and a time or a level beside it. */
const looksLikeLog = (record: Json) =>
  logTime(record) !== undefined ||
  ["level", "v", "PRIORITY", "severity", "systemd_unit", "stream"].some((key) => key in record);

/** Reads a structured log record; false when it is none. */
export function readJsonLog(record: Json, context: LogContext, sink: Sink): boolean {
  const text = logText(record);
  if (text === undefined || !looksLikeLog(record)) return false;
  const fields = Object.entries(record).filter(
    ([key]) => !["MESSAGE", "message", "msg", "log", "@message"].includes(key),
  );
  const line = `${text} ${fields.map(fieldText).join(" ")}`;
  const loggedMs = logTime(record) ?? context.loggedMs;
  return readLogLine(line, { ...context, loggedMs, host: logHost(record) || context.host, isLog: true }, sink);
}

/** As klog and logfmt write it, so that one set of patterns reads both; klog's JSON has pods as objects. */
function fieldText([key, value]: [string, unknown]): string {
  if (key.startsWith("_") || ["ts", "time", "timestamp", "@timestamp"].includes(key)) return "";
  if (typeof value === "string") return `${key}=${JSON.stringify(value)}`;
  const { namespace, name } = recordOf(value);
  if (typeof namespace === "string" && typeof name === "string") return `${key}="${namespace}/${name}"`;
  return typeof value === "number" ? `${key}=${value}` : "";
}
