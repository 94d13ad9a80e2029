import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findBinaries } from "../../../../dev/control-plane/binaries.ts";
import { withFileLock } from "../../../../dev/control-plane/file-lock.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "paceline-build-"));
});
afterEach(() => rm(folder, { recursive: true }));

const programs = ["etcd", "kube-apiserver", "kube-scheduler", "kube-controller-manager"];
async function provide(names: readonly string[]): Promise<void> {
  for (const name of names) {
    await writeFile(join(folder, name), "#!/bin/sh\n");
    await chmod(join(folder, name), 0o755);
  }
}

test("KUBEBUILDER_ASSETS is used when it is complete", async () => {
  await provide(programs);
  expect(await findBinaries({ KUBEBUILDER_ASSETS: folder, PATH: "" })).toEqual({
    etcd: join(folder, "etcd"),
    "kube-apiserver": join(folder, "kube-apiserver"),
    "kube-scheduler": join(folder, "kube-scheduler"),
    "kube-controller-manager": join(folder, "kube-controller-manager"),
  });
});

test("an incomplete KUBEBUILDER_ASSETS is an error that names the missing programs", async () => {
  await provide(["etcd", "kube-apiserver"]);
  await expect(findBinaries({ KUBEBUILDER_ASSETS: folder, PATH: "" })).rejects.toThrow(
    "lacks kube-scheduler, kube-controller-manager",
  );
});

test("PATH is used if it has all four, with kubectl if there is one", async () => {
  await provide([...programs, "kubectl"]);
  expect(await findBinaries({ PATH: folder })).toMatchObject({ kubectl: join(folder, "kubectl") });
});

test("with neither programs nor Go, the error says what to install and what works without", async () => {
  const missing = findBinaries({ PATH: folder, PACELINE_CACHE: folder });
  await expect(missing).rejects.toThrow(/Go.*KUBEBUILDER_ASSETS.*paceline simulate/s);
});

test("two processes that want the same lock take turns, and the lock of a dead owner does not count", async () => {
  const lock = join(folder, "lock");
  const impossiblePid = 2 ** 22 + 1; // beyond Linux' highest process id
  await writeFile(lock, String(impossiblePid));
  let inside = 0;
  let most = 0;
  const work = async () => {
    most = Math.max(most, ++inside);
    await new Promise((resolve) => setImmediate(resolve));
    inside--;
  };
  await Promise.all([withFileLock(lock, work), withFileLock(lock, work), withFileLock(lock, work)]);
  expect(most).toBe(1);
});
