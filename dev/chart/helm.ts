/** Runs Helm on charts/paceline: the one on PATH, in Go's folder of programs, or built there once by Go. */
import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export const CHART = join(import.meta.dirname, "../../charts/paceline");
const MODULE = "helm.sh/helm/v4/cmd/helm@v4.3.1";
/** Building takes about 2 min on 2 cores (measured: 1 min 45 s). */
const BUILD_TIMEOUT_MS = 600_000;
const OUTPUT_BYTES = 16 * 1_048_576;

/** Path of a Helm, or undefined where there is none and no Go to build it. @throws when the build fails */
export async function findHelm(): Promise<string | undefined> {
  const gopath = await run("go", ["env", "GOPATH"]).then(
    ({ stdout }) => stdout.trim(),
    () => undefined,
  );
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), ...(gopath ? [join(gopath, "bin")] : [])];
  const found = folders.map((folder) => join(folder, "helm")).find(isProgram);
  if (found !== undefined || gopath === undefined) return found;
  process.stderr.write(`building Helm (${MODULE}), once …\n`);
  const env = { ...process.env, GOBIN: join(gopath, "bin") };
  await run("go", ["install", MODULE], { timeout: BUILD_TIMEOUT_MS, env });
  return join(gopath, "bin", "helm");
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

/** `helm template`: the manifests as one YAML text. @throws with Helm's own words */
export async function helmTemplate(options: RenderOptions): Promise<string> {
  const { helm, release = "paceline", namespace = "paceline", args = [] } = options;
  return helmText(helm, ["template", release, CHART, "--namespace", namespace, ...args]);
}

/** Runs Helm. @returns what it printed @throws with what it printed as error */
export async function helmText(helm: string, args: readonly string[]): Promise<string> {
  const { stdout } = await run(helm, args, { maxBuffer: OUTPUT_BYTES });
  return stdout;
}
