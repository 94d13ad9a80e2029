/** Lists of the reference pages: every key with what it takes, its default and all of its meaning. */
import { expect, it } from "vitest";
import { keyList } from "../../../../dev/docs/key-list.ts";
import { policySchema, rowsOf } from "../../../../dev/docs/policy-rows.ts";
import { scenarioRows } from "../../../../dev/docs/simulate-reference.ts";

it.each([
  ["`2`", "default `2`"],
  ["none", "no default"],
  ["required", "required"],
  ["its keys' defaults", "its keys' defaults"],
])("a default of %s reads %s", (value, words) => {
  expect(keyList([{ path: "a.b", type: "text", default: value, meaning: "One. Two." }])).toBe(
    `- **\`a.b\`** (text; ${words})\\\n  One. Two.`,
  );
});

it("a reference page has no tables, which would be as wide as their longest sentence, and loses no sentence", () => {
  const rows = [...rowsOf(policySchema), ...scenarioRows];
  const list = keyList(rows);
  expect(list).not.toMatch(/^\|/m);
  for (const { meaning, path } of rows) expect(list, path).toContain(meaning.replaceAll("\n", " "));
});
