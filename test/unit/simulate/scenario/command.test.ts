/** The `paceline simulate` command: its output and its exit codes. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { builtinNames } from "../../../../src/simulate/scenario/builtin.ts";

const main = fileURLToPath(new URL("../../../../src/cli/main.ts", import.meta.url));

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

const paceline = (...args: string[]): Promise<Outcome> =>
  new Promise((resolve) => {
    execFile(process.execPath, [main, "simulate", ...args], (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });

let folder: string;
const file = (name: string) => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "paceline-simulate-"));
});
afterAll(() => rm(folder, { recursive: true }));

test("--list prints the built-in names, one per line", async () => {
  expect(await paceline("--list")).toEqual({ code: 0, out: `${builtinNames().join("\n")}\n`, err: "" });
});

test("--json prints the comparison, with every figure of every strategy", async () => {
  const { code, out } = await paceline("--scenario", "issue-1651", "--json");
  expect(code).toBe(0);
  const { scenario, boundSeconds, strategies } = JSON.parse(out) as {
    scenario: string;
    boundSeconds: number;
    strategies: Record<string, Record<string, number>>;
  };
  expect(scenario).toBe("issue-1651");
  expect(boundSeconds).toBeGreaterThan(60);
  expect(Object.keys(strategies)).toEqual(expect.arrayContaining(["none", "fixed:best", "paceline"]));
  expect(strategies["fixed:best"]?.["n"]).toBeGreaterThanOrEqual(1);
  const figures = ["makespanSeconds", "ratioToBound", "startErrors", "restarts", "meanReadySeconds", "p50ReadySeconds"];
  for (const figure of [...figures, "p99ReadySeconds", "peakInStartup", "peakAwaitMs", "longestHoldSeconds"]) {
    for (const result of Object.values(strategies)) expect(result[figure], figure).toBeTypeOf("number");
  }
});

test("a scenario file, a policy file and a report", async () => {
  await writeFile(
    file("herd.yaml"),
    "nodes: [{}]\nimages: [{ name: a, mib: 50 }]\nworkloads: [{ name: w, replicas: 3, images: [a] }]\n",
  );
  await writeFile(file("policy.yaml"), "apiVersion: paceline.dev/v1alpha1\nkind: PacingPolicy\nmode: off\n");
  const run = await paceline(
    "--scenario",
    file("herd.yaml"),
    "--policy",
    file("policy.yaml"),
    "--html",
    file("report.html"),
  );
  expect(run).toMatchObject({ code: 0, err: "" });
  expect(run.out).toMatch(/paceline +\d/);
  expect(await readFile(file("report.html"), "utf8")).toContain("<!doctype html>");
});

test("a malformed scenario exits with 2 and lists every error with its path", async () => {
  await writeFile(file("bad.yaml"), "nodes: [{ cpu: many }]\nworkloads: [{ name: w, images: [ghost] }]\nfoo: 1\n");
  const { code, err } = await paceline("--scenario", file("bad.yaml"));
  expect(code).toBe(2);
  expect(err).toContain("has 3 errors");
  for (const path of ["nodes[0].cpu:", "workloads[0].images[0]:", "foo:"]) expect(err).toContain(path);
});

test.each([
  ["no scenario", []],
  ["an unknown name", ["--scenario", "issue-9999"]],
  ["a bad seed", ["--scenario", "issue-1651", "--seed", "x"]],
  ["a missing policy", ["--scenario", "issue-1651", "--policy", "/nowhere/policy.yaml"]],
  ["an unknown option", ["--sceanrio", "issue-1651"]],
])("%s exits with 2 and says so", async (_, args) => {
  const { code, out, err } = await paceline(...args);
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err).not.toBe("");
});
