/** How long `serve` takes to be ready, and what it holds then: from the sources, and from the image. */
import { chown, mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Child } from "../control-plane/child.ts";
import type { ControlPlane } from "../control-plane/control-plane.ts";
import { MAIN, nodeFlags, startServiceProcess } from "../service.ts";
import type { Image } from "./image.ts";

/** After this long without anything to do memory is that of an idle replica. */
const IDLE_MS = 5_000;
const ROUNDS = 3;

export interface Start {
  /** From the start of the process to the first `/readyz` that succeeds, ms; asked every 50 ms. */
  readonly readyMs: number;
  /** Resident memory, MiB. */
  readonly rssMib: number;
}

type StartProgram = (name: string, words: readonly string[], files: string) => Promise<Child>;

/** In turn, so that neither has the quieter machine. @returns medians of three starts each */
export async function measureStarts(cp: ControlPlane, image: Image): Promise<{ sources: Start; image: Start }> {
  const flags = await nodeFlags();
  const sources: StartProgram = (name, words) => cp.startProgram(name, process.execPath, [...flags, MAIN, ...words]);
  const fromImage: StartProgram = async (name, words, files) => {
    for (const file of ["", ...(await readdir(files))]) await chown(join(files, file), image.uid, image.gid);
    return cp.startProgram(name, ...image.command(words, files));
  };
  const starts: { sources: Start[]; image: Start[] } = { sources: [], image: [] };
  for (let round = 1; round <= ROUNDS; round++) {
    starts.sources.push(await measureStart(cp, `sources-${round}`, sources));
    starts.image.push(await measureStart(cp, `image-${round}`, fromImage, image.uid));
  }
  return { sources: medians(starts.sources), image: medians(starts.image) };
}

/** @throws if it does not get ready, runs as another user, or does not end by SIGTERM with code 0 */
async function measureStart(cp: ControlPlane, name: string, program: StartProgram, uid?: number): Promise<Start> {
  const folder = join(cp.folder, name);
  await mkdir(folder);
  let startedMs = Number.NaN;
  const start = (words: readonly string[]) => {
    startedMs = performance.now();
    return program(name, words, folder);
  };
  const service = await startServiceProcess(cp, { name, folder, start });
  const readyMs = performance.now() - startedMs;
  await delay(IDLE_MS);
  const status = await readFile(`/proc/${service.process.pid}/status`, "utf8");
  const figure = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+)`, "m").exec(status)?.[1]);
  if (uid !== undefined && figure("Uid") !== uid) throw new Error(`${name} runs as user ${figure("Uid")}, not ${uid}`);
  service.process.signal("SIGTERM");
  const ending = await service.process.exited;
  await service.stop();
  if (ending !== "exit code 0") throw new Error(`${name} ended by SIGTERM with ${ending}`);
  return { readyMs: Math.round(readyMs), rssMib: Math.round(figure("VmRSS") / 1024) };
}

const median = (figures: readonly number[]) => figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 2)] ?? 0;
const medians = (starts: readonly Start[]): Start => ({
  readyMs: median(starts.map(({ readyMs }) => readyMs)),
  rssMib: median(starts.map(({ rssMib }) => rssMib)),
});
