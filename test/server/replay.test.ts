/** `paceline replay` as a process of its own: folders, flags, files that it writes, and exit codes. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { simulatedLog } from "../unit/replay/simulated-log.ts";

const MAIN = join(import.meta.dirname, "../../src/cli/main.ts");
const recorded = simulatedLog();
let folder: string;
let recording: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "paceline-replay-"));
  recording = await mkdtemp(join(folder, "recording-"));
  await writeFile(join(recording, "audit.log"), recorded.log.join("\n"));
  await writeFile(join(recording, "nodes.json"), recorded.nodes);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function run(words: readonly string[], input = "", command = "replay") {
  const child = spawn(process.execPath, [MAIN, command, ...words], { stdio: ["pipe", "pipe", "pipe"] });
  child.stdin.on("error", () => undefined); // it may end without reading
  child.stdin.end(input);
  const exit = once(child, "close") as Promise<[number]>;
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), exit]);
  return { code, stdout, stderr };
}

interface Report {
  readonly herds: readonly { readonly pods: number; readonly forecast: unknown; readonly selfCheck: { off: number } }[];
}

describe("paceline replay", () => {
  it("reads a folder, gives all pods and a forecast, and exits 0; report and scenario are written", async () => {
    const [html, scenario] = [join(folder, "report.html"), join(folder, "herd.yaml")];
    const { code, stdout } = await run([recording, "--json", "--html", html, "--scenario", scenario]);
    const { herds } = JSON.parse(stdout) as Report;
    expect(code).toBe(0);
    expect(herds.map(({ pods }) => pods)).toEqual([recorded.pods]);
    expect(await readFile(html, "utf8")).toContain("<svg");
    const shared = await readFile(scenario, "utf8");
    expect(shared).not.toMatch(/payroll|corp|young|m5/);
    const simulated = await run(["--scenario", scenario, "--json"], "", "simulate");
    expect(JSON.parse(simulated.stdout)).toMatchObject({ strategies: { none: { pods: recorded.pods } } });
  });

  it("what it could not read of a damaged input, and why, stands in text, JSON and HTML", async () => {
    const html = join(folder, "damaged.html");
    const damaged = join(folder, "damaged.log");
    const lines = recorded.log.map((line, at) => (at % 5 === 0 ? line.slice(0, 200) : line));
    await writeFile(damaged, `${lines.join("\n")}\n${recorded.nodes}\n`);
    const cut = recorded.log.filter((_, at) => at % 5 === 0).length;
    const asText = await run([damaged, "--html", html]);
    const asJson = await run([damaged, "--json"]);
    const words = `${cut} × brokenJson: JSON or YAML that cannot be parsed, such as a line that was cut`;
    for (const report of [asText.stdout, await readFile(html, "utf8")]) {
      expect(report).toContain(words);
      expect(report).toContain("Herds may be incomplete");
    }
    expect(JSON.parse(asJson.stdout)).toMatchObject({
      read: { unread: { records: cut } },
      skipped: { byCause: { brokenJson: cut } },
      notes: [expect.stringContaining(words)],
    });
  });

  it("without a forecast it exits 3 and says why", async () => {
    const { code, stdout } = await run(["-"], recorded.log.join("\n"));
    expect(code).toBe(3);
    expect(stdout).toContain("There is no forecast: the sizes of 10 of 10 images are unknown");
  });

  it("what cannot be used is named with its cure, with exit code 2", async () => {
    const empty = join(folder, "empty.log");
    const classes = join(folder, "class.yaml");
    const mixed = join(folder, "mixed");
    const seen = '"conditions":[{"type":"Ready","status":"Unknown","lastHeartbeatTime":"2026-11-24T09:00:00Z"}]';
    const aged = (uid: string) =>
      recorded.nodes
        .replace('"name":"young-0.corp"', `$&,"uid":"${uid}","creationTimestamp":"2026-11-24T08:00:00Z"`)
        .replace('"status":{', `$&${seen},`);
    await writeFile(empty, "nothing\n");
    await mkdir(mixed);
    for (const uid of ["one", "two"]) await writeFile(join(mixed, `${uid}.json`), aged(uid));
    await writeFile(classes, "nodes: { default: { disk: { mibPerSecond: fast } } }");
    for (const [words, message] of [
      [[empty], /nothing usable in .*empty\.log: expected/],
      [[join(folder, "none")], /there is no such file/],
      [[mixed], /two nodes at a time have the name young-0\.corp, .* give what is of one cluster at a time/],
      [[recording, "--class", classes], /nodes\.default\.disk\.mibPerSecond/],
      [[recording, "--window", "today"], /give two times/],
      [[recording, "--disk", "fast"], /give MiB\/s/],
    ] as const) {
      const { code, stderr } = await run(words);
      expect(stderr).toMatch(message);
      expect(code).toBe(2);
    }
  });

  it("--window leaves out herds that began at other times", async () => {
    const { code, stdout } = await run([recording, "--window", "2020-01-01T00:00:00Z/2020-01-02T00:00:00Z"]);
    expect(code).toBe(3);
    expect(stdout).toContain("No herd in this window");
  });
});
