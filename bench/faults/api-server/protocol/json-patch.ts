/**
 * JSON Patch (RFC 6902) as kube-apiserver applies it. It differs from the RFC in one point that other libraries keep:
 * `replace` of a field that is not there adds the field.
 */
import { isDeepStrictEqual } from "node:util";
import { isRecord, textOf } from "../../../../src/kube/parse/kube-json.ts";
import type { Json } from "../json.ts";
import { badRequest, misfit } from "../refusals.ts";

/** Where an operation works: a field of an object, or a place in a list. */
type Place = { readonly in: Json; readonly key: string } | { readonly in: unknown[]; readonly key: string };

/** Changes `object`. @throws Refusal 422 if an operation does not fit, 400 if there is no list of operations */
export function jsonPatched(object: Json, patch: unknown): Json {
  if (!Array.isArray(patch)) throw badRequest("the JSON Patch is no list of operations");
  for (const operation of patch) {
    if (!isRecord(operation)) throw badRequest("an operation of the JSON Patch is no object");
    apply(object, operation);
  }
  return object;
}

function apply(object: Json, operation: Readonly<Json>): void {
  const { op, value } = operation;
  const place = placeOf(object, textOf(operation["path"]));
  switch (op) {
    case "add":
      add(place, value);
      return;
    case "remove":
      take(place);
      return;
    case "replace":
      replace(place, value);
      return;
    case "move":
      add(place, take(placeOf(object, textOf(operation["from"]))));
      return;
    case "copy":
      add(place, structuredClone(read(placeOf(object, textOf(operation["from"])))));
      return;
    case "test":
      if (!isDeepStrictEqual(read(place) ?? null, value ?? null)) throw misfit(`testing value ${place.key} failed`);
      return;
    default:
      throw misfit(`unexpected kind of operation: ${textOf(op)}`);
  }
}

/** @throws Refusal 422 if a parent is not there */
function placeOf(object: Json, path: string): Place {
  const parts = path.split("/").map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  const key = parts.pop() ?? "";
  let at: unknown = object;
  for (const part of parts.slice(1)) at = isBranch(at) ? read(placeIn(at, part)) : undefined;
  if (parts.length === 0 || !isBranch(at)) throw misfit(`doc is missing path: ${path}`);
  return placeIn(at, key);
}

const isBranch = (value: unknown): value is Json | unknown[] => typeof value === "object" && value !== null;

const placeIn = (branch: Json | unknown[], key: string): Place => ({ in: branch, key }) as Place;

function read(place: Place): unknown {
  return Array.isArray(place.in) ? place.in[indexOf(place.in, place.key)] : place.in[place.key];
}

/** @throws Refusal 422 if the list is shorter */
function indexOf(list: readonly unknown[], key: string, length = list.length): number {
  const index = Number(key) < 0 ? Number(key) + length : Number(key);
  if (!Number.isInteger(index) || key === "" || index < 0 || index >= length) throw misfit(`invalid index: ${key}`);
  return index;
}

function add(place: Place, value: unknown): void {
  if (!Array.isArray(place.in)) place.in[place.key] = value;
  else if (place.key === "-") place.in.push(value);
  else place.in.splice(indexOf(place.in, place.key, place.in.length + 1), 0, value);
}

function replace(place: Place, value: unknown): void {
  if (Array.isArray(place.in)) place.in[indexOf(place.in, place.key)] = value;
  else place.in[place.key] = value;
}

function take(place: Place): unknown {
  if (Array.isArray(place.in)) return place.in.splice(indexOf(place.in, place.key), 1)[0];
  if (!(place.key in place.in)) throw misfit(`unable to remove nonexistent key: ${place.key}`);
  const taken = place.in[place.key];
  Reflect.deleteProperty(place.in, place.key);
  return taken;
}
