/** HashiCorp's own HCL parser and formatter. Go builds it once, into the cache beside the control plane's programs. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { buildOnce, cacheFolder } from "../../dev/go-build.ts";

const VERSION = "v2.25.0";
const MODULE = `github.com/hashicorp/hcl/v2/cmd/hclfmt@${VERSION}`;

/** Parses and formats. @returns the formatted text @throws with what the parser says */
export async function hclfmt(text: string, env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const folder = join(cacheFolder(env), `hclfmt-${VERSION}`);
  await buildOnce(folder, env, (unfinished, runGo) =>
    runGo({ name: `building hclfmt ${VERSION}`, args: ["install", "-v", MODULE], env: { GOBIN: unfinished } }),
  );
  const { status, stdout, stderr } = spawnSync(join(folder, "hclfmt"), ["-check"], { input: text, encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return stdout;
}
