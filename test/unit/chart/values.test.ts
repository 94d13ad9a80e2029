/** The chart's values: schema, defaults and comments agree. Needs no Helm. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { expect, it } from "vitest";

const CHART = join(import.meta.dirname, "../../../charts/paceline");
const text = await readFile(join(CHART, "values.yaml"), "utf8");
const schema = JSON.parse(await readFile(join(CHART, "values.schema.json"), "utf8")) as Schema;

interface Schema {
  readonly type?: string;
  readonly additionalProperties?: unknown;
  readonly properties?: Readonly<Record<string, Schema | false>>;
}

/** Paths of the values that the schema names, in objects that forbid unknown keys. */
function named({ properties = {}, additionalProperties }: Schema, path = ""): string[] {
  if (additionalProperties !== false) return [path];
  const known = Object.entries(properties).filter((entry): entry is [string, Schema] => entry[1] !== false);
  return known.flatMap(([key, one]) => named(one, path === "" ? key : `${path}.${key}`));
}

function at(values: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>((inner, key) => (inner as Record<string, unknown> | undefined)?.[key], values);
}

/** Values that hold a user's selector: the schema names its fields, and the default has none. */
const FREE = /^(global|secondScheduler\.injectInto\..*)$/;

it("every value that the schema names has its default in values.yaml", () => {
  const missing = named(schema).filter((path) => !FREE.test(path) && at(parse(text), path) === undefined);
  expect(missing).toEqual([]);
});

it("unknown values are refused at every level that the chart reads itself", () => {
  const open = Object.entries(schema.properties ?? {}).filter(
    ([, one]) => one !== false && one.properties !== undefined && one.additionalProperties !== false,
  );
  expect(open.map(([key]) => key)).toEqual(["policy"]); // the service itself checks it strictly
});

it("each cloud's value file says how to install with it, and why each of its values is there", async () => {
  const files = await readdir(join(CHART, "values"));
  expect(files.length).toBeGreaterThan(0);
  for (const file of files) {
    const [head = "", ...sections] = (await readFile(join(CHART, "values", file), "utf8")).split("\n\n");
    expect(head, file).toMatch(/^#/);
    expect(head + (sections[0] ?? ""), file).toContain(`-f charts/paceline/values/${file}`);
    // A comment before the value, or inside it.
    const bare = sections.filter((one) => !/^\s*# \w/m.test(one));
    expect(bare, file).toEqual([]);
  }
});
