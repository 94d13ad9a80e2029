/** Lays the images out as docker-registry's file system storage: once, then from the cache. Nothing is downloaded. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { cacheFolder, run } from "./host.ts";
import { type Layer, filesLayer, randomLayer, writeLayer } from "./layer.ts";
import { COMPRESSIBILITY, type Setting } from "./settings.ts";

/** Increase it when the same setting gives other bytes, so that no stale cache is used. */
const FORMAT = 1;
const MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";

export interface BuiltImages {
  /** The registry's root directory. */
  readonly folder: string;
  /** Compressed bytes of each image, as the kubelet reports them. */
  readonly sizes: readonly number[];
}

/** @param pause a static program for the entry point. */
export async function buildImages(setting: Setting, pause: string): Promise<BuiltImages> {
  const program = await readFile(pause);
  const what = JSON.stringify([FORMAT, setting.name, setting.images, COMPRESSIBILITY]);
  const hash = createHash("sha256").update(what).update(program).digest("hex").slice(0, 16);
  const folder = join(cacheFolder(), `images-${setting.name}-${hash}`);
  if (!existsSync(folder)) await buildInto(folder, setting, program);
  const sizes = JSON.parse(await readFile(join(folder, "sizes.json"), "utf8")) as number[];
  return { folder, sizes };
}

async function buildInto(folder: string, setting: Setting, program: Buffer): Promise<void> {
  const unfinished = `${folder}.${process.pid}.unfinished`;
  try {
    await mkdir(unfinished, { recursive: true });
    const base = await addLayer(unfinished, "base", filesLayer([{ name: "pause", content: program }]));
    await addImage(unfinished, "pause", [base]);
    const sizes: number[] = [];
    for (const [index, shape] of setting.images.entries()) {
      const layers = [base];
      for (let layer = 0; layer < shape.layers; layer += 1) {
        const seed = `${setting.name}-${index}-${layer}`;
        const bytes = Math.round((shape.megabytes * 1e6) / shape.layers);
        layers.push(await addLayer(unfinished, seed, randomLayer(seed, bytes, COMPRESSIBILITY)));
      }
      sizes.push(await addImage(unfinished, `${setting.name}/app-${String(index).padStart(2, "0")}`, layers));
    }
    await writeFile(join(unfinished, "sizes.json"), JSON.stringify(sizes));
    await rename(unfinished, folder);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

const storage = (folder: string, ...rest: string[]) => join(folder, "docker/registry/v2", ...rest);
const hexOf = (digest: string) => digest.slice("sha256:".length);

function blobPath(folder: string, digest: string): string {
  const hex = hexOf(digest);
  return storage(folder, "blobs/sha256", hex.slice(0, 2), hex, "data");
}

async function addLayer(folder: string, seed: string, archive: Iterable<Buffer>): Promise<Layer> {
  const temporary = join(folder, `${seed}.tmp`);
  const layer = await writeLayer(temporary, archive);
  const path = blobPath(folder, layer.digest);
  await mkdir(dirname(path), { recursive: true });
  await rename(temporary, path);
  return layer;
}

async function write(path: string, content: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}

async function addBlob(folder: string, content: string): Promise<{ digest: string; size: number }> {
  const digest = `sha256:${createHash("sha256").update(content).digest("hex")}`;
  await write(blobPath(folder, digest), content);
  return { digest, size: Buffer.byteLength(content) };
}

/** Config and manifest of one image, tagged `1`. Returns its compressed size in bytes. */
async function addImage(folder: string, repository: string, layers: readonly Layer[]): Promise<number> {
  const config = await addBlob(
    folder,
    JSON.stringify({
      architecture: process.arch === "arm64" ? "arm64" : "amd64",
      os: "linux",
      config: { Entrypoint: ["/pause"] },
      rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
    }),
  );
  const manifest = await addBlob(
    folder,
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: { mediaType: "application/vnd.docker.container.image.v1+json", ...config },
      layers: layers.map(({ digest, size }) => ({
        mediaType: "application/vnd.docker.image.rootfs.diff.tar.gzip",
        digest,
        size,
      })),
    }),
  );
  const at = (...rest: string[]) => storage(folder, "repositories", repository, ...rest);
  for (const { digest } of [config, ...layers]) await write(at("_layers/sha256", hexOf(digest), "link"), digest);
  const revision = hexOf(manifest.digest);
  await write(at("_manifests/revisions/sha256", revision, "link"), manifest.digest);
  await write(at("_manifests/tags/1/current/link"), manifest.digest);
  await write(at("_manifests/tags/1/index/sha256", revision, "link"), manifest.digest);
  return manifest.size + config.size + layers.reduce((sum, { size }) => sum + size, 0);
}

/** Reads every blob once, so that the registry serves from memory and its own disk plays no part. */
export async function warm({ folder }: BuiltImages): Promise<void> {
  await run("sh", "-c", `find "$1" -name data -exec cat {} + > /dev/null`, "warm", storage(folder, "blobs"));
}
