/**
 * Runs Helm on charts/paceline: the one on PATH, or one that Go builds once into the cache beside the control plane's
 * programs. `node dev/chart/helm.ts` makes sure that there is one, and prints its path.
 */
import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { buildOnce, cacheFolder } from "../go-build.ts";

const run = promisify(execFile);

export const CHART = join(import.meta.dirname, "../../charts/paceline");
const VERSION = "v4.3.1";
const MODULE = `helm.sh/helm/v4/cmd/helm@${VERSION}`;
const OUTPUT_BYTES = 16 * 1_048_576;

/**
 * Path of a Helm; builds it if there is none. `PACELINE_CACHE` moves the cache from `~/.cache/paceline`.
 * @throws when there is neither a Helm nor a Go that builds it
 */
export async function findHelm(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const onPath = (env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, "helm"));
  const folder = join(cacheFolder(env), `helm-${VERSION}`);
  const built = join(folder, "helm");
  const found = [...onPath, built].find(isProgram);
  if (found !== undefined) return found;
  await buildHelm(folder, env);
  return built;
}

async function buildHelm(folder: string, env: NodeJS.ProcessEnv): Promise<void> {
  try {
    await buildOnce(folder, env, (unfinished, runGo) =>
      runGo({
        name: `building Helm ${VERSION}`,
        detail: "once, about 2 minutes on 2 cores", // measured: 1 min 45 s
        args: ["install", "-v", MODULE],
        env: { GOBIN: unfinished },
      }),
    );
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
