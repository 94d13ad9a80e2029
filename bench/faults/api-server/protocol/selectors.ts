/** Field and label selectors of lists and watches. */
import { recordOf, textMapOf } from "../../../../src/kube/parse/kube-json.ts";
import type { KubeObject } from "../../../../src/kube/parse/kube-json.ts";
import type { Query } from "../../../../src/kube/client/api-client.ts";
import { badRequest } from "../refusals.ts";
import type { Target } from "../paths.ts";

export type Matches = (object: KubeObject) => boolean;

/**
 * Namespace, field selector and label selector of a request. @throws Refusal 400 for a selector that is not supported
 */
export function selection({ resource, namespace }: Target, query: Query): Matches {
  const supported = new Set(["metadata.name", "metadata.namespace", ...resource.selectableFields]);
  const tests: Matches[] = [
    ...(namespace === "" ? [] : [(object: KubeObject) => object.metadata?.namespace === namespace]),
    ...clauses(query["fieldSelector"]).map((clause) => fieldTest(clause, supported)),
    ...clauses(query["labelSelector"]).map(labelTest),
  ];
  return (object) => tests.every((test) => test(object));
}

/** Cuts at commas outside of parentheses. */
function clauses(selector: unknown): readonly string[] {
  if (typeof selector !== "string" || selector === "") return [];
  return selector.split(/,(?![^(]*\))/).map((clause) => clause.trim());
}

const FIELD_CLAUSE = /^([^=!]+?)\s*(!=|==|=)\s*(.*)$/;

function fieldTest(clause: string, supported: ReadonlySet<string>): Matches {
  const [, field, operator, value] = FIELD_CLAUSE.exec(clause) ?? [];
  if (field === undefined || !supported.has(field)) throw badRequest(`field label not supported: ${clause}`);
  const path = field.split(".");
  return (object) => (fieldText(object, path) === value) === (operator !== "!=");
}

function fieldText(object: KubeObject, path: readonly string[]): string {
  let value: unknown = object;
  for (const field of path) value = recordOf(value)[field];
  if (typeof value === "string") return value;
  // The fields of type bool are false where they are absent.
  return typeof value === "boolean" ? String(value) : isBoolean(path) ? "false" : "";
}

const isBoolean = (path: readonly string[]) => path[1] === "unschedulable" || path[1] === "hostNetwork";

const SET_CLAUSE = /^(\S+)\s+(in|notin)\s+\(([^)]*)\)$/;

function labelTest(clause: string): Matches {
  const [, setKey, setOperator, list] = SET_CLAUSE.exec(clause) ?? [];
  if (setKey !== undefined) {
    const values = new Set((list ?? "").split(",").map((value) => value.trim()));
    return (object) => isIn(labelOf(object, setKey), values) === (setOperator === "in");
  }
  const [, key, operator, value] = FIELD_CLAUSE.exec(clause) ?? [];
  if (key !== undefined) return (object) => (labelOf(object, key) === value) === (operator !== "!=");
  const absent = clause.startsWith("!");
  const name = absent ? clause.slice(1) : clause;
  return (object) => (labelOf(object, name) === undefined) === absent;
}

const isIn = (value: string | undefined, values: ReadonlySet<string>) => value !== undefined && values.has(value);

const labelOf = (object: KubeObject, key: string): string | undefined => textMapOf(object.metadata?.labels)[key];
