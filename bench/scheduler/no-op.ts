/** The extender in Go that decides nothing (no-op/main.go): built once into the cache, and run like Paceline's. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Agent, request } from "undici";
import { untilReady } from "../../dev/control-plane/child.ts";
import type { ControlPlane } from "../../dev/control-plane/control-plane.ts";
import { freePort } from "../../dev/control-plane/ports.ts";
import { issueServerCertificate } from "../../src/certificates/certificates.ts";

const source = join(import.meta.dirname, "no-op");
const READY_WITHIN_MS = 10_000;

/** Path of the program. @throws with the compiler's output when it cannot be built */
export async function buildNoOp(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const hash = createHash("sha256");
  for (const name of ["main.go", "go.mod"]) hash.update(readFileSync(join(source, name)));
  const folder = join(env["PACELINE_CACHE"] ?? join(homedir(), ".cache", "paceline"), "no-op-extender");
  const program = join(folder, hash.digest("hex").slice(0, 16));
  if (existsSync(program)) return program;
  await mkdir(folder, { recursive: true });
  const unfinished = `${program}.${process.pid}.unfinished`;
  try {
    const args = ["build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", unfinished, "."];
    await promisify(execFile)("go", args, { cwd: source, env: { ...env, CGO_ENABLED: "0", GOWORK: "off" } });
    await rename(unfinished, program);
  } finally {
    await rm(unfinished, { force: true });
  }
  return program;
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
