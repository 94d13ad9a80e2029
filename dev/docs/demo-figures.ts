/**
 * Writes what the demo measured into the docs: figures, tables and the picture.
 * - `npm run docs:demo` runs the demo and writes everything that this run measured;
 * - `npm run docs:demo -- --run bare` and `--run extender` run its other forms;
 * - `--from FILE` takes what `npm run demo -- --json` printed before, and `--load N` the load average of that time;
 * - `--none` measures nothing and writes the pages from docs/figures.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { text } from "node:stream/consumers";
import { readyPicture } from "../demo/picture.ts";
import { type DemoResult, demoRows } from "../demo/table.ts";
import {
  figureNames,
  keepFigures,
  markdownTable,
  type Measured,
  measuredHere,
  measuredWhere,
  pageWith,
  readFigures,
  writePages,
} from "./figures.ts";

const ROOT = join(import.meta.dirname, "../..");
const PICTURE = "docs/pictures/ready-over-time.svg";
/** The demo's arguments of each form. */
const RUNS = { ordinary: [], bare: ["--herd", "bare"], extender: ["--lever", "gate,extender"] } as const;
type RunName = keyof typeof RUNS;
/** Lines of the table that is short. */
const SHORT = ["failed starts", "restarts", "seconds until all pods are Ready", "mean seconds to Ready"];

/** One run, as docs/figures keeps it. */
type DemoFigures = DemoResult & Measured;

const readRun = async (run: RunName) => (await readFigures(`demo-${run}`)) as DemoFigures;

/** The pages and the picture as docs/figures gives them, by path. */
export async function writtenFiles(): Promise<Map<string, string>> {
  const figures = {
    ordinary: await readRun("ordinary"),
    bare: await readRun("bare"),
    extender: await readRun("extender"),
  };
  const files = new Map([[PICTURE, readyPicture(figures.ordinary)]]);
  for (const page of ["README.md", "docs/results.md", "docs/try.md"]) {
    const names = figureNames(await readFile(join(ROOT, page), "utf8")).filter((one) => one.startsWith("demo-"));
    const texts = names.map((name) => {
      const [, run = "", form] = name.split("-");
      return [name, tableOf(figures[run as RunName], form === "short")] as const;
    });
    files.set(page, await pageWith(page, new Map(texts)));
  }
  return files;
}

/** The table, and below it when and where it was measured. */
function tableOf({ unpaced, paced, diskBoundSeconds, ...where }: DemoFigures, isShort: boolean): string {
  const shown = demoRows.filter(([title]) => !isShort || SHORT.includes(title));
  const rows = shown.map(([title, show]) => [title.replace(/^ +/, "… "), show(unpaced), `**${show(paced)}**`]);
  const bound = isShort ? "" : ` The disks alone need ${diskBoundSeconds.toFixed(1)} s with Paceline's placement.`;
  return [markdownTable(["", "without Paceline", "with Paceline"], rows), `${measuredWhere(where)}${bound}`].join(
    "\n\n",
  );
}

async function measure(run: RunName): Promise<void> {
  const where = measuredHere();
  const demo = spawn(process.execPath, [join(ROOT, "dev/demo/main.ts"), "--json", ...RUNS[run]], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [printed] = await Promise.all([text(demo.stdout), once(demo, "close")]);
  if (demo.exitCode !== 0) throw new Error("the demo did not succeed: nothing is written");
  await keep(run, JSON.parse(printed) as DemoResult, where);
}

const keep = (run: RunName, result: DemoResult, where: Measured) =>
  keepFigures(`demo-${run}`, { ...where, ...result } satisfies DemoFigures);

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      run: { type: "string", default: "ordinary" },
      none: { type: "boolean", default: false },
      from: { type: "string" },
      load: { type: "string", default: "0" },
    },
  });
  const run = (Object.keys(RUNS) as RunName[]).find((name) => name === values.run);
  if (run === undefined) throw new Error(`--run: "${values.run}" is none of ${Object.keys(RUNS).join(", ")}`);
  if (values.from !== undefined)
    await keep(run, JSON.parse(await readFile(values.from, "utf8")) as DemoResult, {
      ...measuredHere(),
      load: Number(values.load),
    });
  else if (!values.none) await measure(run);
  await writePages(await writtenFiles());
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
