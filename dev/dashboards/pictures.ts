/** `npm run docs:boards`: runs the demo's herd, scraped by Prometheus, and draws each board into docs/pictures. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { withProgress } from "../../src/cli/progress.ts";
import { findBinaries } from "../control-plane/binaries.ts";
import { boards } from "./boards.ts";
import { boardSvg } from "./draw.ts";
import { SCRAPE_SECONDS } from "./prometheus.ts";
import { startWatchedRun, type WatchedRun } from "./run.ts";

const FOLDER = join(import.meta.dirname, "../../docs/pictures");
/** Until the last rates have fallen. */
const AFTER_MS = 10_000;
/** Between two points of a line. */
const STEP_SECONDS = SCRAPE_SECONDS;

/** Waits until the herd is done, and draws what each panel shows of it. */
export async function drawBoards(run: WatchedRun): Promise<void> {
  await run.done;
  await delay(AFTER_MS);
  await mkdir(FOLDER, { recursive: true });
  const span = { from: run.beganAt, to: Date.now() / 1_000, step: STEP_SECONDS };
  for (const board of boards) {
    const lines = board.panels.map(async (panel) => ({ panel, lines: await run.linesOf(panel, STEP_SECONDS) }));
    const drawn = await Promise.all(lines);
    await writeFile(join(FOLDER, `boards-${board.name}.svg`), boardSvg(board, drawn, span));
  }
}

async function main(): Promise<void> {
  await findBinaries(); // builds them the first time, and says so
  await using run = await withProgress("starting the herd", () => startWatchedRun());
  await withProgress("until all pods are Ready, and the boards are drawn", () => drawBoards(run));
}

if (import.meta.main) await main();
