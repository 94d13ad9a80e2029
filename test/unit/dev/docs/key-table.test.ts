/** Tables of the reference pages: narrow enough to read, and no text of the schemas is lost. */
import { describe, expect, it } from "vitest";
import { divided, keyTable, MAX_CELL } from "../../../../dev/docs/key-table.ts";
import { policySchema, rowsOf } from "../../../../dev/docs/policy-rows.ts";
import { scenarioRows } from "../../../../dev/docs/simulate-reference.ts";

const row = (meaning: string) => ({ path: "key", type: "text", default: "none", meaning });
const long = "more ".repeat(30).trim();

describe("a long meaning", () => {
  it.each([
    [`Short. Then ${long}.`, { cell: "Short. More below.", note: `Then ${long}.` }],
    [`Part; ${long}. End.`, { cell: "Part. More below.", note: `More${long.slice(4)}. End.` }],
    [`\`a\`: ${long}. \`b\`: less.`, { cell: "See below.", note: `\`a\`: ${long}. \`b\`: less.` }],
    ["Short. As it is.", { cell: "Short. As it is.", note: undefined }],
  ])("%s", (meaning, expected) => expect(divided(meaning)).toEqual(expected));

  it("has its rest below the table, after the key", () => {
    expect(keyTable([row(`Short. Then ${long}.`)])).toMatch(/\| Short\. More below\. \|\n\n- `key`: Then more .*\.$/);
  });
});

it("no cell of a reference page is long, and every word of a meaning is in the cell or in the note", () => {
  const words = (text: string) => text.toLowerCase().match(/[\w`.:/-]*\w/g) ?? [];
  // Keys of several sources are merged for these rows only; the page has a table for each source.
  const telemetry = /^telemetry(\.source|\.intervalMs|\.staleSeconds)?$/;
  for (const { path, meaning } of [...rowsOf(policySchema), ...scenarioRows].filter(
    (one) => !telemetry.test(one.path),
  )) {
    const { cell, note = "" } = divided(meaning);
    expect(cell.length, path).toBeLessThanOrEqual(MAX_CELL);
    expect(words(`${cell} ${note}`), path).toEqual(expect.arrayContaining([...words(meaning)]));
  }
});
