/** Runs Helm on charts/paceline. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { findTool } from "../go-tools.ts";

const run = promisify(execFile);

export const CHART = join(import.meta.dirname, "../../charts/paceline");
const OUTPUT_BYTES = 16 * 1_048_576;

/** Path of a Helm; builds it if there is none (../go-tools.ts). @throws when it cannot */
export const findHelm = (env: NodeJS.ProcessEnv = process.env): Promise<string> => findTool("helm", env);

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
