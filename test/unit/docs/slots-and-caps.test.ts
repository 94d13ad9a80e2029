/** What docs/policy.md says of slots and holds has no exception that only the code knows. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const policy = readFileSync("docs/policy.md", "utf8").replaceAll(/\s+/g, " ");

/** What the page says of a key. */
const entry = (key: string) => policy.split("- **`").find((text) => text.startsWith(`${key}\``)) ?? "";

test("the hold cap names what ends holds where no replica lives", () => {
  expect(entry("maxHoldSeconds")).toMatch(/janitor .*each minute and goes on for 40 s/);
});

test("startup.until names the times after which a pod gives its slot back", () => {
  expect(entry("startup.until")).toMatch(/60 s and twice the time that its images take .*60 s where nothing/);
});
