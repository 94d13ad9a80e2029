/** The three patch formats. */
import type { PatchKind } from "../../../../src/kube/client/api-client.ts";
import { isRecord } from "../../../../src/kube/parse/kube-json.ts";
import { copyOf, type Json } from "../json.ts";
import { badRequest } from "../refusals.ts";
import { jsonPatched } from "./json-patch.ts";
import { strategicMerge } from "./strategic-merge.ts";

/**
 * The object after the patch, a copy. @throws Refusal 422 for a JSON Patch that does not fit, 400 for no patch at all
 */
export function patched(object: object, body: unknown, kind: PatchKind): Json {
  const copy = copyOf(object) as Json;
  const patch: unknown = copyOf(body);
  if (kind === "json") return jsonPatched(copy, patch);
  if (!isRecord(patch)) throw badRequest("the patch is no JSON object");
  return kind === "merge" ? mergePatched(copy, patch) : strategicMerge(copy, patch, "");
}

/** RFC 7386. Changes `object`. */
function mergePatched(object: Json, patch: Readonly<Json>): Json {
  for (const [field, value] of Object.entries(patch)) {
    const before = object[field];
    if (value === null) Reflect.deleteProperty(object, field);
    else object[field] = isRecord(value) ? mergePatched(isRecord(before) ? before : {}, value) : value;
  }
  return object;
}
