/**
 * Assembles the image's /app without a container engine: the bundle, and what else the Dockerfile copies. `node
 * dev/chart/image-files.ts FOLDER`; a test starts `serve` from it.
 */
import { cp, readFile } from "node:fs/promises";
import { join } from "node:path";
import { bundleModules } from "../bundle/bundle.ts";

const ROOT = join(import.meta.dirname, "../..");

/** The paths that the Dockerfile's last stage copies from the build context. */
export async function copiedByDockerfile(): Promise<string[]> {
  const [, last = ""] = (await readFile(join(ROOT, "Dockerfile"), "utf8")).split("FROM scratch");
  const copies = last.split("\n").filter((line) => line.startsWith("COPY ") && !line.includes("--from="));
  return copies.flatMap((line) => line.split(/\s+/).slice(1, -1));
}

/** Fills `folder` like the image's /app. */
export async function assembleImage(folder: string): Promise<void> {
  await bundleModules(join(folder, "dist"));
  for (const name of await copiedByDockerfile()) await cp(join(ROOT, name), join(folder, name), { recursive: true });
}

if (import.meta.main) {
  const [folder] = process.argv.slice(2);
  if (folder === undefined) throw new Error("give the folder to fill");
  await assembleImage(folder);
}
