/**
 * `npm run sea [PLATFORM] [FOLDER]`: one executable file, `paceline`, that holds Node, with the licences beside it.
 * Each platform's can be made on any other.
 */
import { execFile } from "node:child_process";
import { appendFile, chmod, copyFile, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { bundleScript, NOTICES } from "./bundle.ts";
import { lockedNodeVersion, nodePackage, ownPlatform, type Platform, PLATFORMS } from "./node-package.ts";

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, "../..");
const POSTJECT = join(ROOT, "node_modules/postject/dist/cli.js");
/** What postject looks for in Node's program (Node's documentation of single executable applications). */
const FUSE = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";

/** Fills `folder`. @returns the path of the executable */
export async function singleExecutable(folder: string, platform: Platform = ownPlatform()): Promise<string> {
  const node = await nodePackage(await lockedNodeVersion(), platform);
  await mkdir(folder, { recursive: true });
  const executable = join(folder, "paceline");
  await rm(executable, { force: true });
  await copyFile(node.program, executable);
  await chmod(executable, 0o755);
  const work = await mkdtemp(join(tmpdir(), "paceline-sea-"));
  try {
    const words = [executable, "NODE_SEA_BLOB", await blobOf(work), "--sentinel-fuse", FUSE];
    await run(process.execPath, [POSTJECT, ...words]);
    for (const name of ["LICENSE", NOTICES]) await copyFile(join(work, name), join(folder, name));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  await appendFile(join(folder, NOTICES), `\nAnd Node itself:\n\n${await readFile(node.licence, "utf8")}`);
  return executable;
}

/** What Node reads at its start: the script alone, without V8's own formats, so that it fits every platform. */
async function blobOf(work: string): Promise<string> {
  await bundleScript(work);
  const [config, output] = [join(work, "sea.json"), join(work, "paceline.blob")];
  const main = join(work, "paceline.cjs");
  await writeFile(config, JSON.stringify({ main, output, disableExperimentalSEAWarning: true }));
  await run(process.execPath, ["--experimental-sea-config", config]);
  return output;
}

if (import.meta.main) {
  const [name = ownPlatform(), folder = join(ROOT, "out/sea", name)] = process.argv.slice(2);
  const platform = PLATFORMS.find((one) => one === name);
  if (platform === undefined) throw new Error(`${name} is none of ${PLATFORMS.join(", ")}`);
  const executable = await singleExecutable(folder, platform);
  console.log(`${executable}: ${Math.round((await stat(executable)).size / 1_048_576)} MiB`);
}
