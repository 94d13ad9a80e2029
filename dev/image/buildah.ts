/** buildah with a storage of its own, below one folder. */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Run } from "./programs.ts";

export interface Buildah {
  /** The flags that name the storage, for buildah in a script. */
  readonly storage: readonly string[];
  run(args: readonly string[], onLine?: (line: string) => void): Promise<string>;
  /** Bytes of an image, in MB as `buildah images` counts them. */
  megabytes(image: string): Promise<number>;
}

export function buildahIn(folder: string, run: Run): Buildah {
  const driver = process.env["STORAGE_DRIVER"] ?? "overlay";
  const places = ["--root", join(folder, "root"), "--runroot", join(folder, "run")];
  const storage = [...places, "--storage-driver", driver];
  const buildah: Buildah["run"] = (args, onLine) => run("buildah", [...storage, ...args], onLine);
  return {
    storage,
    run: buildah,
    megabytes: async (image) => megabytesOf(await buildah(["images", "--format", "{{.Size}}", image])),
  };
}

/** @param size as buildah prints it: `256 MB`, `1.2 GB` */
export function megabytesOf(size: string): number {
  const [, figure, unit = ""] = /^([\d.]+) ([KMG]B)$/.exec(size) ?? [];
  const factor = { KB: 1e-3, MB: 1, GB: 1e3 }[unit];
  if (factor === undefined) throw new Error(`buildah images: "${size}" is no size`);
  return Number(figure) * factor;
}

/** Node reads more certificates from the file that this names. */
const CERTIFICATES = "NODE_EXTRA_CA_CERTS";

/**
 * Builds the Dockerfile of `context`. Where this machine reaches the registry of npm by settings of its own, npm in the
 * build has them as well: mounted read-only, so in no layer.
 */
export async function buildDockerfile(
  buildah: Buildah,
  { context, base, image }: { readonly context: string; readonly base: string; readonly image: string },
  onLine: (line: string) => void,
): Promise<void> {
  const certificates = process.env[CERTIFICATES];
  const npmrc = join(homedir(), ".npmrc");
  const mounts = [
    ...(certificates === undefined ? [] : ["--volume", `${certificates}:${certificates}:ro`]),
    ...(existsSync(npmrc) ? ["--volume", `${npmrc}:/root/.npmrc:ro`] : []),
  ];
  const from = certificates === undefined ? base : await withVariable(buildah, base, `${CERTIFICATES}=${certificates}`);
  const flags = ["--isolation", "chroot", "--build-arg", `NODE_IMAGE=${from}`, ...mounts];
  await buildah.run(["bud", ...flags, "--tag", image, context], onLine);
}

/** A copy of an image with an environment variable: buildah 1.28 gives `bud --env` to no RUN. */
async function withVariable(buildah: Buildah, image: string, variable: string): Promise<string> {
  const copy = "localhost/base-with-certificates:check";
  const container = await buildah.run(["from", image]);
  await buildah.run(["config", "--env", variable, container]);
  await buildah.run(["commit", "--quiet", container, copy]);
  await buildah.run(["rm", container]);
  return copy;
}
