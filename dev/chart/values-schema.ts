/**
 * Completes values.schema.json, so that `helm lint` and every install refuse what the service would refuse: the part
 * `policy` is the policy's own schema, and descriptions are the comments of values.yaml. The rest is written by hand.
 */
import * as z from "zod";
import { PacingPolicy } from "../../src/policy/schema.ts";
import type { ValueKey } from "./values-keys.ts";

/** The part of JSON Schema (draft 7) that this file touches. */
interface Schema {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly oneOf?: readonly Schema[];
  readonly additionalProperties?: unknown;
  readonly definitions?: Readonly<Record<string, Schema>>;
  readonly [keyword: string]: unknown;
}

/** The whole schema. @param written the file as it is, whose parts by hand are kept */
export function valuesSchema(written: unknown, keys: readonly ValueKey[]): unknown {
  const { definitions, ...policy } = policySchema();
  const schema = written as Schema;
  const properties = { ...schema.properties, policy };
  return { ...described({ ...schema, properties }, keys), definitions };
}

/** The policy without what the chart itself writes: apiVersion and kind. */
function policySchema(): Schema {
  const all = z.toJSONSchema(PacingPolicy, { io: "input", target: "draft-7" }) as Schema;
  const { apiVersion: _version, kind: _kind, ...properties } = all.properties ?? {};
  const { $schema: _draft, required: _required, ...rest } = all;
  return naming({ ...rest, properties }) as Schema;
}

/**
 * The same rules with errors that help: an unknown key is answered with those that there are, at its own path, and of
 * alternatives the one that its key chooses is checked, where `oneOf` would only say that none fits.
 */
function naming(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(naming);
  if (typeof schema !== "object" || schema === null) return schema;
  const { oneOf, ...plain } = schema as Schema;
  const inner = Object.fromEntries(Object.entries(plain).map(([key, value]) => [key, naming(value)])) as Schema;
  const isClosed = inner.properties !== undefined && inner.additionalProperties === false;
  const named = isClosed ? { ...inner, additionalProperties: unknownKey(inner.properties) } : inner;
  return oneOf === undefined ? named : { ...named, ...chosen(oneOf.map(naming) as Schema[]) };
}

/**
 * What an unknown key is checked against. `false` would not say which keys there are; and with `propertyNames` Helm
 * 4.3.1 names a wrong path. Helm prints the constant: "at '/policy/mod': value must be '…'".
 */
function unknownKey(properties: object): Schema {
  return { const: `removed: this key is unknown, there are ${Object.keys(properties).join(", ")}` };
}

/** Alternatives by the key of which each takes other values. The one that gives it a default may leave it out. */
function chosen(alternatives: readonly Schema[]): Schema {
  const valuesOf = (one: Schema, key: string) => {
    const { const: fixed, enum: several } = one.properties?.[key] ?? {};
    return fixed === undefined ? (several as readonly unknown[] | undefined) : [fixed];
  };
  const keys = Object.keys(alternatives[0]?.properties ?? {});
  const key = keys.find((name) => alternatives.every((one) => valuesOf(one, name) !== undefined));
  if (key === undefined) return { oneOf: alternatives };
  const hasDefault = (one: Schema) => one.properties?.[key]?.["default"] !== undefined;
  return {
    properties: { [key]: { enum: alternatives.flatMap((one) => valuesOf(one, key)) } },
    ...(alternatives.some(hasDefault) ? {} : { required: [key] }),
    allOf: alternatives.map((one) => ({
      if: { properties: { [key]: { enum: valuesOf(one, key) } }, ...(hasDefault(one) ? {} : { required: [key] }) },
      then: one,
    })),
  };
}

/** With the comments of values.yaml as descriptions. */
function described(schema: Schema, keys: readonly ValueKey[]): Schema {
  if (schema.properties === undefined) return schema;
  const properties = Object.entries(schema.properties).map(([name, property]) => {
    const key = keys.find(({ path }) => path.split(".").at(-1) === name);
    const { description: before, ...rest } = described(property, key?.keys ?? []);
    const description = key?.comment || before;
    return [name, description === undefined ? rest : { description, ...rest }] as const;
  });
  return { ...schema, properties: Object.fromEntries(properties) };
}
