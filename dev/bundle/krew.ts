/**
 * `npm run krew [FOLDER]`: the executable file of each platform in an archive, as a release has it, and beside them
 * `paceline-krew.yaml`, by which `kubectl krew` installs them.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { stringify } from "yaml";
import packageJson from "../../package.json" with { type: "json" };
import { type Platform, PLATFORMS } from "./node-package.ts";
import { singleExecutable } from "./sea.ts";

const run = promisify(execFile);
export const MANIFEST = "paceline-krew.yaml";

export interface Archive {
  readonly platform: Platform;
  readonly file: string;
  /** In hexadecimal. */
  readonly sha256: string;
}

/** Packs what `npm run sea` makes for a platform. */
async function packArchive(folder: string, platform: Platform): Promise<Archive> {
  const file = `paceline-${platform}.tar.gz`;
  const work = await mkdtemp(join(tmpdir(), "paceline-krew-"));
  try {
    await singleExecutable(work, platform);
    const flags = ["--owner=0", "--group=0", "--numeric-owner"];
    await run("tar", [...flags, "-C", work, "-czf", join(folder, file), ...(await readdir(work))]);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  const hash = createHash("sha256");
  await pipeline(createReadStream(join(folder, file)), hash);
  return { platform, file, sha256: hash.digest("hex") };
}

/** The plugin's manifest for krew, YAML. Archives are those of this version's release. */
export function krewManifest(archives: readonly Archive[]): string {
  const { version, homepage } = packageJson;
  const repository = homepage.replace(/#.*$/, "");
  const platforms = archives.map(({ platform, file, sha256 }) => {
    const [os, arch] = platform.replace("x64", "amd64").split("-");
    const uri = `${repository}/releases/download/v${version}/${file}`;
    return { selector: { matchLabels: { os, arch } }, uri, sha256, bin: "paceline" };
  });
  return stringify({
    apiVersion: "krew.googlecontainertools.github.com/v1alpha2",
    kind: "Plugin",
    metadata: { name: "paceline" },
    spec: {
      version: `v${version}`,
      homepage: repository,
      shortDescription: "See why pods wait for young nodes",
      description:
        "The command line of Paceline, which paces the starts of pods on young nodes. It says why a pod waits, checks " +
        "an installation, releases pods by hand, finds pile-ups of starts in audit logs, and simulates remedies.\n",
      platforms,
    },
  });
}

/** Fills `folder`, and leaves alone what else is in it. */
export async function packRelease(folder: string, platforms: readonly Platform[]): Promise<readonly Archive[]> {
  await mkdir(folder, { recursive: true });
  const archives: Archive[] = [];
  for (const platform of platforms) archives.push(await packArchive(folder, platform));
  await writeFile(join(folder, MANIFEST), krewManifest(archives));
  return archives;
}

if (import.meta.main) {
  const [folder = join(import.meta.dirname, "../../out/krew")] = process.argv.slice(2);
  const archives = await packRelease(folder, PLATFORMS);
  console.log(`${folder}: ${archives.map(({ file }) => file).join(", ")}, ${MANIFEST}`);
}
