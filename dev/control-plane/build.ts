/**
 * Builds the control plane's programs from the Go module beside this file, into a cache outside git.
 * `npm run control-plane:build` does only that; every program that needs a control plane does it, too.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { buildOnce, cacheFolder, hasGo } from "../go-build.ts";

const source = join(import.meta.dirname, "go");
/** The version of go.mod, without a name in the environment. */
export const DEFAULT_VERSION = "1.36";
const BINARY = "paceline-control-plane";
/** The names by which the one binary is called (`programs` in main.go). */
const NAMES = ["etcd", "kube-apiserver", "kube-scheduler", "kube-controller-manager", "kubectl"];

/** Every Kubernetes version that can be built, lowest first: `1.34`, from `go.1.34.mod`, and that of go.mod. */
export function versions(): string[] {
  const named = readdirSync(source).flatMap((file) => /^go\.(\d+\.\d+)\.mod$/.exec(file)?.slice(1) ?? []);
  return [...named, DEFAULT_VERSION].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
}

/** The version that `PACELINE_KUBERNETES` names, or the default. @throws when it cannot be built */
export function wantedVersion(env: NodeJS.ProcessEnv): string {
  const wanted = env["PACELINE_KUBERNETES"] || DEFAULT_VERSION;
  if (versions().includes(wanted)) return wanted;
  throw new Error(`PACELINE_KUBERNETES is ${wanted}; there is ${versions().join(", ")}`);
}

/**
 * The folder with the built programs; builds them when the cache does not hold them, and says so on stderr.
 * `PACELINE_CACHE` moves the cache from `~/.cache/paceline`; `PACELINE_KUBERNETES=1.34` builds that version.
 * @throws when there is no such version, no Go tool chain, or the build fails (with the compiler's last lines).
 */
export async function buildBinaries(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const version = wantedVersion(env);
  const mod = modFile(version);
  const folder = join(cacheFolder(env), "control-plane", sourceHash(mod));
  if (!existsSync(folder)) requireGo(env);
  await buildOnce(folder, env, async (unfinished, runGo) => {
    await runGo({
      name: `building the control plane of Kubernetes ${version}`,
      detail: `${NAMES.join(", ")}; once, 5 to 10 minutes on 2 cores`,
      module: { folder: source, main: "." },
      env: { GOFLAGS: `${env["GOFLAGS"] ?? ""} -modfile=${mod}`.trim() },
      args: [
        "build",
        "-v",
        "-trimpath",
        "-buildvcs=false",
        `-ldflags=${versionFlags(version)}`,
        "-o",
        join(unfinished, BINARY),
      ],
    });
    for (const name of NAMES) await symlink(BINARY, join(unfinished, name));
  });
  return folder;
}

function modFile(version: string): string {
  return version === DEFAULT_VERSION ? "go.mod" : `go.${version}.mod`;
}

/** The release that is built for a version: `v1.34.4`. @throws when the module names none */
export function kubernetesOf(version: string): string {
  const file = join(source, modFile(version));
  const [, release] = /k8s\.io\/kubernetes (v\d+\.\d+\.\d+)/.exec(readFileSync(file, "utf8")) ?? [];
  if (release === undefined) throw new Error(`${file} requires no k8s.io/kubernetes`);
  return release;
}

function sourceHash(mod: string): string {
  const hash = createHash("sha256");
  for (const name of ["main.go", mod, mod.replace(/mod$/, "sum")]) hash.update(readFileSync(join(source, name)));
  return hash.digest("hex").slice(0, 16);
}

function requireGo(env: NodeJS.ProcessEnv): void {
  if (hasGo(env)) return;
  throw new Error(
    "no control plane here: it needs either Go (1.26 or later, to build it once, 5 to 10 minutes on 2 cores) on PATH, " +
      "or etcd, kube-apiserver, kube-scheduler and kube-controller-manager (1.36) on PATH or in the folder that " +
      "KUBEBUILDER_ASSETS names. Without it the unit tests (`npm run test:unit`), `paceline simulate` and " +
      "`paceline diagnose` work; demo, cluster tests and benchmarks do not.",
  );
}

/** The programs report their version, and clients decide by it. */
function versionFlags(version: string): string {
  const release = kubernetesOf(version);
  const [major = "", minor = ""] = release.slice(1).split(".");
  const set = (key: string, value: string) => `-X k8s.io/component-base/version.${key}=${value}`;
  return [
    "-s -w",
    set("gitVersion", release),
    set("gitMajor", major),
    set("gitMinor", minor),
    set("gitCommit", "none"),
    set("gitTreeState", "clean"),
  ].join(" ");
}

if (import.meta.main) process.stdout.write(`${await buildBinaries()}\n`);
