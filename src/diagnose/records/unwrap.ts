/**
 * From a text or a JSON value of any accepted shape to the records inside it. Wrappers may be nested: a text may hold a value,
 * and a value a text.
 */
import type { Sink } from "../findings/sink.ts";
import { isRecord, type Json, recordOf, textOf, timeOf } from "../json.ts";
import { logHost, readJsonLog } from "./json-log.ts";
import { type LogContext, readLogLine } from "./log-line.ts";
import { isAuditEvent, readAuditEvent, readObject } from "./objects.ts";
import { isPacked, packedData, unpacked } from "./packed.ts";

/** What is known of a record from around it. */
export interface RecordContext extends LogContext {
  /** Kind of the list that holds it (its items have none of their own then), or "". */
  readonly listKind: string;
}

/** Wrappers may hold wrappers; nobody nests deeper than this, and what does is hostile. */
const DEEPEST = 8;

/** Lists that hold records, by the key that names them. */
export const listKeys = ["events", "results", "items", "logEvents", "Records", "records", "searchedLogEvents"] as const;

/** Reads everything in a value; a value that holds nothing of a known shape is skipped as `notRecognised`. */
export function readValue(value: unknown, context: RecordContext, sink: Sink, depth = 0): void {
  if (depth > DEEPEST || !readKnown(value, context, sink, depth)) sink.skip("notRecognised");
}

function readKnown(value: unknown, context: RecordContext, sink: Sink, depth: number): boolean {
  if (Array.isArray(value)) return readArray(value, context, sink, depth);
  if (!isRecord(value)) return false;
  if (isAuditEvent(value) && !isAuditList(value)) {
    readAuditEvent(value, context.loggedMs, sink);
    return true;
  }
  return (
    readObject(value, context.listKind, context.loggedMs, sink) ||
    readList(value, context, sink, depth) ||
    readWatch(value, context, sink, depth) ||
    readMessage(value, context, sink) ||
    readPacked(value, context, sink) ||
    readRow(value, context, sink, depth) ||
    readJsonLog(value, context, sink)
  );
}

const isAuditList = (value: Json) => Array.isArray(value["items"]);

function readArray(list: readonly unknown[], context: RecordContext, sink: Sink, depth: number): boolean {
  const row = rowOf(list);
  if (row) return readKnown(row, context, sink, depth + 1);
  for (const one of list) readValue(one, context, sink, depth + 1);
  return list.length > 0 || depth > 0;
}

/** A row of get-query-results: `[{field, value}, …]`. */
function rowOf(list: readonly unknown[]): Json | undefined {
  if (list.length === 0 || !list.every((one) => isRecord(one) && typeof one["field"] === "string")) return undefined;
  return Object.fromEntries(list.map((one) => [textOf(recordOf(one)["field"]), recordOf(one)["value"]]));
}

/** `{events: […]}` and its like, a List of objects, a subscription's `{messageType, logEvents}`. */
function readList(value: Json, context: RecordContext, sink: Sink, depth: number): boolean {
  const key = listKeys.find((one) => Array.isArray(value[one]));
  if (key === undefined) return false;
  const list = value[key] as unknown[];
  const isControl = value["messageType"] === "CONTROL_MESSAGE"; // CloudWatch's test that the subscription works
  // An empty list says that there was nothing; of another it depends on what is in it.
  if (list.length === 0 || isControl) sink.usable();
  if (isControl) return true;
  const kind = textOf(value["kind"]);
  const inner = { ...context, listKind: kind === "List" ? "" : kind };
  for (const one of list) readValue(one, inner, sink, depth + 1);
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

/** A log event of CloudWatch, or whatever else wraps a whole record into a text. */
function readMessage(value: Json, context: RecordContext, sink: Sink): boolean {
  const cloudWatch = value["@message"] ?? value["message"] ?? value["log"] ?? value["MESSAGE"];
  if (isRecord(cloudWatch))
    return readKnown(cloudWatch, { ...context, loggedMs: stampOf(value) ?? context.loggedMs }, sink, DEEPEST - 1);
  if (typeof cloudWatch !== "string") return false;
  const isRow = rowKeys.some((key) => key in value);
  const holdsJson = /^\s*\{/.test(cloudWatch);
  if (!isRow && !holdsJson) return false;
  const host = logHost(value) || context.host || streamHost(value);
  return readText(cloudWatch, { ...context, loggedMs: stampOf(value) ?? context.loggedMs, host }, sink);
}

/** A record of Lambda, Kinesis or Firehose around a subscription's. */
function readPacked(value: Json, context: RecordContext, sink: Sink): boolean {
  const data = packedData(value);
  return data !== undefined && readText(data, context, sink);
}

const rowKeys = ["@message", "eventId", "ingestionTime", "id", "logStreamName"] as const;

/** The host in the name of a log stream, where streams are called after hosts. */
function streamHost(value: Json): string {
  const stream = textOf(value["@logStream"]) || textOf(value["logStreamName"]);
  return /^i?p?-?[\w.-]+\.(?:ec2\.)?internal/.exec(stream)?.[0] ?? "";
}

const stampOf = (value: Json) => timeOf(value["@timestamp"]) ?? timeOf(value["timestamp"]);

/** A row with fields such as `requestObject.status.containerStatuses.0.name` as keys. */
function readRow(value: Json, context: RecordContext, sink: Sink, depth: number): boolean {
  const keys = Object.keys(value);
  if (keys.some((key) => /^(?:count|sum|avg|min|max|count_distinct)\s*\(|^bin\s*\(/.test(key))) {
    sink.skip("aggregatedRow");
    return true;
  }
  if (!keys.some((key) => /^(?:requestObject|responseObject|objectRef|user|responseStatus)\./.test(key))) return false;
  if (depth > DEEPEST) return false;
  readAuditEvent(recordOf(unflattened(value)), stampOf(value) ?? context.loggedMs, sink);
  return true;
}

/** Fields of audit events that CloudWatch hands over as text although they are numbers. */
const numeric = new Set(["restartCount", "exitCode", "code"]);

/** Dotted keys to nested objects; parts that are whole numbers index lists. Empty cells are fields that were not there. */
function unflattened(row: Json): unknown {
  const root = new Map<string, unknown>();
  for (const [key, value] of Object.entries(row)) {
    if (value === "" || value === null || value === undefined) continue;
    const path = key.split(".");
    let at = root;
    for (const part of path.slice(0, -1)) {
      const next = at.get(part);
      const inner = next instanceof Map ? (next as Map<string, unknown>) : new Map<string, unknown>();
      at.set(part, inner);
      at = inner;
    }
    const last = path.at(-1) ?? key;
    at.set(last, numeric.has(last) && typeof value === "string" ? Number(value) : value);
  }
  return plain(root);
}

/** Longest list that a row may tell of; pods have at most some dozens of containers. */
const LONGEST_LIST = 1_000;

function plain(value: unknown): unknown {
  if (!(value instanceof Map)) return value;
  const map = value as Map<string, unknown>;
  const keys = [...map.keys()];
  if (keys.length > 0 && keys.every((key) => /^\d{1,4}$/.test(key) && Number(key) < LONGEST_LIST)) {
    const list: unknown[] = [];
    for (const key of keys) list[Number(key)] = plain(map.get(key));
    return Array.from(list, (one) => one ?? {});
  }
  return Object.fromEntries([...map].map(([key, inner]) => [key, plain(inner)]));
}

const STAMP = /^(\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d)?|\d{13})(?=[\s,])/;
/** Prefixes are short: a time stamp, a stream's name. */
const LONGEST_PREFIX = 300;

/** What journalctl says of the journal itself: `-- Logs begin at …`, `-- Reboot --`, `-- No entries --`. */
const JOURNAL_NOTE = /^-- .+ --$/;

/** Reads a text; false when it has no known shape. Broken JSON inside is skipped as such and counts as read. */
export function readText(text: string, context: RecordContext, sink: Sink): boolean {
  if (JOURNAL_NOTE.test(text)) {
    sink.usable();
    return true;
  }
  if (isPacked(text)) return readPackedText(text, context, sink);
  const brace = text.indexOf("{");
  if (brace >= 0 && brace <= LONGEST_PREFIX && looksLikeRecord(text, brace)) {
    const loggedMs = context.loggedMs ?? timeOf(STAMP.exec(text)?.[1]);
    const value = parsed(text.slice(brace));
    if (value !== undefined) {
      readValue(value, { ...context, loggedMs }, sink, 1);
      return true;
    }
    if (brace === 0 || STAMP.test(text)) {
      sink.skip("brokenJson");
      return true;
    }
  }
  if (readLogLine(text, context, sink)) return true;
  return false;
}

/** Base64 of gzip, as subscriptions deliver it. Damage counts as read. */
function readPackedText(text: string, context: RecordContext, sink: Sink): boolean {
  const inner = unpacked(text);
  const value = inner === undefined ? undefined : parsed(inner);
  if (value !== undefined) readValue(value, context, sink, 1);
  else sink.skip(inner === undefined ? "truncatedGzip" : "brokenJson");
  return true;
}

/**
 * A brace at the start or after a prefix, followed by a key. Lines of logs have braces further in, without; or after the
 * name of a field (`event={"ID":…}`).
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
