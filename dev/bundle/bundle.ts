/**
 * Makes JavaScript of src/ and of every package that it uses: for npm and the image modules that are loaded when a
 * command needs them, for the single executable file one CommonJS script (docs/adr/0014).
 */
import { copyFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build, type BuildOptions } from "esbuild";
import { bundledPackages, type BundledPackage } from "./bundled-packages.ts";
import { noticesOf } from "./notices.ts";
import { replacedModules } from "./replaced-modules.ts";

const ROOT = join(import.meta.dirname, "../..");
export const NOTICES = "THIRD-PARTY-NOTICES.txt";

const common = {
  absWorkingDir: ROOT,
  bundle: true,
  platform: "node",
  target: "node22.19", // engines in package.json
  metafile: true,
  legalComments: "none", // they are in the notices
  logLevel: "warning",
} as const satisfies BuildOptions;

/** The thread is a module beside the program; the chunks are in a folder below. */
const THREAD_MODULE = `
import { Worker } from "node:worker_threads";
export const startThread = (options) => new Worker(new URL("../run-thread.mjs", import.meta.url), options);
`;

/** Packages in CommonJS call `require` for Node's own modules. */
const REQUIRE = `import { createRequire } from "node:module";\nconst require = createRequire(import.meta.url);`;

/**
 * Fills `folder`, which is emptied before: `main.mjs`, `run-thread.mjs`, `chunks/`, the licences of what is inside.
 * @returns the packages whose code is inside
 */
export async function bundleModules(folder: string): Promise<readonly BundledPackage[]> {
  await rm(folder, { recursive: true, force: true });
  const { metafile } = await build({
    ...common,
    entryPoints: { main: "src/cli/main.ts", "run-thread": "src/simulate/engine/run-thread.ts" },
    format: "esm",
    splitting: true,
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    chunkNames: "chunks/[name]-[hash]",
    banner: { js: REQUIRE },
    plugins: [replacedModules(THREAD_MODULE)],
  });
  const packages = await bundledPackages(metafile);
  await writeFile(join(folder, NOTICES), await noticesOf(packages));
  return packages;
}

/**
 * Writes `paceline.cjs` and the licences into `folder`: the whole program as one script, its thread's script inside.
 * @returns the packages whose code is inside
 */
export async function bundleScript(folder: string): Promise<readonly BundledPackage[]> {
  const script = { ...common, format: "cjs" } as const;
  const thread = await build({
    ...script,
    entryPoints: ["src/simulate/engine/run-thread.ts"],
    write: false,
    plugins: [replacedModules("")],
  });
  const code = thread.outputFiles[0]?.text ?? "";
  const { metafile } = await build({
    ...script,
    entryPoints: ["src/cli/main.ts"],
    outfile: join(folder, "paceline.cjs"),
    plugins: [replacedModules(evaluatedThread(code))],
  });
  const packages = await bundledPackages(metafile);
  await writeFile(join(folder, NOTICES), await noticesOf(packages));
  await copyFile(join(ROOT, "LICENSE"), join(folder, "LICENSE"));
  return packages;
}

const evaluatedThread = (code: string) => `
import { Worker } from "node:worker_threads";
const code = ${JSON.stringify(code)};
export const startThread = (options) => new Worker(code, { ...options, eval: true });
`;
