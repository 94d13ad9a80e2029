/**
 * Builds the control plane's programs from the Go module beside this file, into a cache outside git.
 * `npm run control-plane:build` does only that; every program that needs a control plane does it, too.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { buildOnce, cacheFolder, hasGo } from "../go-build.ts";

const source = join(import.meta.dirname, "go");
const SOURCES = ["main.go", "go.mod", "go.sum"];
const BINARY = "paceline-control-plane";
/** The names by which the one binary is called (`programs` in main.go). */
const NAMES = ["etcd", "kube-apiserver", "kube-scheduler", "kube-controller-manager", "kubectl"];

/**
 * The folder with the built programs; builds them when the cache does not hold them, and says so on stderr.
 * `PACELINE_CACHE` moves the cache from `~/.cache/paceline`.
 * @throws when there is no Go tool chain, or the build fails (with the compiler's last lines).
 */
export async function buildBinaries(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const folder = join(cacheFolder(env), "control-plane", sourceHash());
  if (!existsSync(folder)) requireGo(env);
  await buildOnce(folder, env, async (unfinished, runGo) => {
    await runGo({
      name: "building the control plane",
      detail: `${NAMES.join(", ")}; once, 5 to 10 minutes on 2 cores`,
      module: { folder: source, main: "." },
      args: [
        "build",
        "-v",
        "-trimpath",
        "-buildvcs=false",
        `-ldflags=${versionFlags()}`,
        "-o",
        join(unfinished, BINARY),
      ],
    });
    for (const name of NAMES) await symlink(BINARY, join(unfinished, name));
  });
  return folder;
}

function sourceHash(): string {
  const hash = createHash("sha256");
  for (const name of SOURCES) hash.update(readFileSync(join(source, name)));
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

/** Version of kubernetes as go.mod has it; the programs report it, and clients decide by it. */
function versionFlags(): string {
  const version = /k8s\.io\/kubernetes v(\d+)\.(\d+)\.\d+/.exec(readFileSync(join(source, "go.mod"), "utf8"));
  if (version === null) throw new Error(`${join(source, "go.mod")} requires no k8s.io/kubernetes`);
  const [full, major, minor] = version;
  const set = (key: string, value: string) => `-X k8s.io/component-base/version.${key}=${value}`;
  return [
    "-s -w",
    set("gitVersion", full.replace("k8s.io/kubernetes ", "")),
    set("gitMajor", major ?? ""),
    set("gitMinor", minor ?? ""),
    set("gitCommit", "none"),
    set("gitTreeState", "clean"),
  ].join(" ");
}

if (import.meta.main) process.stdout.write(`${await buildBinaries()}\n`);
