/** What `npm run image:check` found, in docs/install-cli.md. */
import {
  keepFigures,
  markdownTable,
  type Measured,
  measuredWhere,
  pageWith,
  readFigures,
  writePage,
} from "../docs/figures.ts";
import type { Start } from "./measure.ts";

export const PAGE = "docs/install-cli.md";

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
    ["size, MB", String(BEFORE_MB), String(imageMb)],
    ["`serve` until `/readyz` succeeds, ms", String(sources.readyMs), String(image.readyMs)],
    ["its memory (RSS) when idle, MiB", String(sources.rssMib), String(image.rssMib)],
  ];
  const table = markdownTable(["", "sources", "bundle"], rows);
  const baseWords = isStandIn
    ? `The base was a stand-in for \`${base}\`, which no registry gave: Debian with Node, ${baseMb} MB.`
    : `The base was \`${base}\`, ${baseMb} MB; the ${BEFORE_MB} MB were on a stand-in of 262 MB.`;
  const how =
    "The size of an image with the sources was measured before the bundle. The rest is the median of three starts each " +
    "in one run, with an empty test control plane, from the checkout and from the built file system. Both read a " +
    "kubeconfig, which costs the sources about 50 MiB ([budgets](budgets.md)); a pod has none.";
  return `${table}\n\n${how} ${baseWords} It has package managers, which the image has not. ${measuredWhere(where)}`;
}

export async function writeFigures(figures: ImageFigures): Promise<void> {
  await keepFigures("image", figures);
  await writePage(PAGE, await imagePage());
}

/** docs/install-cli.md with the kept figures. */
export async function imagePage(): Promise<string> {
  const figures = (await readFigures("image")) as ImageFigures;
  return pageWith(PAGE, new Map([["image", imageText(figures)]]));
}
