import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { policyReference } from "../../../dev/docs/policy-reference.ts";
import { policySchema, rowsOf } from "../../../dev/docs/policy-rows.ts";
import { parsePolicy } from "../../../src/policy/parse.ts";

const page = await readFile(new URL("../../../docs/policy.md", import.meta.url), "utf8");

/** Keys without an entry of their own; they have a heading with another name. */
const headings: Record<string, string> = { "telemetry.source": "source: node-exporter (the default)" };

describe("docs/policy.md", () => {
  it("equals the output of `npm run docs`", async () => {
    expect(page).toBe(await policyReference());
  });

  it("begins with an example that is a policy", () => {
    const yaml = /```yaml\n(.*?)```/s.exec(page)?.[1] ?? "";
    const result = parsePolicy(yaml);
    expect(result.ok ? [] : result.errors).toEqual([]);
    expect(result.ok && result.policy.nodeClasses.length).toBe(3);
  });

  it("explains every key in a sentence, and every key of the schema has an entry", () => {
    const rows = rowsOf(policySchema);
    expect(rows.length).toBeGreaterThan(60);
    for (const row of rows) {
      expect(row.meaning, row.path).toMatch(/\S.*\.$/);
      expect(
        page.includes(`- **\`${row.path}\`** `) || page.includes(`## ${headings[row.path] ?? row.path}\n`),
        row.path,
      ).toBe(true);
    }
  });
});
