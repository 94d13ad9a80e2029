/**
 * Builds Go programs once, into a cache outside git. Each build says what it does (src/cli/progress.ts), and leaves
 * neither a process nor a file behind when it fails or when this process ends in whatever way.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { type Tell, withProgress } from "../src/cli/progress.ts";
import { withFileLock } from "./control-plane/file-lock.ts";
import { startWatchdog, type Watchdog } from "./control-plane/watchdog.ts";

/** How many lines of the compiler an error repeats. */
const LAST_LINES = 20;

/** Where built programs are kept; `PACELINE_CACHE` moves it from `~/.cache/paceline`. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  return env["PACELINE_CACHE"] ?? join(homedir(), ".cache", "paceline");
}

/** True when there is a Go tool chain on PATH. */
export function hasGo(env: NodeJS.ProcessEnv): boolean {
  return spawnSync("go", ["version"], { env }).status === 0;
}

/** One call of `go`. */
export interface GoCommand {
  /** What people read: `building the control plane`. */
  readonly name: string;
  /** What the first line adds: how long it takes. */
  readonly detail?: string;
  /** `build …` or `install …`, with `-v`: the packages that it names are counted. */
  readonly args: readonly string[];
  /** Added to the environment of the build. */
  readonly env?: NodeJS.ProcessEnv;
  /** Folder of the module, and the package in it whose dependencies are counted; none for a module from the network. */
  readonly module?: { readonly folder: string; readonly main: string };
}

/** Runs `go`. @throws with its last lines when it fails */
export type RunGo = (command: GoCommand) => Promise<void>;

/**
 * Sees to it that `folder` exists and is complete: `build` fills an unfinished one beside it, which is then renamed.
 * Two processes that want the same build wait for each other and build once.
 * @throws what `build` throws
 */
export async function buildOnce(
  folder: string,
  env: NodeJS.ProcessEnv,
  build: (unfinished: string, runGo: RunGo) => Promise<void>,
): Promise<void> {
  if (existsSync(folder)) return;
  await mkdir(dirname(folder), { recursive: true });
  await withFileLock(`${folder}.lock`, async () => {
    if (!existsSync(folder)) await buildInto(folder, env, build);
  });
}

async function buildInto(folder: string, env: NodeJS.ProcessEnv, build: Parameters<typeof buildOnce>[2]) {
  const unfinished = `${folder}.${process.pid}.unfinished`;
  const scratch = join(unfinished, "tmp");
  const watchdog = startWatchdog(unfinished);
  try {
    await mkdir(scratch, { recursive: true });
    const goEnv = { ...env, CGO_ENABLED: "0", GOWORK: "off", GOTMPDIR: scratch };
    await build(unfinished, (command) => runGo(command, goEnv, watchdog));
    await rm(scratch, { recursive: true, force: true });
    await rename(unfinished, folder);
  } finally {
    await watchdog.close(); // removes what is left
  }
}

function runGo(command: GoCommand, env: NodeJS.ProcessEnv, watchdog: Watchdog): Promise<void> {
  const { name, args, module } = command;
  const run = async (tell: Tell) => {
    const folder = module?.folder;
    const go = (goArgs: readonly string[], onLine: (line: string) => void) =>
      spawnGo(goArgs, { env: { ...env, ...command.env }, cwd: folder, watchdog, onLine });
    const wanted = module ? await go(["list", "-deps", module.main], toldBy(tell, [])) : [];
    await go(args, toldBy(tell, wanted));
  };
  return withProgress(name, run, command.detail === undefined ? {} : { detail: command.detail });
}

/** Tells what each line of Go's stderr means: a download, or a package whose turn it is. */
function toldBy(tell: Tell, wanted: readonly string[]): (line: string) => void {
  let packages = 0;
  return (line) => {
    const [, downloaded] = /^go: downloading (.*)/.exec(line) ?? [];
    if (downloaded !== undefined) {
      tell(`downloading ${downloaded}`);
      return;
    }
    packages++;
    const count = wanted.length === 0 ? `package ${packages}` : `package ${packages} of at most ${wanted.length}`;
    tell(line === wanted.at(-1) ? `${count}, then linking` : `${count}, ${line}`);
  };
}

interface Spawn {
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string | undefined;
  readonly watchdog: Watchdog;
  readonly onLine: (line: string) => void;
}

/** Runs `go` in a process group of its own. @returns the lines that it printed @throws with its last lines */
async function spawnGo(args: readonly string[], { env, cwd, watchdog, onLine }: Spawn): Promise<string[]> {
  const go = spawn("go", args, { cwd, env, stdio: ["ignore", "pipe", "pipe"], detached: true });
  if (go.pid !== undefined) watchdog.guard(go.pid);
  const ended = once(go, "close");
  const printed: string[] = [];
  const lastLines: string[] = [];
  createInterface(go.stdout).on("line", (line) => void printed.push(line));
  createInterface(go.stderr).on("line", (line) => {
    lastLines.push(line);
    if (lastLines.length > LAST_LINES) lastLines.shift();
    onLine(line);
  });
  const [code] = (await ended) as [number | null];
  if (go.pid !== undefined) watchdog.forget(go.pid);
  if (code === 0) return printed;
  throw new Error(`go ${args.join(" ")} failed in ${cwd ?? "."}; its last lines:\n${lastLines.join("\n")}`);
}
