/**
 * JSON Patch of the few parts of an object that Paceline changes, on the condition that the object is as it was read.
 */
import fastJsonPatch from "fast-json-patch";
import type { Operation } from "fast-json-patch";
import { recordOf } from "../parse/kube-json.ts";
import type { KubeObject } from "../parse/kube-json.ts";

/** The wanted parts; fields of `spec` that are not named stay unchanged. */
export interface Wanted {
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: Readonly<Record<string, object | boolean>>;
}

/**
 * Operations from `raw` to what is wanted, with tests of uid and resourceVersion; none if nothing differs.
 * An absent list and an empty one are the same, and so are an absent flag and a false one.
 */
export function changesBetween(raw: KubeObject, wanted: Wanted): readonly Operation[] {
  const spec = recordOf(raw["spec"]);
  const before = {
    metadata: raw.metadata?.annotations === undefined ? {} : { annotations: raw.metadata.annotations },
    spec: Object.fromEntries(Object.entries(spec).filter(([field]) => field in wanted.spec)),
  };
  const after = {
    metadata: withoutEmpty({ annotations: wanted.annotations }, before.metadata),
    spec: withoutEmpty(wanted.spec, before.spec),
  };
  const operations = fastJsonPatch.compare(before, after);
  if (operations.length === 0) return [];
  return [
    { op: "test", path: "/metadata/uid", value: raw.metadata?.uid },
    { op: "test", path: "/metadata/resourceVersion", value: raw.metadata?.resourceVersion },
    ...operations,
  ];
}

function withoutEmpty<Field>(wanted: Readonly<Record<string, Field>>, before: object): Record<string, Field> {
  const kept = Object.entries(wanted).filter(
    ([field, value]) => field in before || value === true || Object.keys(value as object).length > 0,
  );
  return Object.fromEntries(kept);
}
