/** The texts that come with the program: pages, built-in scenarios, uPlot. The bundle has them inside (dev/bundle/). */
import { readdirSync, readFileSync } from "node:fs";

const SOURCES = new URL("../", import.meta.url);

/**
 * The text of a file.
 * @param path below src/, as in `server/page/index.html`, or a file of a published package: `uplot/dist/uPlot.min.css`
 */
export function assetText(path: string): string {
  return readFileSync(path.startsWith("uplot/") ? new URL(import.meta.resolve(path)) : new URL(path, SOURCES), "utf8");
}

/** The names of the files in a folder below src/, in alphabetical order. */
export function assetNames(folder: string): readonly string[] {
  return readdirSync(new URL(`${folder}/`, SOURCES)).sort();
}
