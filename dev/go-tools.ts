/**
 * Programs that tests and releases use: the one on PATH, or one that Go builds once into the cache beside the control
 * plane's. `node dev/go-tools.ts` makes sure that all are there, and prints their paths.
 */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { buildOnce, cacheFolder } from "./go-build.ts";

interface Tool {
  /** Of its Go package; its name is the program's. */
  readonly path: string;
  readonly version: string;
  /** Minutes or seconds, as measured on 2 cores. */
  readonly takes: string;
}

const TOOLS = {
  helm: { path: "helm.sh/helm/v4/cmd/helm", version: "v4.3.1", takes: "about 2 minutes" },
  // Checks .github/workflows.
  actionlint: { path: "github.com/rhysd/actionlint/cmd/actionlint", version: "v1.7.12", takes: "about 15 s" },
  // Has a registry (`crane registry serve`).
  crane: { path: "github.com/google/go-containerregistry/cmd/crane", version: "v0.22.1", takes: "about 25 s" },
  // Installs plugins of kubectl.
  krew: { path: "sigs.k8s.io/krew/cmd/krew", version: "v0.4.3", takes: "about 4 minutes" },
} as const satisfies Record<string, Tool>;

export type ToolName = keyof typeof TOOLS;

/**
 * Path of a program; builds it if there is none. `PACELINE_CACHE` moves the cache from `~/.cache/paceline`.
 * @throws when there is neither such a program nor a Go that builds it
 */
export async function findTool(name: ToolName, env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const { version } = TOOLS[name];
  const onPath = (env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, name));
  const folder = join(cacheFolder(env), `${name}-${version}`);
  const built = join(folder, name);
  const found = [...onPath, built].find(isProgram);
  if (found !== undefined) return found;
  await build(name, TOOLS[name], folder, env);
  return built;
}

async function build(name: ToolName, { path, version, takes }: Tool, folder: string, env: NodeJS.ProcessEnv) {
  try {
    await buildOnce(folder, env, (unfinished, runGo) =>
      runGo({
        name: `building ${name} ${version}`,
        detail: `once, ${takes} on 2 cores`,
        args: ["install", "-v", `${path}@${version}`],
        env: { GOBIN: unfinished },
      }),
    );
  } catch (cause) {
    const why = (cause as Error).message;
    throw new Error(`no ${name} on PATH, and Go could not build it (Go 1.26 or later, with a module proxy): ${why}`, {
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

if (import.meta.main) {
  for (const name of Object.keys(TOOLS) as ToolName[]) process.stdout.write(`${await findTool(name)}\n`);
}
