/**
 * The content of the image, without a container engine: the commands run from it, and it contains no development files.
 */
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { assembleImage } from "../../../dev/chart/image-files.ts";
import { sbom } from "../../../dev/chart/sbom.ts";

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, "../../..");
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "paceline-image-"));
  await assembleImage(folder);
}, 120_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("the image", () => {
  it("contains the bundle and the licences, and no packages, sources or tests", async () => {
    const files = await readdir(folder, { recursive: true, withFileTypes: true });
    const paths = files
      .filter((file) => file.isFile())
      .map((file) => relative(folder, join(file.parentPath, file.name)));
    expect(paths.filter((path) => !/^dist\/chunks\/[\w-]+\.mjs$/.test(path)).sort()).toEqual(
      ["LICENSE", "dist/THIRD-PARTY-NOTICES.txt", "dist/main.mjs", "dist/run-thread.mjs"].sort(),
    );
  });

  it.each([["serve"], ["release"], ["simulate"], ["diagnose"]])("runs `paceline %s`", async (command) => {
    const main = join(folder, "dist/main.mjs");
    const { stdout } = await run(process.execPath, [main, command, "--help"], { cwd: folder, env: { PATH: "" } });
    expect(stdout).toContain("Usage");
  });

  it("serves", async () => {
    const main = join(folder, "dist/main.mjs");
    const kubeconfig = join(import.meta.dirname, "nowhere.kubeconfig.yaml");
    const words = [main, "serve", "--kubeconfig", kubeconfig, "--host", "127.0.0.1", "--port", "0"];
    const child = execFile(process.execPath, words, { cwd: folder, env: { PATH: "" } });
    const url = await new Promise<string>((resolve, reject) => {
      let text = "";
      child.stdout?.on("data", (chunk: string) => {
        text += chunk;
        const found = /"url":"([^"]+)"[^\n]*"listening"/.exec(text);
        if (found?.[1] !== undefined) resolve(found[1]);
      });
      child.on("exit", () => reject(new Error(`it ended: ${text}`)));
    });
    const [alive, ready] = await Promise.all([fetch(`${url}/healthz`), fetch(`${url}/readyz`)]);
    expect([alive.status, ready.status]).toEqual([200, 503]);
    child.kill("SIGTERM");
  });
});

it("its base has the Node version that the tests run on", async () => {
  const dockerfile = await readFile(join(ROOT, "Dockerfile"), "utf8");
  const lock = JSON.parse(await readFile(join(ROOT, "package-lock.json"), "utf8")) as {
    packages: Record<string, { version: string }>;
  };
  expect(dockerfile).toContain(`ARG NODE_IMAGE=node:${lock.packages["node_modules/node"]?.version ?? ""}-slim`);
});

it("npm run sbom lists the packages whose code is in the image, each with its own, and no others", async () => {
  const { bomFormat, components, dependencies } = JSON.parse(await sbom()) as {
    bomFormat: string;
    components: { name: string; scope: string }[];
    dependencies: { ref: string; dependsOn: string[] }[];
  };
  const names = components.map(({ name }) => name);
  expect(bomFormat).toBe("CycloneDX");
  expect(names).toContain("fastify");
  expect(names).not.toContain("vitest");
  expect(new Set(components.map(({ scope }) => scope))).toEqual(new Set(["required"]));
  const fastify = dependencies.find(({ ref }) => ref.startsWith("fastify@"));
  expect(fastify?.dependsOn.map((ref) => ref.slice(0, ref.lastIndexOf("@")))).toContain("find-my-way");
  expect(dependencies).toHaveLength(components.length + 1);
});
