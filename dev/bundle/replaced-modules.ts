/**
 * What of src/ cannot be bundled as it is: the modules that find files beside themselves. Each is replaced by one that
 * needs no file of the sources. Any other file of src/ that uses `import.meta` fails the build.
 */
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import type { Plugin } from "esbuild";

const ROOT = join(import.meta.dirname, "../..");
const SOURCES = join(ROOT, "src");
const UPLOT = ["uplot/dist/uPlot.min.css", "uplot/dist/uPlot.iife.min.js"];

/** What takes the place of src/api/assets.ts: the same functions on texts that it holds. */
async function assetsModule(): Promise<string> {
  const entries = await readdir(SOURCES, { recursive: true, withFileTypes: true });
  const own = entries
    .filter((entry) => entry.isFile() && !entry.name.endsWith(".ts"))
    .map((entry) => relative(SOURCES, join(entry.parentPath, entry.name)).replaceAll("\\", "/"));
  const read = async (path: string) =>
    [
      path,
      await readFile(join(path.startsWith("uplot/") ? join(ROOT, "node_modules") : SOURCES, path), "utf8"),
    ] as const;
  const texts = await Promise.all([...own, ...UPLOT].sort().map(read));
  return `
const texts = new Map(${JSON.stringify(texts)});
export function assetText(path) {
  const text = texts.get(path);
  if (text === undefined) throw new Error(path + " is not in this program");
  return text;
}
export const assetNames = (folder) =>
  [...texts.keys()].filter((path) => path.startsWith(folder + "/")).map((path) => path.slice(folder.length + 1)).sort();
`;
}

/** @param thread the module in place of src/simulate/engine/start-thread.ts */
export function replacedModules(thread: string): Plugin {
  const replacements: Readonly<Record<string, () => string | Promise<string>>> = {
    "api/assets.ts": assetsModule,
    "simulate/engine/start-thread.ts": () => thread,
  };
  return {
    name: "replaced-modules",
    setup(build) {
      build.onLoad({ filter: /[\\/]src[\\/].*\.ts$/ }, async ({ path }) => {
        const name = relative(SOURCES, path).replaceAll("\\", "/");
        if (name.startsWith("..")) return undefined;
        const replacement = replacements[name];
        if (replacement !== undefined) return { contents: await replacement(), loader: "js" };
        const contents = await readFile(path, "utf8");
        if (!contents.includes("import.meta")) return { contents, loader: "ts" };
        return {
          errors: [{ text: `src/${name} uses import.meta: read files by api/assets.ts, or list it in dev/bundle/` }],
        };
      });
      // Only the kubeconfig's reader of a library whose other 15 MB are the generated API.
      build.onResolve({ filter: /^@kubernetes\/client-node$/ }, () => ({
        path: join(ROOT, "node_modules/@kubernetes/client-node/dist/config.js"),
      }));
      build.onResolve({ filter: /^\.\/gen\/index\.js$/ }, ({ path, resolveDir }) => ({
        path: join(resolveDir, path),
        sideEffects: false,
      }));
    },
  };
}
