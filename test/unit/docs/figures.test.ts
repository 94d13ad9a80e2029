/** Figures in pages are those that were measured: no page has them from a hand. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Figure } from "../../../bench/figures.ts";
import { tryPage } from "../../../bench/first-steps.ts";
import { realNodePages } from "../../../bench/real-node/page.ts";
import { truthPage } from "../../../bench/replay/truth.ts";
import { benchPages, benchText } from "../../../bench/written.ts";
import { writtenFiles } from "../../../dev/docs/demo-figures.ts";
import { figureNames, figuresJson, measuredWhere, parseFigures, withFigures } from "../../../dev/docs/figures.ts";
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

it("kept figures come back as they were, also those that are no finite number", () => {
  const figures = { never: Infinity, unknown: NaN, some: [1.5, 0], words: "2 rounds" };
  expect(parseFigures(figuresJson(figures))).toEqual(figures);
});

it("a load is told only if it was kept and above the cores", () => {
  const where = { measured: "2026-11-27", cores: 2 };
  expect(measuredWhere({ ...where, load: 2 })).toBe("Measured on 2026-11-27 on 2 cores.");
  expect(measuredWhere({ ...where, machine: "nothing else ran" })).toBe(
    "Measured on 2026-11-27 on 2 cores (nothing else ran).",
  );
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

it("pages of benches have the kept runs as `node bench/written.ts` writes them", async () => {
  for (const [path, content] of await benchPages()) expect(readFileSync(path, "utf8"), path).toBe(content);
});

it("docs/real-node.md and README.md have the kept rounds as `node bench/real-node/page.ts` writes them", async () => {
  for (const [path, content] of await realNodePages()) expect(readFileSync(path, "utf8"), path).toBe(content);
});

it("docs/replay.md has what `npm run bench:replay` compared as `node bench/replay/truth.ts` writes it", async () => {
  expect(readFileSync("docs/replay.md", "utf8")).toBe(await truthPage());
});

it("a run of a bench is written with its budgets, the missed ones marked, and with where it was measured", () => {
  const budget = { kind: "at most", value: 2 } as const;
  const figures: Figure[] = [
    { what: "quick", unit: "ms", measured: 1, budget },
    { what: "slow", unit: "ms", measured: 3, budget, note: "p50 1 ms" },
    { what: "never", unit: "ms", measured: Infinity, budget },
  ];
  const text = benchText({ of: "A bench", measured: "2026-11-29", cores: 2, load: 4, figures });
  expect(text.split("\n")).toEqual([
    ...["A bench:", ""],
    ...["| what | budget | measured |  |", "| --- | --- | --- | --- |"],
    "| quick | ≤ 2 ms | 1.00 ms | met |",
    "| slow | ≤ 2 ms | 3.00 ms | **missed** |",
    "| never | ≤ 2 ms | Infinity ms | **missed** |",
    ...["", "- slow: p50 1 ms", ""],
    "Measured on 2026-11-29 on 2 cores, which other work used as well (load average 4.0).",
  ]);
});
