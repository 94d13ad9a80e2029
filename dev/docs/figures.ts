/**
 * Figures in pages, between two comments: the script that measured them writes them, and no hand does. The figures are
 * kept in docs/figures, so that a test can see that no page was changed by hand.
 */
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { availableParallelism, loadavg } from "node:os";
import { join } from "node:path";
import prettier from "prettier";

const ROOT = join(import.meta.dirname, "../..");

/** When and on which machine figures were measured. */
export interface Measured {
  /** Day, `2026-11-29`. */
  readonly measured: string;
  readonly cores: number;
  /** Load average when it began: above the cores, other work took its part of them. Not all older figures have it. */
  readonly load?: number;
  /** What was written down of the machine in place of it. */
  readonly machine?: string;
}

/** Ask it before the measurement begins. */
export const measuredHere = (): Measured => ({
  measured: new Date().toISOString().slice(0, 10),
  cores: availableParallelism(),
  load: loadavg()[0] ?? 0,
});

/** The same in a sentence. */
export function measuredWhere({ measured, cores, load = 0, machine }: Measured): string {
  const busy = load > cores ? `, which other work used as well (load average ${load.toFixed(1)})` : "";
  return `Measured on ${measured} on ${cores} cores${busy}${machine === undefined ? "" : ` (${machine})`}.`;
}

/** A table in Markdown. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

const formatted = async (path: string, text: string): Promise<string> =>
  prettier.format(text, { ...(await prettier.resolveConfig(path)), filepath: path, proseWrap: "always" });

const fileOf = (name: string) => join(ROOT, `docs/figures/${name}.json`);
/** JSON that keeps infinite numbers, such as the time of a pod that never became Ready, and NaN. */
export const figuresJson = (figures: object): string =>
  JSON.stringify(figures, (_key, value: unknown) =>
    typeof value === "number" && !Number.isFinite(value) ? String(value) : value,
  );
export const parseFigures = (json: string): unknown =>
  JSON.parse(json, (_key, value: unknown) => (value === "Infinity" || value === "NaN" ? Number(value) : value));

/** Keeps figures as `docs/figures/NAME.json`. */
export async function keepFigures(name: string, figures: object): Promise<void> {
  await writeFile(fileOf(name), await formatted(fileOf(name), figuresJson(figures)));
}

export const hasFigures = (name: string): boolean => existsSync(fileOf(name));

/** What was kept under this name. */
export const readFigures = async (name: string): Promise<unknown> => parseFigures(await readFile(fileOf(name), "utf8"));

/** The page, such as `docs/try.md`, with these texts in its places of these names. @throws if a place is missing */
export async function pageWith(page: string, texts: ReadonlyMap<string, string>): Promise<string> {
  const path = join(ROOT, page);
  let content = await readFile(path, "utf8");
  for (const [name, text] of texts) content = withFigures(content, name, text);
  return formatted(path, content);
}

export async function writePage(page: string, content: string): Promise<void> {
  await writeFile(join(ROOT, page), content);
}

/** Pages or other files by path, such as `docs/try.md`. */
export async function writePages(pages: ReadonlyMap<string, string>): Promise<void> {
  for (const [page, content] of pages) await writePage(page, content);
}

const END = "<!-- end of figures -->";
const beginning = (name: string) => `<!-- figures: ${name} -->`;

/** The page with this text between the comments of this name. @throws if the page has no such place */
export function withFigures(page: string, name: string, text: string): string {
  const from = page.indexOf(beginning(name));
  const to = page.indexOf(END, from);
  if (from < 0 || to < 0) throw new Error(`the page has no place for the figures "${name}"`);
  return `${page.slice(0, from)}${beginning(name)}\n\n${text}\n\n${page.slice(to)}`;
}

/** Names of the places for figures in a page. */
export const figureNames = (page: string): string[] =>
  [...page.matchAll(/<!-- figures: (\S+) -->/g)].map(([, name = ""]) => name);
