/**
 * Writes docs/policy.md from the schema: `npm run docs`. A unit test fails when the page is not what this would write.
 */
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import prettier from "prettier";
import { keyList } from "./key-list.ts";
import { type JsonSchema, policySchema, rowsOf, selectorSchema } from "./policy-rows.ts";

const PAGE = fileURLToPath(new URL("../../docs/policy.md", import.meta.url));
const EXAMPLE = new URL("example-policy.yaml", import.meta.url);

/** The heading, sentence and list of one key of the policy. */
function section(key: string, schema: JsonSchema): string {
  const rows = rowsOf(schema.items ?? schema, schema.items === undefined ? key : `${key}[]`);
  return `## ${key}\n\n${schema.description ?? ""}\n\n${keyList(rows)}`;
}

/** Telemetry takes other keys for each source, so each source has a list. */
function telemetrySections(schema: JsonSchema): string {
  const sources = (schema.oneOf ?? []).map((source) => {
    const { source: telling, ...properties } = source.properties ?? {};
    const byDefault = telling?.default === undefined ? "" : " (the default)";
    const rows = rowsOf({ ...source, properties }, "telemetry");
    return `### source: ${String(telling?.const)}${byDefault}\n\n${telling?.description ?? ""}\n\n${keyList(rows)}`;
  });
  return [`## telemetry`, schema.description ?? "", ...sources].join("\n\n");
}

function body(): string {
  const keys = Object.entries(policySchema.properties ?? {});
  const hasTable = (schema: JsonSchema) => schema.properties !== undefined || schema.items?.properties !== undefined;
  const plain = keys.filter(([, schema]) => !hasTable(schema) && schema.oneOf === undefined);
  const general = rowsOf({ ...policySchema, properties: Object.fromEntries(plain) });
  const sections = keys.map(([key, schema]) => {
    if (schema.oneOf !== undefined) return telemetrySections(schema);
    return hasTable(schema) ? section(key, schema) : undefined;
  });
  return ["## General", keyList(general), ...sections.filter((text) => text !== undefined)].join("\n\n");
}

const INTRODUCTION = `# The policy

<!-- Written by \`npm run docs\` from src/policy/. Change the schema, not this page. -->

The policy is one ConfigMap: \`paceline-policy\` in the namespace of the release, with the key \`policy.yaml\`. Only
\`apiVersion\` and \`kind\` are required; every other key has a default. Units are in the names of the keys.

The format is strict. An unknown key is an error, and all errors are reported at once, each with its path, line and column. A
policy with an error changes nothing: the last good one stays in force.`;

/** The whole page, formatted as the repository formats Markdown. */
export async function policyReference(): Promise<string> {
  const example = await readFile(EXAMPLE, "utf8");
  const text = [
    INTRODUCTION,
    "## A full example",
    "The smallest policy is the first two lines.",
    `\`\`\`yaml\n${example.trimEnd()}\n\`\`\``,
    body(),
    "## Label selectors",
    "As in Kubernetes: all of `matchLabels` and all of `matchExpressions` must hold, and a selector without either selects everything (those under `exempt` must not be empty).",
    keyList(rowsOf(selectorSchema)),
  ].join("\n\n");
  const options = await prettier.resolveConfig(PAGE);
  return await prettier.format(text, { ...options, parser: "markdown", proseWrap: "always" });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await writeFile(PAGE, await policyReference());
