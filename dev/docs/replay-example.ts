/**
 * `npm run docs:replay -- DIR DEMO.json`: writes the example and the picture of docs/replay.md. DIR is what `npm run
 * demo -- --record DIR --json` recorded, DEMO.json what that printed: what was measured with Paceline is in it.
 */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { herdsOf } from "../../src/recording/herd.ts";
import { noMachines } from "../../src/recording/machines.ts";
import { readRecording } from "../../src/recording/read-recording.ts";
import { replayHerd } from "../../src/replay/replay.ts";
import { pictureOf } from "../../src/replay/report/picture.ts";
import { textReport } from "../../src/replay/report/text.ts";
import type { DemoResult } from "../demo/table.ts";
import { pageWith, writePage } from "./figures.ts";

const ROOT = join(import.meta.dirname, "../..");
const [folder, measured] = process.argv.slice(2);
if (folder === undefined || measured === undefined) throw new Error("usage: npm run docs:replay -- DIR DEMO.json");

const files = (await readdir(folder)).map((name) => join(folder, name));
const { recording } = await readRecording(files, { nowMs: Date.now() });
const [herd] = herdsOf(recording);
if (!herd) throw new Error(`${folder} has no herd`);
const replay = await replayHerd(herd, recording, { machines: noMachines });
if (!replay.forecast) throw new Error(`there is no forecast: ${replay.reasons.join(", ")}`);
const { paced } = JSON.parse(await readFile(measured, "utf8")) as DemoResult;

const { given } = replay.forecast;
const off = (forecast: number, real: number) => `${Math.abs(Math.round(100 * (forecast / real - 1)))} %`;
const sentence =
  `The demo then measured the run with Paceline: all Ready after ${paced.makespanSeconds.toFixed(1)} s, mean ` +
  `${paced.meanReadySeconds.toFixed(1)} s, ${paced.startErrors} failed starts. So the forecast was ` +
  `${off(given.allReadySeconds, paced.makespanSeconds)} off for all Ready and ` +
  `${off(given.meanReadySeconds, paced.meanReadySeconds)} for the mean.`;
const example = textReport({ replays: [replay], moreHerds: 0, notes: [] }).split("\n\nRecommended (")[0] ?? "";

const PAGE = "docs/replay.md";
const figures = `\`\`\`text\n${example}\n\`\`\`\n\n${sentence}`;
await writePage(PAGE, await pageWith(PAGE, new Map([["replay-demo", figures]])));
await writeFile(join(ROOT, "docs/pictures/replay-demo.svg"), pictureOf(replay));
