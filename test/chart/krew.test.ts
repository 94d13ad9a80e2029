/** `kubectl paceline` by krew: a real krew takes the manifest, checks the archive against it, and links the plugin. */
import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { parse } from "yaml";
import { type Archive, krewManifest, MANIFEST, packRelease } from "../../dev/bundle/krew.ts";
import { ownPlatform, PLATFORMS } from "../../dev/bundle/node-package.ts";
import { findTool } from "../../dev/go-tools.ts";
import { version } from "../../src/api/version.ts";

const run = promisify(execFile);
let folder: string;
let archive: Archive;
let packed: readonly string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "paceline-krew-"));
  await writeFile(join(folder, "own.txt"), "was there before");
  const archives = await packRelease(folder, [ownPlatform()]);
  archive = archives[0] as Archive;
  packed = await readdir(folder);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Krew's answer to a manifest that has this sum for the archive of each platform. */
async function install(sha256: string) {
  const manifest = join(folder, MANIFEST);
  await writeFile(manifest, krewManifest(PLATFORMS.map((platform) => ({ ...archive, platform, sha256 }))));
  const words = ["install", `--manifest=${manifest}`, `--archive=${join(folder, archive.file)}`];
  return await run(await findTool("krew"), words, { env: { KREW_ROOT: join(folder, "krew"), HOME: folder, PATH: "" } });
}

it("what the given folder has already stays there, beside the archive and the manifest", () => {
  expect([...packed].sort()).toEqual([archive.file, MANIFEST, "own.txt"].sort());
});

it("krew installs no other archive than the manifest's", async () => {
  await expect(install("0".repeat(64))).rejects.toThrow(/checksum does not match/);
});

it("krew installs the plugin, and it knows itself as `kubectl paceline`", async () => {
  await install(archive.sha256);
  const plugin = join(folder, "krew/bin/kubectl-paceline");
  expect((await run(plugin, ["--version"])).stdout).toBe(`${version}\n`);
  expect((await run(plugin, ["status", "--help"])).stdout).toContain("Usage: kubectl paceline status [options]");
});

it("each platform's archive is one of this version's release, and krew knows the platform by Go's names", () => {
  const archives = PLATFORMS.map((platform) => ({ platform, file: `${platform}.tar.gz`, sha256: platform }));
  const { spec } = parse(krewManifest(archives)) as { spec: { version: string; platforms: unknown } };
  const base = `https://github.com/paceline/paceline/releases/download/v${version}`;
  const of = (arch: string, platform: string) => ({
    ...{ selector: { matchLabels: { os: "linux", arch } }, uri: `${base}/${platform}.tar.gz` },
    ...{ sha256: platform, bin: "paceline" },
  });
  expect(spec.version).toBe(`v${version}`);
  expect(spec.platforms).toEqual([of("amd64", "linux-x64"), of("arm64", "linux-arm64")]);
});
