/** The base of the image: that of the Dockerfile where a registry gives it, elsewhere a stand-in of Debian and Node. */
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Tell, withProgress } from "../../src/cli/progress.ts";
import { lockedNodeVersion, nodePackage, ownPlatform } from "../bundle/node-package.ts";
import { buildOnce, cacheFolder } from "../go-build.ts";
import type { Buildah } from "./buildah.ts";
import type { Run } from "./programs.ts";

const DEBIAN = "bookworm"; // that of the -slim images of Node 24
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export interface Base {
  /** For `FROM`. */
  readonly image: string;
  /** What it is, for people: `node:24.21.0-slim`. */
  readonly name: string;
  readonly isStandIn: boolean;
}

/** @param dockerfile text of the Dockerfile @returns the default of its NODE_IMAGE */
export function baseOf(dockerfile: string): string {
  const [, name] = /^ARG NODE_IMAGE=(\S+)$/m.exec(dockerfile) ?? [];
  if (name === undefined) throw new Error("the Dockerfile has no ARG NODE_IMAGE with a default");
  return name;
}

/** Pulls the Dockerfile's base; makes the stand-in, and says so on stderr, if that fails. */
export async function obtainBase(buildah: Buildah, run: Run, dockerfile: string): Promise<Base> {
  const name = baseOf(await readFile(dockerfile, "utf8"));
  const image = `docker.io/library/${name}`;
  try {
    await withProgress(`pulling ${name}`, (tell) => buildah.run(["pull", "--quiet", image], tell));
    return { image, name, isStandIn: false };
  } catch (error) {
    const [, why = String(error)] = /\n(?:Error: )?([^\n]*)$/.exec((error as Error).message) ?? [];
    console.error(`\nNOT THE REAL BASE: ${name} cannot be pulled (${why}).`);
    console.error(`A stand-in takes its place: Debian ${DEBIAN} by debootstrap, Node and npm from npm.\n`);
    return standIn(buildah, run, name);
  }
}

async function standIn(buildah: Buildah, run: Run, name: string): Promise<Base> {
  const version = await lockedNodeVersion();
  const folder = join(cacheFolder(), `image-base-${DEBIAN}-node-v${version}`);
  await buildOnce(folder, process.env, (unfinished) =>
    withProgress("building the stand-in", (tell) => fill(join(unfinished, "root"), version, run, tell), {
      detail: "about 1 minute, once",
    }),
  );
  const image = `localhost/${name}`;
  const container = await buildah.run(["from", "scratch"]);
  await buildah.run(["add", "--quiet", container, join(folder, "root"), "/"]);
  await buildah.run(["config", "--env", `PATH=${PATH}`, "--cmd", "node", container]);
  await buildah.run(["commit", "--quiet", container, image]);
  await buildah.run(["rm", container]);
  return { image, name, isStandIn: true };
}

async function fill(root: string, version: string, run: Run, tell: Tell): Promise<void> {
  await run("debootstrap", ["--variant=minbase", DEBIAN, root], tell);
  // As in the real one: without what apt can fetch again, and without devices, which each container gets.
  const leftovers = ["var/cache/apt", "var/lib/apt/lists", "var/log", "dev"].map((path) => join(root, path));
  for (const path of leftovers) await rm(path, { recursive: true, force: true });
  for (const path of leftovers) await mkdir(path);
  const local = join(root, "usr/local");
  const { program } = await nodePackage(version, ownPlatform());
  await run("install", ["-m", "755", program, join(local, "bin/node")]);
  await installNpm(local, run);
}

/** The version that runs here, as npm has it: with all that it needs. */
async function installNpm(local: string, run: Run): Promise<void> {
  const work = `${local}/npm-download`;
  const home = join(local, "lib/node_modules");
  await mkdir(work);
  await mkdir(home, { recursive: true });
  const version = await run("npm", ["--version"]);
  const file = await run("npm", ["pack", "--silent", "--pack-destination", work, `npm@${version}`]);
  await run("tar", ["-xzf", join(work, file), "-C", work]);
  await run("mv", [join(work, "package"), join(home, "npm")]);
  await run("ln", ["-s", "../lib/node_modules/npm/bin/npm-cli.js", join(local, "bin/npm")]);
  await rm(work, { recursive: true });
}
