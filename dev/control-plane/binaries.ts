/** Finds the control plane's programs: where the user says, on PATH, or built from source (build.ts). */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { buildBinaries } from "./build.ts";

const REQUIRED = ["etcd", "kube-apiserver", "kube-scheduler", "kube-controller-manager"] as const;
export type Program = (typeof REQUIRED)[number];

/** Absolute paths of the programs. `kubectl` is for people and tests; it may be missing. */
export type Binaries = Readonly<Record<Program, string>> & { readonly kubectl?: string };

/**
 * Finds the four programs: those of the version `PACELINE_KUBERNETES`, which are built; else in the folder
 * `KUBEBUILDER_ASSETS`, else on `PATH`, else builds them (minutes the first time, then from a cache).
 * @throws when KUBEBUILDER_ASSETS lacks one of them, or when there is neither a program nor a Go tool chain.
 */
export async function findBinaries(env: NodeJS.ProcessEnv = process.env): Promise<Binaries> {
  const assets = env["KUBEBUILDER_ASSETS"];
  const path = (env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  // What is installed may be another version.
  if (env["PACELINE_KUBERNETES"]) return allIn([await buildBinaries(env)], path) ?? neverBuilt();
  if (assets) return fromAssets(assets, path);
  return allIn(path, path) ?? allIn([await buildBinaries(env)], path) ?? neverBuilt();
}

function fromAssets(assets: string, path: readonly string[]): Binaries {
  const found = allIn([assets], path);
  if (found) return found;
  const missing = REQUIRED.filter((name) => executableIn([assets], name) === undefined);
  throw new Error(
    `KUBEBUILDER_ASSETS is ${assets}, which lacks ${missing.join(", ")}. ` +
      "Put them there, or unset it to use PATH or to build from source.",
  );
}

function allIn(folders: readonly string[], path: readonly string[]): Binaries | undefined {
  const [etcd, apiServer, scheduler, controllerManager] = REQUIRED.map((name) => executableIn(folders, name));
  if (!etcd || !apiServer || !scheduler || !controllerManager) return undefined;
  const kubectl = executableIn([...folders, ...path], "kubectl");
  return {
    etcd,
    "kube-apiserver": apiServer,
    "kube-scheduler": scheduler,
    "kube-controller-manager": controllerManager,
    ...(kubectl === undefined ? {} : { kubectl }),
  };
}

function executableIn(folders: readonly string[], name: string): string | undefined {
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function neverBuilt(): never {
  throw new Error("the build succeeded but left no programs behind: remove the cache folder and try again");
}
