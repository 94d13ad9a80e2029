/**
 * Builds the control plane's programs from the Go module beside this file, into a cache outside git.
 * `npm run control-plane:build` does only that; every program that needs a control plane does it, too.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, rename, rm, symlink } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { withFileLock } from "./file-lock.ts";

const source = join(import.meta.dirname, "go");
const SOURCES = ["main.go", "go.mod", "go.sum"];
const BINARY = "paceline-control-plane";
/** The names by which the one binary is called (`programs` in main.go). */
const NAMES = ["etcd", "kube-apiserver", "kube-scheduler", "kube-controller-manager", "kubectl"];

/**
 * The folder with the built programs; builds them when the cache does not hold them. Two processes that want the same
 * build wait for each other and build once. `PACELINE_CACHE` moves the cache from `~/.cache/paceline`.
 * @throws when there is no Go tool chain, or the build fails (with the compiler's last lines).
 */
export async function buildBinaries(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const cache = join(env["PACELINE_CACHE"] ?? join(homedir(), ".cache", "paceline"), "control-plane");
  const folder = join(cache, sourceHash());
  if (existsSync(folder)) return folder;
  requireGo(env);
  await mkdir(cache, { recursive: true });
  await withFileLock(`${folder}.lock`, async () => {
    if (!existsSync(folder)) await buildInto(folder, env);
  });
  return folder;
}

function sourceHash(): string {
  const hash = createHash("sha256");
  for (const name of SOURCES) hash.update(readFileSync(join(source, name)));
  return hash.digest("hex").slice(0, 16);
}

function requireGo(env: NodeJS.ProcessEnv): void {
  if (spawnSync("go", ["version"], { env }).status === 0) return;
  throw new Error(
    "no control plane here: it needs either Go (1.26 or later, to build it once, about 5 minutes on 2 cores) on PATH, " +
      "or etcd, kube-apiserver, kube-scheduler and kube-controller-manager (1.36) on PATH or in the folder that " +
      "KUBEBUILDER_ASSETS names. Without it the unit tests (npx vitest run --project unit), `paceline simulate` and " +
      "`paceline diagnose` work; demo, cluster tests and benchmarks do not.",
  );
}

/** Builds beside the final folder and renames, so that a folder in the cache is always complete. */
async function buildInto(folder: string, env: NodeJS.ProcessEnv): Promise<void> {
  const unfinished = `${folder}.${process.pid}.unfinished`;
  await mkdir(unfinished, { recursive: true });
  try {
    await goBuild(join(unfinished, BINARY), env);
    for (const name of NAMES) await symlink(BINARY, join(unfinished, name));
    await rename(unfinished, folder);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

/** Flags with the version of Kubernetes in go.mod. The programs report it, and clients depend on it. */
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

async function goBuild(output: string, env: NodeJS.ProcessEnv): Promise<void> {
  const args = ["build", "-v", "-trimpath", "-buildvcs=false", `-ldflags=${versionFlags()}`, "-o", output, "."];
  const go = spawn("go", args, {
    cwd: source,
    env: { ...env, CGO_ENABLED: "0", GOWORK: "off" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = once(go, "close");
  const stopWithUs = () => void go.kill();
  process.once("exit", stopWithUs);
  const lastLines: string[] = [];
  const progress = startProgress();
  for await (const line of createInterface(go.stderr)) {
    lastLines.push(line);
    if (lastLines.length > 20) lastLines.shift();
    progress.built(line);
  }
  const [code] = (await ended) as [number | null];
  process.off("exit", stopWithUs);
  progress.end();
  if (code !== 0) throw new Error(`go build of ${source} failed; its last lines:\n${lastLines.join("\n")}`);
}

/** One line that overwrites itself. On a terminal only: in a file it would fill the log. */
function startProgress(): { built(packageName: string): void; end(): void } {
  if (!process.stderr.isTTY) return { built: () => undefined, end: () => undefined };
  const startMs = performance.now();
  let packages = 0;
  const show = (text: string) => process.stderr.write(`\r\x1b[2K${text}`);
  show("building the control plane (once, about 5 minutes) …");
  return {
    built: (packageName) => {
      packages++;
      const seconds = Math.round((performance.now() - startMs) / 1000);
      show(`building the control plane: ${seconds} s, ${packages} packages, ${packageName}`.slice(0, 118));
    },
    end: () => void show(""),
  };
}

if (import.meta.main) process.stdout.write(`${await buildBinaries()}\n`);
