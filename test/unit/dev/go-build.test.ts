/** Builds of Go programs, with a shell script as `go`: their output, the files they leave, and parallel builds. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test } from "vitest";
import { eventually, processesMentioning } from "../../support/control-plane.ts";

const BUILD = join(import.meta.dirname, "../../../dev/control-plane/build.ts");

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "paceline-go-"));
});
afterEach(() => rm(folder, { recursive: true }));

/**
 * Runs the build of the control plane with a `go` whose `build` does what `script` says; `$out` is the file to make.
 */
async function build(script: string): Promise<ChildProcess> {
  const outFile = 'while [ "$1" != -o ]; do shift; done; out=$2';
  const list = 'echo "go: downloading example/a v1" >&2; echo example/a; echo example/main';
  const cases = `version) exit 0 ;; list) ${list} ;; build) ${outFile}; ${script} ;;`;
  await writeFile(join(folder, "go"), `#!/bin/sh\ncase "$1" in ${cases} esac\n`);
  await chmod(join(folder, "go"), 0o755);
  const env = { ...process.env, PATH: `${folder}:${process.env["PATH"] ?? ""}`, PACELINE_CACHE: join(folder, "cache") };
  return spawn(process.execPath, [BUILD], { env, stdio: ["ignore", "pipe", "pipe"] });
}

async function outcome({ stdout, stderr }: ChildProcess) {
  if (stdout === null || stderr === null) throw new Error("the child has no output");
  const [printed, said] = await Promise.all([text(stdout), text(stderr)]);
  return { printed: printed.trim(), said };
}

/** The files in the cache. */
const left = () => readdir(join(folder, "cache/control-plane")).catch(() => []);

test("without a terminal its name is printed at once, and only a complete folder is left", async () => {
  const { printed, said } = await outcome(await build('echo example/a >&2; echo "in $GOTMPDIR" > "$out"'));
  expect(said).toMatch(/^building the control plane of Kubernetes 1\.36: etcd, kube-apiserver, .*5 to 10 minutes/);
  expect((await readdir(printed)).sort()).toEqual(
    ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "paceline-control-plane"].sort(),
  );
  // Go's own work folder is inside the unfinished one, so that both are removed together.
  expect(await readFile(join(printed, "etcd"), "utf8")).toContain(`in ${printed}.`);
  expect(await left()).toEqual([printed.split("/").at(-1)]);
});

test("a failed build prints the compiler's last lines and leaves nothing", async () => {
  const { said } = await outcome(await build('echo "example/a/a.go:1: no such thing" >&2; exit 1'));
  expect(said).toContain("example/a/a.go:1: no such thing");
  expect(await left()).toEqual([]);
});

test.each(["SIGINT", "SIGTERM", "SIGKILL"] as const)("%s leaves neither a compiler nor a file", async (signal) => {
  const marker = join(folder, "running");
  // Two processes, because a compiler is a child of `go`.
  const child = await build(`sh -c 'touch "${marker}"; sleep 1000; : "${marker}"'; :`);
  await eventually("the compiler runs", () => existsSync(marker));
  expect(await left()).toHaveLength(2); // the lock and the unfinished folder
  child.kill(signal);
  expect(await once(child, "exit")).toEqual([null, signal]);
  await eventually("its processes are gone", () => processesMentioning(marker).length === 0);
  await eventually("its files are gone", async () => (await left()).length === 0);
});

test("two processes that want the same build wait for each other and build once", async () => {
  const count = join(folder, "count");
  const script = `echo x >> "${count}"; sleep 0.2; touch "$out"`;
  const both = await Promise.all([build(script), build(script)]);
  const [one, other] = await Promise.all(both.map(outcome));
  expect(one?.printed).toBe(other?.printed);
  expect(await readFile(count, "utf8")).toBe("x\n");
});
