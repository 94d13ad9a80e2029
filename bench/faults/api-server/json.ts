/**
 * JSON values: copies, frozen values, and the form in which Kubernetes' typed objects come back from the API server.
 */
import { isRecord } from "../../../src/kube/parse/kube-json.ts";

/** A JSON object that is being built. */
export type Json = Record<string, unknown>;

/** A copy that shares nothing with the value. Fields that are undefined are gone, as after a request. */
export function copyOf<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

/** Freezes the value and all that it holds, so that no reader can change what the server stores. */
export function frozen<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  for (const one of Object.values(value)) frozen(one);
  return Object.freeze(value);
}

/** The field as an object of its own, made if it is not there. */
export function childOf(parent: Json, field: string): Json {
  const child = parent[field];
  if (isRecord(child)) return child;
  return (parent[field] = {});
}

/** The field as a list; empty if it is not there. */
export function listOf(parent: Readonly<Json>, field: string): readonly Readonly<Json>[] {
  const list = parent[field];
  return Array.isArray(list) ? (list as readonly Readonly<Json>[]) : [];
}

/** Fields that are maps of strings: their values stay as they are. */
const MAPS = new Set([
  ...["labels", "annotations", "nodeSelector", "matchLabels", "data", "stringData", "binaryData"],
  ...["capacity", "allocatable", "requests", "limits", "overhead"],
]);

/** Fields that Kubernetes keeps when they are "": pointers to strings. */
const KEEP_EMPTY = new Set(["holderIdentity"]);

/**
 * What a typed object looks like after decoding and encoding: null, empty lists, empty maps of strings and empty
 * strings are left out, and so are directives of strategic patches. Changes `value`.
 */
export function normalised(value: Json): Json {
  for (const [field, one] of Object.entries(value)) {
    if (isDropped(field, one)) Reflect.deleteProperty(value, field);
    else if (Array.isArray(one)) one.filter(isRecord).forEach((entry) => normalised(entry));
    else if (isRecord(one)) (MAPS.has(field) ? withoutNulls : normalised)(one);
  }
  return value;
}

/** In a map of strings, null is the empty string. */
function withoutNulls(map: Json): void {
  for (const [key, value] of Object.entries(map)) map[key] = value ?? "";
}

function isDropped(field: string, value: unknown): boolean {
  if (value === null || value === undefined || field.startsWith("$")) return true;
  if (value === "") return !KEEP_EMPTY.has(field);
  if (Array.isArray(value)) return value.length === 0;
  return MAPS.has(field) && isRecord(value) && Object.keys(value).length === 0;
}
