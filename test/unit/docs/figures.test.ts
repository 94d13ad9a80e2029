/** Figures of the demo, the image and the first steps are those that were measured: no page has them from a hand. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { tryPage } from "../../../bench/first-steps.ts";
import { writtenFiles } from "../../../dev/docs/demo-figures.ts";
import { figureNames, withFigures } from "../../../dev/docs/figures.ts";
import { imagePage, PAGE as PAGE_OF_IMAGE } from "../../../dev/image/page.ts";

const PAGE = "# Page\n\n<!-- figures: a -->\n\nold\n\n<!-- end of figures -->\n\nafter\n";

describe("a place for figures", () => {
  it("gets the text, and nothing else of the page changes", () => {
    expect(withFigures(PAGE, "a", "new")).toBe(PAGE.replace("old", "new"));
    expect(withFigures(withFigures(PAGE, "a", "x"), "a", "old")).toBe(PAGE);
    expect(figureNames(PAGE)).toEqual(["a"]);
  });

  it("must be there", () => {
    expect(() => withFigures(PAGE, "b", "new")).toThrow('no place for the figures "b"');
  });
});

it("README.md, the results and the picture are what `npm run docs:demo -- --none` writes", async () => {
  for (const [path, content] of await writtenFiles()) expect(readFileSync(path, "utf8"), path).toBe(content);
});

it("docs/install-cli.md has the image's figures as `npm run image:check` writes them", async () => {
  expect(readFileSync(PAGE_OF_IMAGE, "utf8")).toBe(await imagePage());
});

it("docs/try.md is what `npm run docs:try -- --none` writes", async () => {
  expect(readFileSync("docs/try.md", "utf8")).toBe(await tryPage());
});
