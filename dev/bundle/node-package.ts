/** Node as npm has it for a platform, with its licence: for tests on other versions, and for the single file. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { cacheFolder } from "../go-build.ts";

const run = promisify(execFile);

/** npm's Node for macOS comes later than the others, and Windows' has no licence with it (docs/adr/0014). */
export const PLATFORMS = ["linux-x64", "linux-arm64"] as const;
export type Platform = (typeof PLATFORMS)[number];

/** The platform on which this runs. @throws if it is not among {@link PLATFORMS} */
export function ownPlatform(): Platform {
  const own = PLATFORMS.find((one) => one === `${process.platform}-${process.arch}`);
  if (own === undefined) throw new Error(`${process.platform}-${process.arch} is none of ${PLATFORMS.join(", ")}`);
  return own;
}

/** The version that tests, the image and the single file use: that of package-lock.json. */
export async function lockedNodeVersion(): Promise<string> {
  const lock = await readFile(join(import.meta.dirname, "../../package-lock.json"), "utf8");
  const { packages } = JSON.parse(lock) as { packages: Readonly<Record<string, { version: string }>> };
  return packages["node_modules/node"]?.version ?? "";
}

/**
 * Fetches it once, into the cache (dev/go-build.ts).
 * @param version exact, as in `22.19.0`
 * @returns paths of the program and of its licence
 */
export async function nodePackage(version: string, platform: Platform) {
  const folder = join(cacheFolder(), `node-v${version}-${platform}`);
  if (!existsSync(folder)) await fetchInto(folder, `node-${platform}@${version}`);
  return { program: join(folder, "bin/node"), licence: join(folder, "LICENSE") } as const;
}

async function fetchInto(folder: string, name: string): Promise<void> {
  await mkdir(cacheFolder(), { recursive: true });
  const work = await mkdtemp(`${folder}.unfinished-`);
  try {
    const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", work, name]);
    const [{ filename } = { filename: "" }] = JSON.parse(stdout) as { filename: string }[];
    await run("tar", ["-xzf", join(work, filename), "-C", work]);
    // Another process may have fetched the same meanwhile.
    await rename(join(work, "package"), folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
