/** Writes what a bench measured into its page. `node bench/written.ts` writes these pages from docs/figures alone. */
import { fileURLToPath } from "node:url";
import {
  hasFigures,
  keepFigures,
  markdownTable,
  type Measured,
  measuredWhere,
  pageWith,
  readFigures,
  writePages,
} from "../dev/docs/figures.ts";
import { type Figure, figureCells } from "./figures.ts";

/** One run of a bench, as docs/figures keeps it. */
export interface BenchRun extends Measured {
  /** What was run, and at which size: the words before the table. */
  readonly of: string;
  readonly figures: readonly Figure[];
}

/** The page of each bench, by the name under which its figures are kept. */
const PAGES = {
  page: "docs/status-page.md",
  "service-extender": "docs/budgets.md",
  "service-admission": "docs/budgets.md",
  "service-played": "docs/budgets.md",
  "service-cluster": "docs/budgets.md",
  scheduler: "docs/budgets.md",
} as const;
export type BenchName = keyof typeof PAGES;
const NAMES = Object.keys(PAGES) as BenchName[];

/** What a run measured, as Markdown. */
export function benchText({ of, figures, ...where }: BenchRun): string {
  const cells = figures.map(figureCells);
  const rows = cells.map(([what, budget, measured, verdict]) => {
    return [what, budget, measured, verdict === "MISSED" ? "**missed**" : verdict];
  });
  const notes = cells.flatMap(([what, , , , note]) => (note === "" ? [] : [`- ${what}: ${note}`]));
  const table = markdownTable(["what", "budget", "measured", ""], rows);
  return [`${of}:`, table, notes.join("\n"), measuredWhere(where)].filter((part) => part !== "").join("\n\n");
}

/** The pages with all that their benches have measured, by path. */
export async function benchPages(): Promise<Map<string, string>> {
  const pages = new Map<string, string>();
  for (const page of new Set(Object.values(PAGES))) {
    const texts = new Map<string, string>();
    for (const name of NAMES.filter((one) => PAGES[one] === page))
      texts.set(name, hasFigures(name) ? benchText((await readFigures(name)) as BenchRun) : "No run is kept yet.");
    pages.set(page, await pageWith(page, texts));
  }
  return pages;
}

/** Keeps a run, and writes it into the bench's page. */
export async function writeRun(name: BenchName, run: BenchRun): Promise<void> {
  await keepFigures(name, run);
  await writePages(await benchPages());
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await writePages(await benchPages());
