/** Strategic merge patch: lists of objects are merged by a key that each field of the API has. */
import { isRecord } from "../../../../src/kube/parse/kube-json.ts";
import type { Json } from "../json.ts";

/**
 * Fields that are merged, and their keys (k8s.io/api `patchMergeKey`). All other lists are replaced, `tolerations` and
 * `taints` among them.
 */
const MERGE_KEYS: Readonly<Record<string, string>> = {
  schedulingGates: "name",
  containers: "name",
  initContainers: "name",
  ephemeralContainers: "name",
  volumes: "name",
  env: "name",
  imagePullSecrets: "name",
  webhooks: "name",
  conditions: "type",
  addresses: "type",
  ports: "containerPort",
  volumeMounts: "mountPath",
  ownerReferences: "uid",
  hostAliases: "ip",
  podIPs: "ip",
  hostIPs: "ip",
  topologySpreadConstraints: "topologyKey",
};

/** Lists of strings that are merged as sets. */
const SETS = new Set(["finalizers"]);

const DIRECTIVE = /^\$(patch|setElementOrder|retainKeys|deleteFromPrimitiveList)/;

/** Changes `object`; `patch` belongs to the caller no more. */
export function strategicMerge(object: Json, patch: Readonly<Json>, path: string): Json {
  if (patch["$patch"] === "replace") return withoutDirectives(patch);
  if (patch["$patch"] === "delete") return {};
  for (const [field, value] of Object.entries(patch)) {
    if (field.startsWith("$deleteFromPrimitiveList/")) dropFrom(object, field.split("/")[1] ?? "", value);
    if (DIRECTIVE.test(field)) continue;
    if (value === null) Reflect.deleteProperty(object, field);
    else object[field] = merged(field, object[field], value, `${path}.${field}`);
  }
  return object;
}

function merged(field: string, before: unknown, value: unknown, path: string): unknown {
  if (isRecord(value)) return strategicMerge(isRecord(before) ? before : {}, value, path);
  if (!Array.isArray(value)) return value;
  const old: readonly unknown[] = Array.isArray(before) ? before : [];
  const key = MERGE_KEYS[field];
  if (key !== undefined) return mergedList(old, value, key, path);
  return SETS.has(field) ? [...new Set([...old, ...(value as unknown[])])] : value;
}

function mergedList(old: readonly unknown[], patches: readonly unknown[], key: string, path: string): Json[] {
  const replaces = patches.some((one) => isRecord(one) && one["$patch"] === "replace");
  const before = replaces ? [] : old.filter(isRecord);
  const named: Json[] = [];
  const gone = new Set<unknown>();
  for (const patch of patches.filter(isRecord)) {
    if (patch["$patch"] === "replace") continue;
    const found = before.find((entry) => entry[key] === patch[key]);
    gone.add(patch[key]);
    if (patch["$patch"] === "delete") continue;
    named.push(found === undefined ? withoutDirectives(patch) : strategicMerge(found, patch, path));
  }
  const others = before.filter((entry) => !gone.has(entry[key]));
  return inOrder(named, others, (entry) => before.findIndex((one) => one[key] === entry[key]));
}

/** Both lists in one: entries that were there keep their order, and a new one comes before the others that are left. */
function inOrder(named: readonly Json[], others: readonly Json[], oldIndex: (entry: Json) => number): Json[] {
  const all: Json[] = [];
  const rest = [...others];
  for (const entry of named) {
    const index = oldIndex(entry);
    while (rest[0] !== undefined && index >= 0 && oldIndex(rest[0]) < index) all.push(rest.shift() as Json);
    all.push(entry);
  }
  return [...all, ...rest];
}

function dropFrom(object: Json, field: string, values: unknown): void {
  const list = object[field];
  if (Array.isArray(list) && Array.isArray(values)) object[field] = list.filter((one) => !values.includes(one));
}

function withoutDirectives(patch: Readonly<Json>): Json {
  return Object.fromEntries(
    Object.entries(patch)
      .filter(([field, value]) => !DIRECTIVE.test(field) && value !== null)
      .map(([field, value]) => [field, isRecord(value) ? withoutDirectives(value) : value]),
  );
}
