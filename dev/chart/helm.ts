/**
 * Runs Helm on charts/paceline: the one on PATH, or one that Go builds once into the cache beside the control plane's
 * programs. `node dev/chart/helm.ts` makes sure that there is one, and prints its path.
 */
import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { mkdir } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { withFileLock } from "../control-plane/file-lock.ts";

const run = promisify(execFile);

export const CHART = join(import.meta.dirname, "../../charts/paceline");
const VERSION = "v4.3.1";
const MODULE = `helm.sh/helm/v4/cmd/helm@${VERSION}`;
/** Building takes about 2 min on 2 cores (measured: 1 min 45 s). */
const BUILD_TIMEOUT_MS = 600_000;
const OUTPUT_BYTES = 16 * 1_048_576;

/**
 * Path of a Helm; builds it if there is none. `PACELINE_CACHE` moves the cache from `~/.cache/paceline`.
 * @throws when there is neither a Helm nor a Go that builds it
 */
export async function findHelm(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const onPath = (env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, "helm"));
  const folder = join(env["PACELINE_CACHE"] ?? join(homedir(), ".cache", "paceline"), `helm-${VERSION}`);
  const built = join(folder, "helm");
  const found = [...onPath, built].find(isProgram);
  if (found !== undefined) return found;
  await mkdir(folder, { recursive: true });
  await withFileLock(`${folder}.lock`, async () => {
    if (!isProgram(built)) await build(folder, env);
  });
  return built;
}

async function build(folder: string, env: NodeJS.ProcessEnv): Promise<void> {
  process.stderr.write(`building Helm ${VERSION}, once, about 2 minutes …\n`);
  try {
    await run("go", ["install", MODULE], { timeout: BUILD_TIMEOUT_MS, env: { ...env, GOBIN: folder } });
  } catch (cause) {
    const why = (cause as Error).message;
    throw new Error(`no helm on PATH, and Go could not build it (Go 1.26 or later, with a module proxy): ${why}`, {
      cause,
    });
  }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export interface RenderOptions {
  readonly helm: string;
  /** Default `paceline`. */
  readonly release?: string;
  /** Default `paceline`. */
  readonly namespace?: string;
  /** Arguments such as `-f file` or `--set a=b`. */
  readonly args?: readonly string[];
}

/** `helm template`: the manifests as one YAML text. @throws with Helm's error output */
export async function helmTemplate(options: RenderOptions): Promise<string> {
  const { helm, release = "paceline", namespace = "paceline", args = [] } = options;
  return helmText(helm, ["template", release, CHART, "--namespace", namespace, ...args]);
}

/** Runs Helm. @returns its output @throws with its error output */
export async function helmText(helm: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  const { stdout } = await run(helm, args, { maxBuffer: OUTPUT_BYTES, env: { ...process.env, ...env } });
  return stdout;
}

if (import.meta.main) process.stdout.write(`${await findHelm()}\n`);
