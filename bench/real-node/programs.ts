/** Builds kubelet and pause program from the Go module beside this file, once, into the cache. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { buildOnce } from "../../dev/go-build.ts";
import { cacheFolder } from "./host.ts";

const source = join(import.meta.dirname, "kubelet");
const SOURCES = ["main.go", "pause/main.go", "go.mod", "go.sum"];
/** The two programs, and the packages that they are built from. */
const PACKAGES = [
  ["kubelet", "."],
  ["pause", "./pause"],
] as const;

export interface Programs {
  readonly kubelet: string;
  readonly pause: string;
}

/** @throws when Go is missing or the build fails, with the compiler's words. */
export async function buildPrograms(env: NodeJS.ProcessEnv = process.env): Promise<Programs> {
  const hash = createHash("sha256");
  for (const name of SOURCES) hash.update(readFileSync(join(source, name)));
  const folder = join(cacheFolder(env), `programs-${hash.digest("hex").slice(0, 16)}`);
  await buildOnce(folder, env, async (unfinished, runGo) => {
    for (const [index, [name, main]] of PACKAGES.entries()) {
      await runGo({
        name: `building the ${name} (${index + 1} of ${PACKAGES.length})`,
        detail: "once; minutes when Go's build cache is cold",
        module: { folder: source, main },
        args: ["build", "-v", "-trimpath", "-buildvcs=false", `-ldflags=${versionFlags()}`, "-o", join(unfinished, name), main], // prettier-ignore
      });
    }
  });
  return { kubelet: join(folder, "kubelet"), pause: join(folder, "pause") };
}

/** The kubelet reports this version; API server and scheduler compare it with theirs. */
function versionFlags(): string {
  const version = /k8s\.io\/kubernetes (v(\d+)\.(\d+)\.\d+)/.exec(readFileSync(join(source, "go.mod"), "utf8"));
  const [, full = "", major = "", minor = ""] = version ?? [];
  const set = (key: string, value: string) => `-X k8s.io/component-base/version.${key}=${value}`;
  return ["-s -w", set("gitVersion", full), set("gitMajor", major), set("gitMinor", minor)].join(" ");
}
