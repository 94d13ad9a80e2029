/**
 * The extender in Go that decides nothing (no-op/main.go): built once into the cache, run on the terms of Paceline's.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Agent, request } from "undici";
import { untilReady } from "../../dev/control-plane/child.ts";
import type { ControlPlane } from "../../dev/control-plane/control-plane.ts";
import { freePort } from "../../dev/control-plane/ports.ts";
import { buildOnce, cacheFolder } from "../../dev/go-build.ts";
import { issueServerCertificate } from "../../src/certificates/certificates.ts";

const source = join(import.meta.dirname, "no-op");
const READY_WITHIN_MS = 10_000;

/** Path of the program. @throws with the compiler's output when it cannot be built */
export async function buildNoOp(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const hash = createHash("sha256");
  for (const name of ["main.go", "go.mod"]) hash.update(readFileSync(join(source, name)));
  const folder = join(cacheFolder(env), `no-op-extender-${hash.digest("hex").slice(0, 16)}`);
  await buildOnce(folder, env, (unfinished, runGo) =>
    runGo({
      name: "building the extender that decides nothing",
      detail: "once; a minute when Go's build cache is cold",
      module: { folder: source, main: "." },
      args: ["build", "-v", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", join(unfinished, "extender"), "."],
    }),
  );
  return join(folder, "extender");
}

/** Starts it beside a control plane, and it ends with that. @returns its address */
export async function startNoOp(plane: ControlPlane): Promise<string> {
  const { cert, key } = await issueServerCertificate(plane.authority, {
    names: ["127.0.0.1"],
    days: 1,
    nowMs: Date.now(),
  });
  const write = async (name: string, text: string) => {
    const path = join(plane.folder, `no-op.${name}`);
    await writeFile(path, text, { mode: 0o600 });
    return path;
  };
  const port = await freePort();
  const files = [await write("crt", cert), await write("key", key), await write("ca", plane.caCert)];
  const child = await plane.startProgram("no-op", await buildNoOp(), [`127.0.0.1:${port}`, ...files]);
  const url = `https://127.0.0.1:${port}`;
  const agent = new Agent({ connect: { ca: plane.caCert } });
  const answers = async () => {
    try {
      const { statusCode, body } = await request(`${url}/healthz`, { dispatcher: agent });
      await body.dump();
      return statusCode === 200;
    } catch {
      return false;
    }
  };
  await untilReady(child, answers, READY_WITHIN_MS);
  await agent.close();
  return url;
}
