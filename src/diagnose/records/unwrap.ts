/**
 * From a text or a JSON value of any accepted shape to the records inside it. Wrappers may be nested: a text may hold a
 * value, and a value a text.
 */
import { markIn } from "../classify/marks.ts";
import type { Sink } from "../findings/sink.ts";
import { isRecord, type Json, textOf, timeOf, written } from "../json.ts";
import { azureAudit, googleAudit, lokiLines, statusPart, tableRows } from "./clouds.ts";
import { readEventLine } from "./event-line.ts";
import { readFlat } from "./flat.ts";
import { logHost, logLine, logProgram, logText, logTime, looksLikeLog } from "./json-log.ts";
import { type LogContext, readJournalNote, readLogLine } from "./log-line.ts";
import { isAuditEvent, readAuditEvent, readObject } from "./objects.ts";
import { isPacked, packedData, unpacked } from "./packed.ts";
import { auditOfRow, fieldsRow, isAggregated } from "./rows.ts";
import { readInspected } from "./runtime-objects.ts";
import { withoutColours } from "./colours.ts";

/** What is known of a record from around it. */
export interface RecordContext extends LogContext {
  /** Kind of the list that holds it (its items have none of their own then), or "". */
  readonly listKind: string;
}

/** Wrappers may hold wrappers; nobody nests deeper than this, and what does is hostile. */
const DEEPEST = 10;

/** Lists that hold records, by the key that names them. */
export const listKeys = [
  ...["events", "results", "items", "logEvents", "Records", "records", "searchedLogEvents", "hits", "logs"],
] as const;

/** Reads everything in a value; a value that holds nothing of a known shape is told as `notRecognised`. */
export function readValue(value: unknown, context: RecordContext, sink: Sink, depth = 0): void {
  if (depth > DEEPEST || !readKnown(value, context, sink, depth)) {
    const { text, isTooDeep } = written(value);
    sink.unread(isTooDeep ? "brokenJson" : "notRecognised", text, "record");
  }
}

type Reader = (value: Json, context: RecordContext, sink: Sink, depth: number) => boolean;

/** Tried in this order: what is surest comes first, and what only looks for something inside comes last. */
const readers: readonly Reader[] = [
  readAudit,
  (value, { listKind, loggedMs, calendar }, sink) => readObject(value, listKind, loggedMs, sink, calendar.nowMs),
  (value, { calendar }, sink) => readInspected(value, calendar.nowMs, sink),
  readList,
  readTable,
  readWatch,
  readOtherKind,
  readRow,
  readFlatRow,
  readLogRecord,
  readPacked,
  readStatusPart,
  readInner,
];

function readKnown(value: unknown, context: RecordContext, sink: Sink, depth: number): boolean {
  if (depth > DEEPEST) return false;
  if (Array.isArray(value)) return readArray(value, context, sink, depth);
  return isRecord(value) && readers.some((read) => read(value, context, sink, depth));
}

function readAudit(value: Json, context: RecordContext, sink: Sink): boolean {
  const isEvent = isAuditEvent(value) && !Array.isArray(value["items"]);
  const event = isEvent ? value : (googleAudit(value) ?? azureAudit(value) ?? attributed(value));
  if (event === undefined) return false;
  readAuditEvent(event, context.loggedMs, sink);
  return true;
}

/** Datadog keeps the fields of an audit event beside a message that may be any text. */
function attributed(value: Json): Json | undefined {
  const held = value["attributes"];
  return isRecord(held) && isAuditEvent(held) ? held : undefined;
}

function readArray(list: readonly unknown[], context: RecordContext, sink: Sink, depth: number): boolean {
  const row = fieldsRow(list);
  if (row) return readKnown(row, context, sink, depth + 1);
  for (const one of list) readElement(one, context, sink, depth + 1);
  return list.length > 0 || depth > 0;
}

/** An element of a list; texts are lines, as Loki and others list them. */
function readElement(value: unknown, context: RecordContext, sink: Sink, depth: number): void {
  if (typeof value === "string" && readText(value, context, sink)) return;
  readValue(value, context, sink, depth);
}

/** `{events: […]}` and its like, a List of objects, a subscription's `{messageType, logEvents}`. */
function readList(value: Json, context: RecordContext, sink: Sink, depth: number): boolean {
  const key = listKeys.find((one) => Array.isArray(value[one]));
  if (key === undefined) return false;
  const list = value[key] as unknown[];
  const isControl = value["messageType"] === "CONTROL_MESSAGE"; // CloudWatch's test that the subscription works
  // An empty list is read, and shows nothing; of another it depends on what is in it.
  if (list.length === 0 || isControl) sink.usable("context");
  if (isControl) return true;
  const kind = textOf(value["kind"]);
  const inner = { ...context, listKind: kind === "List" ? "" : kind };
  for (const one of list) readElement(one, inner, sink, depth + 1);
  return true;
}

function readTable(value: Json, context: RecordContext, sink: Sink, depth: number): boolean {
  const rows = tableRows(value) ?? lokiLines(value);
  if (rows === undefined) return false;
  if (rows.length === 0) sink.usable("context");
  for (const row of rows) readValue(row, { ...context, isLog: true }, sink, depth + 1);
  return true;
}

/** One line of `kubectl get … -o json --watch --output-watch-events`. */
function readWatch(value: Json, context: RecordContext, sink: Sink, depth: number): boolean {
  return (
    typeof value["type"] === "string" &&
    isRecord(value["object"]) &&
    readKnown(value["object"], context, sink, depth + 1)
  );
}

/** Objects of the API that tell nothing of starts, unless words of the problem stand in them. */
function readOtherKind(value: Json, _: RecordContext, sink: Sink): boolean {
  if (typeof value["apiVersion"] !== "string" || typeof value["kind"] !== "string") return false;
  const { text, isTooDeep } = written(value);
  if (!isTooDeep && markIn(text) === undefined) sink.skip("otherKind");
  else sink.unread(isTooDeep ? "brokenJson" : "notRecognised", text, "record");
  return true;
}

/** A row with fields such as `requestObject.status.containerStatuses.0.name` as keys, or with counts. */
function readRow(value: Json, context: RecordContext, sink: Sink): boolean {
  if (isAggregated(value)) {
    sink.skip("aggregatedRow");
    return true;
  }
  const event = auditOfRow(value);
  if (event === undefined) return false;
  readAuditEvent(event, timeOf(value["@timestamp"]) ?? timeOf(value["timestamp"]) ?? context.loggedMs, sink);
  return true;
}

function readFlatRow(value: Json, context: RecordContext, sink: Sink): boolean {
  const { calendar, loggedMs, host } = context;
  const row = { nowMs: calendar.nowMs, loggedMs: logTime(value) ?? loggedMs, host };
  return readFlat(value, row, sink);
}

/** A log event of any store, or whatever else wraps a whole record or a line into a text. */
function readLogRecord(value: Json, context: RecordContext, sink: Sink): boolean {
  const text = logText(value);
  if (text === undefined) return false;
  const inner = innerContext(value, context);
  if (/^\s*[[{]/.test(text) && readText(text.trim(), inner, sink)) return true;
  const isRow = rowKeys.some((key) => key in value);
  if (isRow && readText(text, inner, sink)) return true;
  if (isRow || !(context.isLog || looksLikeLog(value))) return false;
  return readLogLine(withoutColours(logLine(value, text)), { ...inner, isLog: true }, sink);
}

/** Keys of CloudWatch's own records: what their text is shows in itself. */
const rowKeys = ["@message", "eventId", "ingestionTime", "id", "logStreamName"] as const;

/** What a wrapper tells of what it holds. */
const innerContext = (value: Json, context: RecordContext): RecordContext => ({
  ...context,
  loggedMs: logTime(value) ?? context.loggedMs,
  host: logHost(value) || context.host,
  program: logProgram(value) || context.program,
});

/** A record of Lambda, Kinesis or Firehose around a subscription's. */
function readPacked(value: Json, context: RecordContext, sink: Sink): boolean {
  const data = packedData(value);
  return data !== undefined && readText(data, context, sink);
}

/** A part of a pod's status that was cut out of it. */
function readStatusPart(value: Json, context: RecordContext, sink: Sink): boolean {
  const status = statusPart(value);
  if (status === undefined) return false;
  const pod = { kind: "Pod", metadata: {}, spec: {}, status };
  return readObject(pod, "", context.loggedMs, sink, context.calendar.seenMs ?? context.calendar.nowMs);
}

/** Keys that describe the record instead of holding one. */
const aboutKeys = new Set(["labels", "metadata", "resource", "tags", "stream", "spec", "agent", "ecs"]);

/**
 * Looks for known records in a wrapper whose name does not matter: `_source`, `jsonPayload`, `attributes`,
 * `properties`.
 */
function readInner(value: Json, context: RecordContext, sink: Sink, depth: number): boolean {
  const inner = { ...innerContext(value, context), isLog: true };
  let isKnown = false;
  for (const [key, held] of Object.entries(value)) {
    if (aboutKeys.has(key)) continue;
    const records = Array.isArray(held) ? held.filter(isRecord) : isRecord(held) ? [held] : [];
    for (const one of records) isKnown = readKnown(one, inner, sink, depth + 1) || isKnown;
  }
  return isKnown;
}

const STAMP = /^(\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d)?|\d{13})(?=[\s,])/;
/** Prefixes are short: a time stamp, a stream's name. */
const LONGEST_PREFIX = 300;

/** What journalctl says of the journal itself: `-- Logs begin at …`, `-- Reboot --`, `-- No entries --`. */
const JOURNAL_NOTE = /^-- .+ --$/;
/** Lines that only draw: rules of tables, fences of Markdown. */
const DRAWING = /^(?:[-+|=*_~#:\s`]+|`{3}\w*|~{3}\w*)$/;
/** What kubectl says when there is nothing. */
const NOTHING = /^No resources found(?: in \S+ namespace)?\.?$/;

/** How logcli prints a line: its time, the labels of its stream, and then the text. */
const LOGCLI = /^(\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d))\s+\{\w+="[^{}]*"\}\s+/;

/** Reads a text; false when it has no known shape. Broken JSON inside is told as such and counts as read. */
export function readText(raw: string, context: RecordContext, sink: Sink): boolean {
  const text = withoutColours(raw).replace(LOGCLI, "$1 ");
  if (JOURNAL_NOTE.test(text) || NOTHING.test(text)) {
    readJournalNote(text, context.calendar, sink);
    sink.usable("context");
    return true;
  }
  if (DRAWING.test(text)) return true;
  if (isPacked(text)) return readPackedText(text, context, sink);
  return (
    readJsonText(text, context, sink) ||
    readLogLine(text, context, sink) ||
    readEventLine(text, { nowMs: context.calendar.nowMs, loggedMs: context.loggedMs, host: context.host }, sink) ||
    readQuoted(text, context, sink)
  );
}

/** A record behind a prefix such as a time, a stream's name or a cell's border. */
function readJsonText(text: string, context: RecordContext, sink: Sink): boolean {
  const brace = text.indexOf("{");
  if (brace < 0 || brace > LONGEST_PREFIX || !looksLikeRecord(text, brace)) return false;
  const loggedMs = context.loggedMs ?? timeOf(STAMP.exec(text)?.[1]);
  const value = parsed(text.slice(brace)) ?? parsed(text.slice(brace, text.lastIndexOf("}") + 1));
  if (value !== undefined) {
    readValue(value, { ...context, loggedMs }, sink, 1);
    return true;
  }
  if (brace !== 0 && !STAMP.test(text)) return false;
  sink.unread("brokenJson", text, "line");
  return true;
}

/** An audit event with request and answer; what is longer is looked at only if it stands as it was written. */
const LONGEST_QUOTED = 500_000;

/** A line inside quotes: copied out of JSON, or a row of CSV without its header. */
function readQuoted(text: string, context: RecordContext, sink: Sink): boolean {
  if (text.length > LONGEST_QUOTED) return false;
  const quoted = /^"(?:[^"\\]|\\.)*"(?=,?$)/.exec(text)?.[0];
  const inner = quoted === undefined ? undefined : parsed(quoted);
  if (typeof inner === "string") return readText(inner.trim(), context, sink);
  const from = text.indexOf('"{""');
  const to = text.lastIndexOf('}"');
  return from >= 0 && to > from && readJsonText(text.slice(from + 1, to + 1).replaceAll('""', '"'), context, sink);
}

/** Base64 of gzip, as subscriptions deliver it. Damage counts as read. */
function readPackedText(text: string, context: RecordContext, sink: Sink): boolean {
  const inner = unpacked(text);
  const value = inner === undefined ? undefined : parsed(inner);
  if (value !== undefined) readValue(value, context, sink, 1);
  else if (inner === undefined) sink.skip("truncatedGzip");
  else sink.unread("brokenJson", inner, "line");
  return true;
}

/**
 * A brace at the start or after a prefix, followed by a key. Lines of logs have braces further in, without; or after
 * the name of a field (`event={"ID":…}`).
 */
const looksLikeRecord = (text: string, brace: number) =>
  text[brace - 1] !== "=" && /^\{\s*"/.test(text.slice(brace, brace + 40));

/** The value, or undefined when it is no JSON. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
