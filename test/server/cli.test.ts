/** The command line as a process of its own: exit codes and signals. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { version } from "../../src/api/version.ts";
import { recorded } from "../support/app.ts";

const MAIN = join(import.meta.dirname, "../../src/cli/main.ts");
let folder: string;
let kubeconfig: string;

/** A kubeconfig for an API server that does not exist. */
async function writeKubeconfig(port: number): Promise<string> {
  const file = join(folder, `kubeconfig-${port}.yaml`);
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "c", cluster: { server: `http://127.0.0.1:${port}` } }],
    users: [{ name: "u", user: { token: "t" } }],
    contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
    "current-context": "x",
  };
  await writeFile(file, JSON.stringify(config));
  return file;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "paceline-cli-"));
  kubeconfig = await writeKubeconfig(1);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function start(...words: readonly string[]) {
  const child = spawn(process.execPath, [MAIN, ...words], { stdio: ["ignore", "pipe", "pipe"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

async function run(...words: readonly string[]) {
  const child = start(...words);
  const exit = once(child, "close") as Promise<[number]>;
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), exit]);
  return { code, stdout, stderr };
}

/** Starts `serve` without a reachable API server. Returns its address once it listens. */
async function serve(...words: readonly string[]) {
  const child = start("serve", "--kubeconfig", kubeconfig, "--host", "127.0.0.1", "--port", "0", ...words);
  for await (const line of createInterface(child.stdout)) {
    const { msg, url } = JSON.parse(line) as { msg: string; url?: string };
    if (msg === "listening" && url !== undefined) return { child, url };
  }
  throw new Error(`serve ended before it listened: ${await text(child.stderr)}`);
}

describe("paceline", () => {
  it("--version and --help exit 0", async () => {
    const [asked, help, command] = await Promise.all([run("--version"), run("--help"), run("serve", "--help")]);
    expect(asked).toMatchObject({ code: 0, stdout: `${version}\n` });
    expect(help).toMatchObject({ code: 0, stdout: expect.stringContaining("serve") as string });
    expect(command).toMatchObject({ code: 0, stdout: expect.stringContaining("--cert-file") as string });
  });

  it.each([
    ["no command", [], "Usage"],
    ["an unknown command", ["sreve"], "sreve"],
    ["an unknown flag", ["serve", "--prot", "1"], "--prot"],
    ["a port that is none", ["serve", "--port", "70000"], "65535"],
    ["a certificate without its key", ["serve", "--cert-file", "a.crt"], "--key-file"],
    ["a kubeconfig that is not there", ["serve", "--kubeconfig", "/nowhere"], "/nowhere"],
  ])("wrong usage ends 2 and says what is wrong: %s", async (_name, words, saying) => {
    const { code, stderr } = await run(...words);
    expect(code).toBe(2);
    expect(stderr).toContain(saying);
  });

  it("an unusable policy file exits 2 with every error", async () => {
    const file = join(folder, "policy.yaml");
    await writeFile(file, "apiVersion: paceline.dev/v1alpha1\nkind: PacingPolicy\nmode: fast\nmaxHoldSeconds: 9000\n");
    const { code, stderr } = await run("serve", "--kubeconfig", kubeconfig, "--policy", file);
    expect(code).toBe(2);
    expect(stderr).toMatch(/mode[^]*maxHoldSeconds/);
  });

  it("a port in use exits 1 and is named", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    onTestFinished(() => void server.close());
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    const { code, stderr } = await run(
      "serve",
      "--kubeconfig",
      kubeconfig,
      "--host",
      "127.0.0.1",
      "--port",
      String(port),
    );
    expect(code).toBe(1);
    expect(stderr).toContain(String(port));
  });
});

describe("paceline serve without an API server", () => {
  it("listens, is alive, not ready, and lets every pod through", async () => {
    const { url } = await serve();
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    const ready = await fetch(`${url}/readyz`);
    expect([ready.status, await ready.json()]).toEqual([503, { ready: false, missing: expect.any(Array) as string[] }]);
    const answer = await fetch(`${url}/mutate/pods`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(recorded("review-pod-daemonset")),
    });
    const { response } = (await answer.json()) as { response: { allowed: boolean; patch?: string } };
    expect(response.allowed).toBe(true);
    expect(response.patch).toBeUndefined();
  });

  it.each(["SIGTERM", "SIGINT"] as const)("exits 0 on %s", async (signal) => {
    const { child } = await serve();
    const exit = once(child, "exit");
    child.kill(signal);
    expect(await exit).toEqual([0, null]);
  });

  it("ends soon although the API server hangs", async () => {
    const hung = createServer().listen(0, "127.0.0.1");
    const sockets = new Set<Socket>();
    hung.on("connection", (socket) => sockets.add(socket));
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
      hung.close();
    });
    await once(hung, "listening");
    const { child } = await serve("--kubeconfig", await writeKubeconfig((hung.address() as { port: number }).port));
    const exit = once(child, "exit");
    child.kill("SIGTERM");
    expect(await exit).toEqual([0, null]);
  }, 15_000);
});
