/** Which packages' code is in a bundle, by esbuild's own account of it. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Metafile } from "esbuild";

const ROOT = join(import.meta.dirname, "../..");

export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  /** SPDX expression of its package.json. */
  readonly license: string;
  /** From the root, as in package-lock.json: `node_modules/fastify`. */
  readonly path: string;
}

/** uPlot is inside as a text (replaced-modules.ts), so esbuild does not know it. */
const AS_TEXT = ["node_modules/uplot"];

/** @returns one entry for each folder of node_modules of which something is in the output, sorted by path */
export async function bundledPackages(metafile: Metafile): Promise<readonly BundledPackage[]> {
  const paths = new Set(AS_TEXT);
  for (const { inputs } of Object.values(metafile.outputs)) {
    for (const [input, { bytesInOutput }] of Object.entries(inputs)) {
      const [, path] = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input) ?? [];
      if (path !== undefined && bytesInOutput > 0) paths.add(path);
    }
  }
  return Promise.all([...paths].sort().map(described));
}

async function described(path: string): Promise<BundledPackage> {
  const json = JSON.parse(await readFile(join(ROOT, path, "package.json"), "utf8")) as {
    name: string;
    version: string;
    license?: string;
  };
  if (json.license === undefined) throw new Error(`${path} does not say its licence: look, and decide`);
  return { name: json.name, version: json.version, license: json.license, path };
}
