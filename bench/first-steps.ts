/**
 * `npm run docs:try [-- --only demo|playground|helm | --none]`: times the first steps of a stranger, and writes them
 * into docs/try.md. The demo's path clones this repository, so it measures what is committed. Run it once before: the
 * times are those with control plane and Helm in the cache.
 */
import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  keepFigures,
  markdownTable,
  type Measured,
  measuredHere,
  measuredWhere,
  pageWith,
  readFigures,
  writePage,
} from "../dev/docs/figures.ts";
import { withProgress } from "../src/cli/progress.ts";
import { helmPath } from "./first-steps/helm.ts";
import { playgroundPath } from "./first-steps/playground.ts";
import { type Step, timed } from "./first-steps/step.ts";
import { chosenOf, flagsOf } from "./flags.ts";

const ROOT = join(import.meta.dirname, "..");
const PAGE = "docs/try.md";

/** One path: its steps, and when and where they were timed. */
interface Path extends Measured {
  readonly steps: readonly Step[];
}

/** From `git clone` to the demo's table. */
async function demoPath(clone: string): Promise<Step[]> {
  const inClone = (command: string) =>
    timed(command, () => execFileSync("bash", ["-c", command], { cwd: clone, stdio: ["ignore", "ignore", "inherit"] }));
  return [
    await timed("git clone … && cd paceline", () => execFileSync("git", ["clone", "--quiet", ROOT, clone])),
    await inClone("npm ci"),
    await inClone("npm run demo"),
  ];
}

const PATHS = {
  demo: () => inNewClone(demoPath),
  playground: () => playgroundPath(),
  helm: () => helmPath(),
};
type PathName = keyof typeof PATHS;
const NAMES = Object.keys(PATHS) as PathName[];

async function inNewClone(path: (clone: string) => Promise<Step[]>): Promise<Step[]> {
  const folder = await mkdtemp(join(tmpdir(), "paceline-try-"));
  try {
    return await path(join(folder, "paceline"));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const readPaths = async () => (await readFigures("try")) as Partial<Record<PathName, Path>>;

async function measure(name: PathName): Promise<void> {
  const where = measuredHere();
  const path: Path = { ...where, steps: await withProgress(name, PATHS[name]) };
  await keepFigures("try", { ...(await readPaths()), [name]: path });
}

function tableOf({ steps, ...where }: Path): string {
  const sum = steps.reduce((seconds, step) => seconds + step.seconds, 0);
  const rows = steps.map(({ what, seconds }) => [what, seconds.toFixed(1)]);
  const table = markdownTable(["step", "seconds"], [...rows, ["all", `**${sum.toFixed(0)}**`]]);
  return `${table}\n\n${measuredWhere(where)}`;
}

/** docs/try.md with these figures. */
export async function tryPage(): Promise<string> {
  const texts = new Map<string, string>();
  for (const [name, path] of Object.entries(await readPaths())) texts.set(`try-${name}`, tableOf(path));
  return pageWith(PAGE, texts);
}

async function main(): Promise<void> {
  const { only, none } = flagsOf({ only: { type: "string" }, none: { type: "boolean", default: false } });
  for (const name of none ? [] : chosenOf("only", NAMES, only)) await measure(name);
  await writePage(PAGE, await tryPage());
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
