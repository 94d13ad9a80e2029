/** `paceline prewarm` as a process: what it prints, and what it says of wrong usage. */
import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { simulatedLog } from "../unit/replay/simulated-log.ts";
import { mimeParts } from "../unit/prewarm/mime.ts";

const MAIN = join(import.meta.dirname, "../../src/cli/main.ts");
let folder: string;
let recording: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "paceline-prewarm-"));
  recording = join(folder, "audit.log");
  const { log, nodes } = simulatedLog();
  await writeFile(recording, `${log.join("\n")}\n${nodes}\n`);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function run(...words: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, "prewarm", ...words], {
    encoding: "utf8",
    input: "",
  });
  return { status, stdout, stderr };
}

it("prints images, their sizes and what they bring", () => {
  const { status, stdout } = run(recording, "--class", "m5.xlarge");
  expect(status).toBe(0);
  expect(stdout).toContain("Young nodes of m5.xlarge: 3 in this recording");
  expect(stdout).toMatch(/MB +3 of 3 +3 +registry\.corp\/secret-9:1/);
  expect(stdout).toMatch(/first herd: with these images +[\d.]+ s +\d+ s +0/);
});

it("writes user data with every image that it chose", () => {
  const json = JSON.parse(run(recording, "--format", "json").stdout) as { classes: { images: { ref: string }[] }[] };
  const { status, stdout } = run(recording, "--format", "nodeadm", "--timeout", "120", "--parallel", "2");
  expect(status).toBe(0);
  const script = mimeParts(stdout)[0]?.content ?? "";
  expect(json.classes[0]?.images.length).toBeGreaterThan(5);
  for (const { ref } of json.classes[0]?.images ?? []) expect(script).toContain(` ${ref}\n`);
  expect(script).toContain("readonly seconds=120");
  expect(script).toContain("export parallel=2");
});

it("--machines says what the nodes are like, where no recording tells it", async () => {
  const machines = join(folder, "machines.yaml");
  const forecastOf = (...words: readonly string[]) => {
    const report = JSON.parse(run(recording, "--format", "json", ...words).stdout) as {
      classes: { forecast: { firstHerd: { asRecorded: { meanReadySeconds: number } } } | null }[];
    };
    return report.classes[0]?.forecast?.firstHerd.asRecorded.meanReadySeconds;
  };
  await writeFile(machines, "nodes: { m5.xlarge: { disk: { mibPerSecond: 140, iops: 3000 } } }");
  expect(forecastOf("--machines", machines)).toBe(forecastOf("--disk", "140"));
  expect(forecastOf("--machines", machines)).toBeLessThan(forecastOf() ?? 0);
  await writeFile(machines, "nodes: { default: { disk: { mibPerSecond: fast } } }");
  const { status, stderr } = run(recording, "--machines", machines);
  expect(stderr).toContain(`--machines ${machines} has errors:\n  nodes.default.disk.mibPerSecond`);
  expect(status).toBe(2);
});

it("what it could not read of its input, and why, stands in table and JSON, and beside every format", async () => {
  const damaged = join(folder, "damaged.log");
  const { log, nodes } = simulatedLog();
  await writeFile(damaged, `${log.join("\n")}\n${nodes}\n${log[0]?.slice(0, 200)}\n`);
  const words = "1 × brokenJson: JSON or YAML that cannot be parsed";
  expect(run(damaged).stdout).toContain(words);
  expect(JSON.parse(run(damaged, "--format", "json").stdout)).toMatchObject({
    read: { unread: { records: 1 } },
    notes: [expect.stringContaining(words)],
  });
  const { status, stdout, stderr } = run(damaged, "--format", "kruise");
  expect({ status, isBeside: stderr.includes(words), isIn: stdout.includes(words) }).toEqual({
    ...{ status: 0, isBeside: true, isIn: false },
  });
});

it("a format for containerd is told to be that where the nodes run something else", async () => {
  const { log, nodes } = simulatedLog();
  const told = async (runtime: string, format: string) => {
    const other = join(folder, "runtime.log");
    const nodeInfo = `"status":{"nodeInfo":{"containerRuntimeVersion":"${runtime}"},`;
    await writeFile(other, `${log.join("\n")}\n${nodes.replaceAll('"status":{', nodeInfo)}\n`);
    return run(other, "--format", format).stderr;
  };
  const words = "these nodes run cri-o, and what --format nodeadm writes is for containerd";
  expect(await told("cri-o://1.34.0", "nodeadm")).toContain(words);
  expect(await told("cri-o://1.34.0", "kruise")).not.toContain("these nodes run");
  expect(await told("containerd://2.1.5", "nodeadm")).not.toContain("these nodes run");
});

it.each([
  [["--class", "c7g.large"], /--class c7g\.large: no young node of it .* there are: m5\.xlarge/],
  [["--format", "toml"], /Allowed choices are table, nodeadm/],
  [["--budget", "0"], /give GiB from 0\.001 to 1000/],
  [["--context", "a"], /--kubeconfig and --context are for --live/],
  [["--with", "/no/file"], /--with .*only user data has parts/],
  [["--with", "/no/file", "--format", "nodeadm"], /--with \/no\/file cannot be read/],
] as const)("%j is wrong usage, with its place and its cure", (words, message) => {
  const { status, stdout, stderr } = run(recording, ...words);
  expect(stderr).toMatch(message);
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
});

it("a file that does not exist, or with nothing usable, is named", async () => {
  expect(run(join(folder, "none.log"))).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("none.log: there is no such file") as string,
  });
  const empty = join(folder, "empty.txt");
  await writeFile(empty, "hello\n");
  expect(run(empty)).toMatchObject({
    status: 2,
    stderr: expect.stringContaining(`nothing usable in ${empty}`) as string,
  });
});

it("--help names every format and exit code", () => {
  const { status, stdout } = run("--help");
  expect(status).toBe(0);
  for (const word of [
    "nodeadm",
    "al2-userdata",
    "bottlerocket",
    "packer",
    "kruise",
    "kube-fledged",
    "gke-secondary-disk",
    "Exit codes",
  ])
    expect(stdout).toContain(word);
});
