/** What is read and changed of a herd, and how the bench answers unusable arguments. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { changes } from "../../../../bench/herds/changes.ts";
import { type Herd, readHerds, UnusableInput, withTolerantDaemonSets } from "../../../../bench/herds/herd.ts";
import { runHerds, strategyName } from "../../../../bench/herds/runs.ts";
import { dirtyThresholds } from "../../../../src/simulate/model/node-model.ts";
import { assumedDefaults } from "../../../../src/simulate/model/constants.ts";

const TEXT = `
nodes: [{ disk: { mibPerSecond: 100, iops: 1000 } }]
images: [{ name: a, mib: 100 }]
workloads: [{ name: d, kind: DaemonSet, images: [a] }, { name: w, replicas: 2, images: [a] }]
`;
let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "herds-"));
  writeFileSync(join(folder, "b.yaml"), TEXT);
  writeFileSync(join(folder, "a.yaml"), TEXT);
});
afterAll(() => rmSync(folder, { recursive: true }));

const herd = () => readHerds(folder, ["a"])[0] as Herd;
const changed = (name: string) => changes.find((change) => change.name === name)?.apply(herd());

test("herds come in the order of their names, and names choose", () => {
  expect(readHerds(folder).map(({ name }) => name)).toEqual(["a", "b"]);
  expect(readHerds(folder, ["b"]).map(({ name }) => name)).toEqual(["b"]);
  expect(() => readHerds(folder, ["c"])).toThrow(UnusableInput);
  expect(() => readHerds(join(folder, "none"))).toThrow(/cannot read/);
});

test("only DaemonSets are made tolerant", () => {
  const { workloads } = withTolerantDaemonSets(herd()).scenario;
  expect(workloads.map(({ toleratesEverything }) => toleratesEverything)).toEqual([true, false]);
});

describe("changes", () => {
  test("disk", () => {
    expect(changed("disk × 0.7")?.scenario.nodes[0]?.disk).toEqual({ mibPerSecond: 70, iops: 700 });
  });

  test("a true unpack ratio counts the blob: of ratio 2, as much unpacked as compressed", () => {
    expect(changed("true unpack ratio 2")?.scenario.images[0]).toMatchObject({ mib: 100, compressedRatio: 1 });
  });

  test("a believed ratio changes the policy only", () => {
    const { policy, scenario } = changed("believed unpack ratio 6") ?? herd();
    expect(policy.nodeClasses.map(({ unpackRatio }) => unpackRatio)).toEqual([6]);
    expect(scenario).toEqual(herd().scenario);
  });

  test("a dirty ratio of 0.1 lowers the background ratio with it, as in Linux", () => {
    const assumptions = { ...assumedDefaults, ...changed("dirty ratio 0.1")?.assumptions };
    expect(dirtyThresholds("file-system", 1_000, assumptions).dirtyLimitBytes).toBeCloseTo(100);
    const files = dirtyThresholds("files", 1_000, assumptions);
    expect([files.dirtyLimitBytes, files.backgroundBytes]).toEqual([expect.closeTo(75), expect.closeTo(50)]);
  });

  test("their names differ", () => {
    expect(new Set(changes.map(({ name }) => name)).size).toBe(changes.length);
  });
});

test("every herd has an outcome of every strategy, whatever thread ran it", async () => {
  const options = { herds: readHerds(folder), changes: [{ name: "x", apply: (one: Herd) => one }], seeds: 2 };
  const outcomes = await runHerds({ ...options, strategies: ["none", "fixed:1"] });
  expect(outcomes.map(({ herd: name, seed }) => `${name} ${seed}`)).toEqual(["a 1", "a 2", "b 1", "b 2"]);
  for (const { figures } of outcomes) {
    expect(figures["fixed:1"]?.makespanSeconds).toBeGreaterThan(figures.none?.makespanSeconds ?? Infinity);
  }
});

test("strategies have names", () => {
  expect(strategyName("fixed:12")).toBe("fixed:12");
  for (const text of ["fixed:0", "fixed", "", "best"]) expect(() => strategyName(text)).toThrow(UnusableInput);
});

test.each([
  [["--frob"], /Unknown option '--frob'/],
  [["--herds", "/nonexistent"], /cannot read the folder of herds/],
  [["--perturb"], /need --herds DIR/],
  [["--seeds", "0"], /--seeds is a whole number/],
  [["nonexistent"], /no built-in scenario nonexistent/],
])("%j is unusable: exit code 2 and one message", (args, message) => {
  const { status, stderr, stdout } = spawnSync(process.execPath, ["bench/pacing.ts", ...args], { encoding: "utf8" });
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toMatch(message);
});
