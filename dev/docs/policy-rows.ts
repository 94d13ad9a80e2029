/** Makes rows of the reference from the policy's JSON Schema: one row for each key. */
import * as z from "zod";
import { LabelSelector } from "../../src/policy/label-selector.ts";
import { PacingPolicy } from "../../src/policy/schema.ts";

/** The part of JSON Schema that this generator reads. */
export interface JsonSchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: unknown;
  readonly items?: JsonSchema;
  readonly oneOf?: readonly JsonSchema[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMaximum?: number;
  readonly maxItems?: number;
  readonly $ref?: string;
}

export interface Row {
  readonly path: string;
  readonly type: string;
  /** "required", "none", or the value in YAML. */
  readonly default: string;
  readonly meaning: string;
}

const jsonSchema = (schema: z.ZodType) => z.toJSONSchema(schema, { io: "input" }) as JsonSchema;
export const policySchema = jsonSchema(PacingPolicy);
export const selectorSchema = resolved(jsonSchema(LabelSelector));

/** Resolves a schema with an id, which is a reference into its own $defs. */
function resolved(schema: JsonSchema & { readonly $defs?: Readonly<Record<string, JsonSchema>> }): JsonSchema {
  return schema.$ref === undefined ? schema : (schema.$defs?.["LabelSelector"] ?? schema);
}

/** The rows of an object's keys, depth first. */
export function rowsOf(object: JsonSchema, prefix = ""): readonly Row[] {
  const required = new Set(object.required ?? []);
  return Object.entries(object.properties ?? {}).flatMap(([key, schema]) =>
    rowsOfKey(prefix === "" ? key : `${prefix}.${key}`, schema, required.has(key)),
  );
}

function rowsOfKey(path: string, schema: JsonSchema, required: boolean): readonly Row[] {
  const row = { path, type: typeOf(schema), default: defaultOf(schema, required), meaning: schema.description ?? "" };
  if (schema.oneOf !== undefined) return [row, ...alternativeRows(path, schema.oneOf)];
  if (schema.items?.oneOf !== undefined) return [row, ...alternativeRows(`${path}[]`, schema.items.oneOf)];
  return [row, ...rowsOf(schema, path), ...rowsOf(schema.items ?? {}, `${path}[]`)];
}

/** The rows of alternatives. A shared key appears once, and the values of the discriminating key are merged. */
function alternativeRows(path: string, alternatives: readonly JsonSchema[]): readonly Row[] {
  const rows = alternatives.flatMap((alternative) => rowsOf(alternative, path));
  const paths = [...new Set(rows.map((row) => row.path))];
  return paths.map((shared) => mergedRow(rows.filter((row) => row.path === shared)));
}

function mergedRow(rows: readonly Row[]): Row {
  const distinct = (pick: (row: Row) => string) => [...new Set(rows.map(pick))];
  const [first] = rows;
  if (first === undefined) throw new Error("a row cannot be made of none");
  const named = distinct((row) => row.default).filter((value) => value !== "required");
  return {
    path: first.path,
    type: distinct((row) => row.type).join(", "),
    default: named[0] ?? first.default,
    meaning: distinct((row) =>
      row.type.startsWith("`") && rows.length > 1 ? `${row.type}: ${row.meaning}` : row.meaning,
    ).join(" "),
  };
}

const code = (value: unknown) => `\`${typeof value === "string" ? value : JSON.stringify(value)}\``;

function typeOf(schema: JsonSchema): string {
  if (schema.$ref !== undefined) return "[label selector](#label-selectors)";
  if (schema.const !== undefined) return code(schema.const);
  if (schema.enum !== undefined) return schema.enum.map(code).join(", ");
  if (schema.oneOf !== undefined) return "map, one of several";
  if (schema.type === "array") return listType(schema);
  if (schema.type === "object") return schema.properties === undefined ? "map of texts" : "map";
  if (schema.type === "integer" || schema.type === "number") return numberType(schema);
  return schema.type === "string" ? "text" : (schema.type ?? "anything");
}

function listType(schema: JsonSchema): string {
  const entries = schema.items?.type === "string" ? "texts" : "maps";
  return schema.maxItems === undefined ? `list of ${entries}` : `list of at most ${schema.maxItems} ${entries}`;
}

function numberType({ type, minimum, maximum, exclusiveMaximum }: JsonSchema): string {
  const kind = type === "integer" ? "whole number" : "number";
  const upper = exclusiveMaximum === undefined ? `to ${maximum ?? "any"}` : `to below ${exclusiveMaximum}`;
  return `${kind}, ${minimum ?? "any"} ${upper}`;
}

/** The default in words. Maps have none of their own: their keys do. */
function defaultOf(schema: JsonSchema, required: boolean): string {
  if (required) return "required";
  const isSection = schema.properties !== undefined || schema.oneOf !== undefined;
  if (isSection && schema.default !== undefined) return "its keys' defaults";
  return schema.default === undefined ? "none" : code(schema.default);
}
