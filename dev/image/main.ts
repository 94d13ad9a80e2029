/**
 * `npm run image:check`: builds the Dockerfile with buildah, runs `paceline --version` and `serve` from the built file
 * system, and writes size, start and memory into docs/install-cli.md. It needs root, for chroot and mounts; all mounts
 * are in namespaces of their own. Exit code 2 where it cannot be done.
 */
import { spawnSync } from "node:child_process";
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { version } from "../../src/api/version.ts";
import { withProgress } from "../../src/cli/progress.ts";
import { startControlPlane } from "../control-plane/control-plane.ts";
import { startWatchdog, type Watchdog } from "../control-plane/watchdog.ts";
import { measuredHere } from "../docs/figures.ts";
import { installAccess } from "../install.ts";
import { obtainBase } from "./base.ts";
import { buildDockerfile, buildahIn } from "./buildah.ts";
import { type Image, imageOf } from "./image.ts";
import { measureStarts } from "./measure.ts";
import { type ImageFigures, imageText, writeFigures } from "./page.ts";
import { programsOf } from "./programs.ts";

const ROOT = join(import.meta.dirname, "../..");
const IMAGE = "localhost/paceline:check";
const NEEDED = ["buildah", "debootstrap", "unshare"];

/** What is missing here for the check; undefined if nothing. */
function missing(): string | undefined {
  if (process.platform !== "linux") return "this is not Linux";
  if (process.getuid?.() !== 0) return "this is not root";
  const absent = NEEDED.filter((program) => spawnSync(program, ["--version"]).error !== undefined);
  const names = absent.join(", ");
  return absent.length === 0 ? undefined : `not installed: ${names} (apt-get install --no-install-recommends ${names})`;
}

async function serveFrom(image: Image): ReturnType<typeof measureStarts> {
  await using cp = await startControlPlane({ scheduler: false, controllerManager: false });
  await installAccess(cp.client);
  return await withProgress("starting serve, three times from the sources and from the image", () =>
    measureStarts(cp, image),
  );
}

async function check(folder: string, watchdog: Watchdog): Promise<ImageFigures> {
  const run = programsOf(watchdog);
  const buildah = buildahIn(folder, run);
  const { image: base, name, isStandIn } = await obtainBase(buildah, run, join(ROOT, "Dockerfile"));
  await withProgress("building the Dockerfile", (tell) =>
    buildDockerfile(buildah, { context: ROOT, base, image: IMAGE }, tell),
  );
  const image = await imageOf(buildah, run, IMAGE);
  const said = await image.run(["--version"]);
  if (said !== version) throw new Error(`paceline --version in the image says "${said}", not ${version}`);
  const [baseMb, imageMb] = [await buildah.megabytes(base), await buildah.megabytes(IMAGE)];
  const where = measuredHere();
  return { ...where, base: name, isStandIn, baseMb, imageMb, ...(await serveFrom(image)) };
}

const why = missing();
if (why === undefined) {
  // Not in /tmp, which may be memory.
  const folder = await mkdtemp("/var/tmp/paceline-image-");
  const watchdog = startWatchdog(folder);
  try {
    const figures = await check(folder, watchdog);
    await writeFigures(figures);
    console.log(`paceline --version and serve run from the image.\n\n${imageText(figures)}`);
  } finally {
    await watchdog.close();
  }
} else {
  console.error(`THE IMAGE WAS NOT CHECKED: ${why}`);
  process.exitCode = 2;
}
