/** What the API server sets and checks in `metadata` of every object. */
import { isDeepStrictEqual } from "node:util";
import { recordOf, textMapOf } from "../../../../src/kube/parse/kube-json.ts";
import { childOf, type Json } from "../json.ts";
import { invalidField, requiredField, type Cause } from "../refusals.ts";

/** Bytes of keys and values of all annotations together. */
const ANNOTATION_BYTES = 256 * 1_024;

const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const NAME_PART = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;

/** Causes for a name, labels and annotations that Kubernetes does not take. */
export function metadataCauses(metadata: Readonly<Json>): readonly Cause[] {
  const { name, labels, annotations } = metadata;
  return [
    ...nameCauses(name),
    ...Object.entries(textMapOf(labels)).flatMap(([key, value]) => [
      ...(isQualifiedName(key) ? [] : [invalidField("metadata.labels", `no label key: ${key}`)]),
      ...(isLabelValue(value) ? [] : [invalidField("metadata.labels", `no label value: ${value}`)]),
    ]),
    ...annotationCauses(textMapOf(annotations)),
  ];
}

function nameCauses(name: unknown): readonly Cause[] {
  if (typeof name !== "string" || name === "")
    return [requiredField("metadata.name", "name or generateName is required")];
  const fits = name.length <= 253 && SUBDOMAIN.test(name);
  return fits ? [] : [invalidField("metadata.name", "a lowercase RFC 1123 subdomain")];
}

function annotationCauses(annotations: Readonly<Record<string, string>>): readonly Cause[] {
  const entries = Object.entries(annotations);
  const bytes = entries.reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0);
  return [
    ...entries
      .filter(([key]) => !isQualifiedName(key.toLowerCase()))
      .map(([key]) => invalidField("metadata.annotations", `no annotation key: ${key}`)),
    ...(bytes > ANNOTATION_BYTES
      ? [
          {
            reason: "FieldValueTooLong" as const,
            field: "metadata.annotations",
            message: "must have at most 262144 bytes",
          },
        ]
      : []),
  ];
}

/** `[prefix/]name`, as for keys of labels, taints and tolerations. */
export function isQualifiedName(key: string): boolean {
  const parts = key.split("/");
  const [prefix, name] = parts.length === 1 ? [undefined, parts[0]] : parts;
  if (parts.length > 2 || name === undefined || name.length > 63 || !NAME_PART.test(name)) return false;
  return prefix === undefined || (prefix.length <= 253 && SUBDOMAIN.test(prefix));
}

export function isLabelValue(value: string): boolean {
  return value === "" || (value.length <= 63 && NAME_PART.test(value));
}

/** Fields of metadata that a new object gets. Whatever the client put there is ignored. */
export function stampNew(object: Json, uid: string, nowMs: number): void {
  const metadata = childOf(object, "metadata");
  for (const field of [
    "resourceVersion",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "selfLink",
  ]) {
    Reflect.deleteProperty(metadata, field);
  }
  Object.assign(metadata, { uid, creationTimestamp: wholeSeconds(nowMs) });
}

/** RFC 3339 without fractions, as Kubernetes writes times. */
export function wholeSeconds(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}

/** Fields that an update cannot change: absent ones are filled in, and creation and deletion stay as they are. */
export function keepFixed(object: Json, old: Readonly<Json>): void {
  const metadata = childOf(object, "metadata");
  const before = recordOf(old["metadata"]);
  for (const field of ["generation", "creationTimestamp", "deletionTimestamp"]) restore(metadata, before, field);
  for (const field of ["uid", "deletionGracePeriodSeconds", "generateName"]) {
    if (metadata[field] === undefined) restore(metadata, before, field);
  }
}

function restore(metadata: Json, before: Readonly<Json>, field: string): void {
  if (before[field] === undefined) Reflect.deleteProperty(metadata, field);
  else metadata[field] = before[field];
}

/** Causes for fields that an update must not change. */
export function fixedCauses(object: Readonly<Json>, old: Readonly<Json>): readonly Cause[] {
  const metadata = recordOf(object["metadata"]);
  const before = recordOf(old["metadata"]);
  return ["name", "namespace", "uid", "deletionGracePeriodSeconds"]
    .filter((field) => !isDeepStrictEqual(metadata[field], before[field]))
    .map((field) => invalidField(`metadata.${field}`, "field is immutable"));
}
