/** `paceline diagnose` as a process of its own: files, standard input and exit codes. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { auditEvent } from "../unit/diagnose/inputs.ts";

const MAIN = join(import.meta.dirname, "../../src/cli/main.ts");
const audit = `${JSON.stringify(auditEvent())}\n`;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "paceline-diagnose-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function run(words: readonly string[], input: string | Buffer = "") {
  const child = spawn(process.execPath, [MAIN, "diagnose", ...words], { stdio: ["pipe", "pipe", "pipe"] });
  child.stdin.on("error", () => undefined); // it may end without reading
  child.stdin.end(input);
  const exit = once(child, "close") as Promise<[number]>;
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), exit]);
  return { code, stdout, stderr };
}

async function file(name: string, contents: string | Buffer): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, contents);
  return path;
}

describe("paceline diagnose", () => {
  it("finds a failure in a file, says so in words, and exits 1", async () => {
    const { code, stdout } = await run([await file("audit.log", audit)]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/1 failed start/);
    expect(stdout).toMatch(/Pace: /);
  });

  it("reads standard input, and gzip, and gives JSON", async () => {
    const { code, stdout } = await run(["-", "--json", "--bin", "5m"], gzipSync(audit));
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      query: { bins: [{ start: "2026-11-24T08:05:00Z", count: 1 }], total: 1 },
      failures: { total: 1, byFingerprint: { NamespacePathProc0: 1, Unrelated: 0 }, byNode: { "young-1": 1 } },
      skipped: { lines: 0, byCause: {} },
      verdict: { found: true },
    });
  });

  it("uses the readable part of a gzip stream that was cut", async () => {
    const noise = Array.from({ length: 3_000 }, (_, index) =>
      JSON.stringify(auditEvent({}, { auditID: `${index * 7_919}` })),
    );
    const whole = gzipSync(`${audit}${noise.join("\n")}`);
    const { code, stdout } = await run(["--json", await file("cut.gz", whole.subarray(0, whole.length - 2_000))]);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ failures: { total: 1 }, skipped: { byCause: { truncatedGzip: 1 } } });
  });

  it("uses the part before the damage in a small gzip file", async () => {
    const noise = Array.from({ length: 50 }, (_, index) =>
      JSON.stringify(auditEvent({}, { auditID: `${index * 7_919}` })),
    );
    const whole = gzipSync(`${audit}${noise.join("\n")}`);
    const damaged = Buffer.concat([whole.subarray(0, -40), Buffer.alloc(40, 0xff)]);
    const { code, stdout } = await run(["--json", await file("damaged.gz", damaged)]);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ failures: { total: 1 }, skipped: { byCause: { truncatedGzip: 1 } } });
  });

  it("exits 0 when starts inside the window were clean, and 3 when the window holds none", async () => {
    expect((await run([await file("quiet.log", `${JSON.stringify(auditEvent({}))}\n`)])).code).toBe(0);
    const late = { auditID: "late", requestReceivedTimestamp: "2026-11-24T09:30:00Z" };
    const both = await file("both.log", `${audit}${JSON.stringify(auditEvent({}, late))}\n`);
    const clean = await run([both, "--since", "2026-11-24T09:00:00Z"]);
    expect(clean.code).toBe(0);
    expect(clean.stdout).toMatch(/^No failed start was found in this window.*\n.*Left out .* 1 failed start/);
    const empty = await run([await file("early.log", audit), "--since", "2026-11-24T09:00:00Z"]);
    expect(empty.code).toBe(3);
    expect(empty.stdout).toMatch(
      /^Cannot tell: nothing in the input lies between 2026-11-24T09:00:00Z and its end; it spans/,
    );
    expect(empty.stdout).toMatch(/1 failed start outside/);
  });

  it("takes a time without a zone for UTC, wherever it runs, and says so", async () => {
    const { code, stderr } = await run([await file("utc.log", audit), "--since", "2026-11-24 08:08"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/--since 2026-11-24 08:08 tells no zone: taken for UTC, 2026-11-24T08:08:00Z/);
  });

  it("tells of several unusable files once, with their count, and of gzip inside gzip", async () => {
    const poems = [await file("a.txt", "roses\n"), await file("b.txt", "violets\n")];
    const packed = await file("twice.gz", gzipSync(gzipSync(audit)));
    const { code, stderr } = await run([...poems, packed, await file("seen.log", audit)]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/nothing usable in 3 inputs: .*a\.txt, .*b\.txt, .*twice\.gz: expected/);
    expect(stderr.match(/expected Kubernetes audit logs/g)).toHaveLength(1);
    expect(stderr).toMatch(/twice\.gz: This looks like gzip inside gzip/);
  });

  it("never exits 1 for nesting that exhausts the stack, and still finds what failed beside it", async () => {
    const nested = `${"[".repeat(5_000)}${"]".repeat(5_000)}\n`;
    expect((await run([await file("nested.json", nested)])).code).toBe(2);
    const { code, stdout } = await run(["--json", await file("beside.json", `${nested}${audit}`)]);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ failures: { total: 1 }, skipped: { byCause: { brokenJson: 1 } } });
  });

  it("exits 2 and says what was expected when there is nothing usable", async () => {
    const { code, stderr } = await run([await file("poem.txt", "roses are red\n")]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/poem\.txt: expected Kubernetes audit logs/);
  });

  it("exits 3 and says why first when what was read is not enough for an all-clear", async () => {
    const { code, stdout } = await run([
      await file("mixed.log", `${JSON.stringify(auditEvent({}))}\npods die with StartError\n`),
    ]);
    expect(code).toBe(3);
    expect(stdout).toMatch(
      /^Cannot tell: 1 line or record not read, or cut off, with words of the problem: "StartError"\./,
    );
    expect(stdout).toMatch(/pods die with StartError/);
  });

  it("names what an input looks like that it cannot read, and what to run instead", async () => {
    const table =
      "CONTAINER      IMAGE     CREATED     STATE    NAME\n0a1b2c3d4e5f   abcdef   2m ago    Exited   web\n";
    const { code, stderr } = await run([await file("ps.txt", table)]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/looks like a table of crictl ps.*crictl inspect/);
  });

  it("--help tells all exit codes, and what to run", async () => {
    const { code, stdout } = await run(["--help"]);
    expect(code).toBe(0);
    expect(stdout).toContain("(default: 1h)");
    for (const word of ["cannot tell", "EKS", "GKE", "AKS", "k3s", "journalctl"]) expect(stdout).toContain(word);
  });

  it("exits 2 and names a file that is not there, and wrong flags", async () => {
    const missing = await run([join(folder, "missing.log")]);
    expect(missing.code).toBe(2);
    expect(missing.stderr).toMatch(/missing\.log: there is no such file/);
    expect((await run(["--bin", "soon", join(folder, "audit.log")])).code).toBe(2);
    expect((await run(["--since", "later", join(folder, "audit.log")])).code).toBe(2);
  });

  it("writes a report that needs no network", async () => {
    const out = join(folder, "report.html");
    await run([await file("html.log", audit), "--html", out]);
    const html = await readFile(out, "utf8");
    expect(html).toContain("uPlot");
    expect(html).not.toMatch(/<(?:script|link|img)[^>]+(?:src|href)=/);
  });
});
