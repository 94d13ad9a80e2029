/** What `npm run image:check` found, in docs/install-cli.md. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import prettier from "prettier";
import { type Measured, measuredWhere, withFigures } from "../docs/figures.ts";
import type { Start } from "./measure.ts";

const ROOT = join(import.meta.dirname, "../..");
export const PAGE = join(ROOT, "docs/install-cli.md");
const FIGURES = join(ROOT, "docs/figures/image.json");

/** The image of `f89139c`, with the sources and 96 MB of node_modules, on a stand-in base of the same kind. */
const BEFORE_MB = 358;

export interface ImageFigures extends Measured {
  /** Of the base: `node:24.21.0-slim`. */
  readonly base: string;
  readonly isStandIn: boolean;
  readonly baseMb: number;
  readonly imageMb: number;
  readonly sources: Start;
  readonly image: Start;
}

/** The table and what it is about, as Markdown. */
export function imageText({ base, isStandIn, baseMb, imageMb, sources, image, ...where }: ImageFigures): string {
  const rows = [
    ["size, MB", BEFORE_MB, imageMb],
    ["`serve` until `/readyz` succeeds, ms", sources.readyMs, image.readyMs],
    ["its memory (RSS) when idle, MiB", sources.rssMib, image.rssMib],
  ];
  const table = ["| | sources | bundle |", "|---|---|---|", ...rows.map((cells) => `| ${cells.join(" | ")} |`)];
  const baseWords = isStandIn
    ? `The base was a stand-in for \`${base}\`, which no registry gave: Debian with Node, ${baseMb} MB.`
    : `The base was \`${base}\`, ${baseMb} MB; the ${BEFORE_MB} MB were on a stand-in of 262 MB.`;
  const how =
    "The size of an image with the sources was measured before the bundle. The rest is the median of three starts each " +
    "in one run, with an empty test control plane, from the checkout and from the built file system. Both read a " +
    "kubeconfig, which costs the sources about 50 MiB ([budgets](budgets.md)); a pod has none.";
  return `${table.join("\n")}\n\n${how} ${baseWords} It has package managers, which the image has not. ${measuredWhere(where)}`;
}

const formatted = async (path: string, text: string, parser: "json" | "markdown") =>
  prettier.format(text, { ...(await prettier.resolveConfig(path)), parser, proseWrap: "always" });

export async function writeFigures(figures: ImageFigures): Promise<void> {
  await writeFile(FIGURES, await formatted(FIGURES, JSON.stringify(figures), "json"));
  await writeFile(PAGE, await imagePage());
}

/** docs/install-cli.md with the kept figures. */
export async function imagePage(): Promise<string> {
  const figures = JSON.parse(await readFile(FIGURES, "utf8")) as ImageFigures;
  const page = withFigures(await readFile(PAGE, "utf8"), "image", imageText(figures));
  return formatted(PAGE, page, "markdown");
}
