/** Holds files to Grafana's schema, as its own module for Go has it; Go builds the program once, in a few seconds. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { buildOnce, cacheFolder } from "../go-build.ts";

const MODULE = join(import.meta.dirname, "go");

/** @returns what is wrong, or that each file is valid, one line each */
export async function grafanaSays(files: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  for (const name of ["main.go", "go.mod", "go.sum"]) hash.update(await readFile(join(MODULE, name)));
  const folder = join(cacheFolder(), `grafana-schema-${hash.digest("hex").slice(0, 12)}`);
  await buildOnce(folder, process.env, (unfinished, runGo) =>
    runGo({
      name: "building the check of Grafana's schema",
      args: ["build", "-v", "-o", join(unfinished, "check"), "."],
      module: { folder: MODULE, main: "." },
    }),
  );
  return promisify(execFile)(join(folder, "check"), files).then(
    ({ stdout }) => stdout,
    (error: unknown) => (error as { stdout: string }).stdout,
  );
}
