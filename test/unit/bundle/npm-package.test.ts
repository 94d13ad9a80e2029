/** The npm package: made by `npm pack`, installed into an empty folder, run by each Node that package.json allows. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lockedNodeVersion, nodePackage, ownPlatform } from "../../../dev/bundle/node-package.ts";
import { version } from "../../../src/api/version.ts";
import { writeCliInputs } from "../../support/cli-inputs.ts";
import { type Ended, runProgram } from "../../support/run-program.ts";

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, "../../..");
const OLDEST = "22.19.0";

interface Manifest {
  readonly engines: { readonly node: string };
  readonly dependencies?: object;
}

let folder: string;
let packed: readonly string[];
let inputs: Awaited<ReturnType<typeof writeCliInputs>>;
const nodes = new Map<string, string>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "paceline-npm-"));
  const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", folder], { cwd: ROOT });
  const [made] = JSON.parse(stdout) as { filename: string; files: { path: string }[] }[];
  packed = made?.files.map(({ path }) => path) ?? [];
  await mkdir(join(folder, "empty"));
  await writeFile(join(folder, "empty/package.json"), "{}");
  const flags = ["--offline", "--no-audit", "--no-fund"];
  await run("npm", ["install", ...flags, join(folder, made?.filename ?? "")], { cwd: join(folder, "empty") });
  inputs = await writeCliInputs(folder);
  nodes.set("22", (await nodePackage(OLDEST, ownPlatform())).program);
  nodes.set("24", process.execPath);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The installed program, by this Node, where nothing of the checkout is in reach. */
const installed = (node: string, words: readonly string[], bin = "paceline"): Promise<Ended> => {
  const program = join(folder, "empty/node_modules/.bin", bin);
  return runProgram(nodes.get(node) ?? "", [program, ...words], { cwd: join(folder, "empty"), env: { PATH: "" } });
};
const fromSources = (words: readonly string[]) =>
  runProgram(process.execPath, [join(ROOT, "src/cli/main.ts"), ...words], { cwd: folder });

describe("the npm package", () => {
  it("holds the bundle, the programs and the licences, and nothing else", () => {
    const others = packed.filter((path) => !/^dist\/(chunks\/[\w-]+|main|run-thread)\.mjs$/.test(path));
    const wanted = ["bin/kubectl-paceline.js", "bin/paceline.js", "dist/THIRD-PARTY-NOTICES.txt"];
    expect(others.sort()).toEqual(["LICENSE", "README.md", ...wanted, "package.json"].sort());
  });

  it("needs no other package", async () => {
    const names = await readdir(join(folder, "empty/node_modules"));
    expect(names.filter((name) => !name.startsWith("."))).toEqual(["paceline"]);
  });

  it("is tested with the oldest Node that package.json allows, and with the one of the lock file", async () => {
    const { engines } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as Manifest;
    expect(`${engines.node}.0`).toBe(`>=${OLDEST}`);
    expect(process.version).toBe(`v${await lockedNodeVersion()}`);
  });
});

describe.each(["22", "24"])("the npm package on Node %s", (node) => {
  it("says its version", async () => {
    expect(await installed(node, ["--version"])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
  });

  it.each(["serve", "simulate", "diagnose", "status", "doctor", "release"])("runs %s --help", async (command) => {
    const { code, stdout, stderr } = await installed(node, [command, "--help"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain(`Usage: paceline ${command} [options]`);
  });

  it("is `kubectl paceline` in the help texts, where kubectl runs it", async () => {
    const { stdout } = await installed(node, ["status", "--help"], "kubectl-paceline");
    expect(stdout).toContain("Usage: kubectl paceline status [options]");
  });

  it("diagnoses and simulates as the sources do", async () => {
    const report = join(folder, "report.html");
    for (const words of [inputs.diagnose, inputs.simulate]) {
      await rm(report, { force: true });
      const expected = await fromSources(words);
      const expectedReport = await readFile(report, "utf8").catch(() => "none");
      await rm(report, { force: true });
      expect(await installed(node, words)).toEqual(expected);
      expect(await readFile(report, "utf8").catch(() => "none")).toBe(expectedReport);
      expect(expected.stdout).not.toBe("");
    }
  });

  it("reads a kubeconfig, and says that there is no cluster", async () => {
    const kubeconfig = join(import.meta.dirname, "../chart/nowhere.kubeconfig.yaml");
    const { code, stderr } = await installed(node, ["doctor", "--kubeconfig", kubeconfig]);
    expect(stderr).toMatch(/^paceline: no cluster at https:\/\/127\.0\.0\.1:1: /);
    expect(code).not.toBe(0);
  });
});

it("the npm package simulates many pods by threads, as the sources do", async () => {
  const [program, sources] = [
    await installed("22", inputs.simulateByThreads),
    await fromSources(inputs.simulateByThreads),
  ];
  expect(program.stdout).toBe(sources.stdout);
  expect(program.code).toBe(0);
});
