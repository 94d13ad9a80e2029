/**
 * Assembles the files of the image's last stage without a container engine: what the Dockerfile copies, with production
 * dependencies only. `node dev/chart/image-files.ts FOLDER`; a test starts `serve` from it.
 */
import { execFile } from "node:child_process";
import { cp, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, "../..");

/** The paths that the Dockerfile's last stage copies from the build context. */
export async function copiedByDockerfile(): Promise<string[]> {
  const [, last = ""] = (await readFile(join(ROOT, "Dockerfile"), "utf8")).split("FROM scratch");
  const copies = last.split("\n").filter((line) => line.startsWith("COPY ") && !line.includes("--from="));
  return copies.flatMap((line) => line.split(/\s+/).slice(1, -1));
}

/**
 * Fills `folder` like the image's /app. Needs npm's cache or the network for the dependencies, as the Dockerfile does.
 */
export async function assembleImage(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const name of ["package.json", "package-lock.json"]) await cp(join(ROOT, name), join(folder, name));
  const flags = ["ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"];
  await run("npm", flags, { cwd: folder });
  for (const name of await copiedByDockerfile()) await cp(join(ROOT, name), join(folder, name), { recursive: true });
}

if (import.meta.main) {
  const [folder] = process.argv.slice(2);
  if (folder === undefined) throw new Error("give the folder to fill");
  await assembleImage(folder);
}
