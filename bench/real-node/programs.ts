/** Builds kubelet and pause program from the Go module beside this file, once, into the cache. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { cacheFolder } from "./host.ts";

const source = join(import.meta.dirname, "kubelet");
const SOURCES = ["main.go", "pause/main.go", "go.mod", "go.sum"];

export interface Programs {
  readonly kubelet: string;
  readonly pause: string;
}

/** @throws when Go is missing, or with the compiler's output when the build fails */
export async function buildPrograms(say: (line: string) => void): Promise<Programs> {
  const hash = createHash("sha256");
  for (const name of SOURCES) hash.update(readFileSync(join(source, name)));
  const folder = join(cacheFolder(), `programs-${hash.digest("hex").slice(0, 16)}`);
  if (!existsSync(folder)) {
    say("building the kubelet (once; minutes when Go's build cache is cold)");
    await buildInto(folder);
  }
  return { kubelet: join(folder, "kubelet"), pause: join(folder, "pause") };
}

async function buildInto(folder: string): Promise<void> {
  const unfinished = `${folder}.${process.pid}.unfinished`;
  await mkdir(unfinished, { recursive: true });
  try {
    await goBuild(join(unfinished, "kubelet"), ".");
    await goBuild(join(unfinished, "pause"), "./pause");
    await rename(unfinished, folder);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

/** The kubelet reports this version; API server and scheduler compare it with theirs. */
function versionFlags(): string {
  const version = /k8s\.io\/kubernetes (v(\d+)\.(\d+)\.\d+)/.exec(readFileSync(join(source, "go.mod"), "utf8"));
  const [, full = "", major = "", minor = ""] = version ?? [];
  const set = (key: string, value: string) => `-X k8s.io/component-base/version.${key}=${value}`;
  return ["-s -w", set("gitVersion", full), set("gitMajor", major), set("gitMinor", minor)].join(" ");
}

async function goBuild(output: string, what: string): Promise<void> {
  const args = ["build", "-trimpath", "-buildvcs=false", `-ldflags=${versionFlags()}`, "-o", output, what];
  const env = { ...process.env, CGO_ENABLED: "0", GOWORK: "off" };
  await promisify(execFile)("go", args, { cwd: source, env, maxBuffer: 16 * 1024 ** 2 });
}
