/** The licences of the packages in a bundle, which go with it. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { BundledPackage } from "./bundled-packages.ts";

const ROOT = join(import.meta.dirname, "../..");
const LICENCE_FILE = /^(licen[cs]e|notice|copying)([.-].*)?$/i;

/** The text of THIRD-PARTY-NOTICES: each package with its licence files, or with its licence's name if it has none. */
export async function noticesOf(packages: readonly BundledPackage[]): Promise<string> {
  const sections = await Promise.all(packages.map(sectionOf));
  const head = `Paceline contains code of ${packages.length} packages from npm. These are their licences.\n`;
  return [head, ...sections].join(`\n${"-".repeat(80)}\n\n`);
}

async function sectionOf({ name, version, license, path }: BundledPackage): Promise<string> {
  const folder = join(ROOT, path);
  const files = (await readdir(folder)).filter((file) => LICENCE_FILE.test(file)).sort();
  const texts = await Promise.all(files.map(async (file) => (await readFile(join(folder, file), "utf8")).trim()));
  return `${[`${name} ${version} (${license})`, ...texts].join("\n\n")}\n`;
}
