/**
 * Rows of queries whose columns are paths into an audit event, such as `requestObject.status.containerStatuses.0.name`.
 */
import { type Json, isRecord, recordOf, textOf } from "../json.ts";

/** A row of get-query-results: `[{field, value}, …]`. */
export function fieldsRow(list: readonly unknown[]): Json | undefined {
  if (list.length === 0 || !list.every((one) => isRecord(one) && typeof one["field"] === "string")) return undefined;
  return Object.fromEntries(list.map((one) => [textOf(recordOf(one)["field"]), recordOf(one)["value"]]));
}

/** Counts by bin, and other results of `stats`. */
export const isAggregated = (row: Json): boolean =>
  Object.keys(row).some((key) => /^(?:count|sum|avg|min|max|count_distinct)\s*\(|^bin\s*\(/.test(key));

/** Paths into an audit event; Elastic puts its own before them. */
const PATH = /^(?:kubernetes\.audit\.)?((?:requestObject|responseObject|objectRef|user|responseStatus)\..+)$/;

/** The audit event of which a row shows parts, or undefined when it shows none. */
export function auditOfRow(row: Json): Json | undefined {
  if (!Object.keys(row).some((key) => PATH.test(key))) return undefined;
  const plain = Object.fromEntries(
    Object.entries(row).map(([key, value]) => [key.replace(/^kubernetes\.audit\./, ""), value]),
  );
  return recordOf(unflattened(plain));
}

/** Fields of audit events that CloudWatch hands over as text although they are numbers. */
const numeric = new Set(["restartCount", "exitCode", "code"]);

/**
 * Dotted keys to nested objects; parts that are whole numbers index lists. Empty cells are fields that were not there.
 */
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
  return plainOf(root);
}

/** Longest list that a row may tell of; pods have at most some dozens of containers. */
const LONGEST_LIST = 1_000;

function plainOf(value: unknown): unknown {
  if (!(value instanceof Map)) return value;
  const map = value as Map<string, unknown>;
  const keys = [...map.keys()];
  if (keys.length > 0 && keys.every((key) => /^\d{1,4}$/.test(key) && Number(key) < LONGEST_LIST)) {
    const list: unknown[] = [];
    for (const key of keys) list[Number(key)] = plainOf(map.get(key));
    return Array.from(list, (one) => one ?? {});
  }
  return Object.fromEntries([...map].map(([key, inner]) => [key, plainOf(inner)]));
}
