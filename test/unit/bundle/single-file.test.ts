/** The program as one executable file: it runs with nothing beside it. */
import { mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { singleExecutable } from "../../../dev/bundle/sea.ts";
import { version } from "../../../src/api/version.ts";
import { writeCliInputs } from "../../support/cli-inputs.ts";
import { runProgram } from "../../support/run-program.ts";

const MAIN = join(import.meta.dirname, "../../../src/cli/main.ts");
let folder: string;
let executable: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "paceline-single-"));
  executable = await singleExecutable(join(folder, "program"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const single = (words: readonly string[], name = executable) =>
  runProgram(name, words, { cwd: folder, env: { PATH: "" } });

describe("the single executable file", () => {
  it("says its version, without a warning", async () => {
    expect(await single(["--version"])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
  });

  it("diagnoses as the sources do", async () => {
    const { diagnose } = await writeCliInputs(folder);
    expect(await single(diagnose)).toEqual(await runProgram(process.execPath, [MAIN, ...diagnose], { cwd: folder }));
  });

  it("simulates many pods by threads of its own", async () => {
    const { code, stdout } = await single((await writeCliInputs(folder)).simulateByThreads);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ strategies: { paceline: { pods: 2000, unreadyPods: 0 } } });
  });

  it("reads a kubeconfig", async () => {
    const kubeconfig = join(import.meta.dirname, "../chart/nowhere.kubeconfig.yaml");
    const { stderr } = await single(["doctor", "--kubeconfig", kubeconfig]);
    expect(stderr).toMatch(/^paceline: no cluster at https:\/\/127\.0\.0\.1:1: /);
  });

  it("is a plugin of kubectl by another name", async () => {
    const plugin = join(folder, "kubectl-paceline");
    await symlink(executable, plugin);
    expect((await single(["status", "--help"], plugin)).stdout).toContain("Usage: kubectl paceline status [options]");
  });

  it("has the licences beside it: ours, the packages' and Node's", async () => {
    const [ours, theirs] = await Promise.all(
      ["LICENSE", "THIRD-PARTY-NOTICES.txt"].map((name) => readFile(join(folder, "program", name), "utf8")),
    );
    expect(ours).toContain("Apache License");
    expect(theirs).toMatch(/^fastify \S+ \(MIT\)$/m);
    expect(theirs).toContain("Node.js is licensed for use as follows:");
  });
});
