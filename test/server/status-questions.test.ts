/** `paceline status --pod` and `--node`: the replica's own answers, in words and as JSON. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { testApp } from "../support/app.ts";
import { aDaemonPod, aNode, aPod, bound, changed, START_MS } from "../support/core-facts.ts";

const MAIN = join(import.meta.dirname, "../../src/cli/main.ts");
const { app, pacer } = testApp({ nodes: [aNode("young")] });
let url: string;

beforeAll(async () => {
  const failing = bound(aPod("fails"), "young");
  pacer.upsertPod(failing, START_MS);
  pacer.upsertPod(changed(failing, { overloadFailures: 1 }), START_MS);
  pacer.upsertPod(aDaemonPod("waits", "young", { createdAtMs: START_MS - 12_000 }), START_MS);
  url = await app.listen({ host: "127.0.0.1", port: 0 });
});
afterAll(() => app.close());

function status(...flags: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, "status", "--url", url, ...flags], (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

test("--pod says why it waits and until when at the latest, and nothing else", async () => {
  const { stdout } = await status("--pod", "default/waits");
  expect(stdout).toMatch(
    /^default\/waits: AwaitingRelease: .*\nheld for 12 s; it goes at 00:04:48Z at the latest, whether a slot is free or not\n$/,
  );
  expect(JSON.parse((await status("--pod", "default/waits", "--json")).stdout)).toMatchObject({
    state: "held",
    held: { untilMs: START_MS - 12_000 + 300_000 },
    problems: [],
  });
});

test("--pod of one that is not held says that; what is no namespace/name is wrong usage", async () => {
  expect((await status("--pod", "default/none")).stdout).toMatch(/^default\/none: no such pod is known here/);
  expect(await status("--pod", "none")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("NAMESPACE/NAME") as string,
  });
});

test("--node says what its limit did, with the reasons", async () => {
  const { stdout } = await status("--node", "young");
  expect(stdout).toContain("young: the limit is 16; in ten minutes it went down once");
  expect(stdout).toContain("00:00:00Z  32 -> 16: cut to 16: a container of fails failed to start\n");
  expect(JSON.parse((await status("--node", "young", "--json")).stdout)).toMatchObject({
    nodes: [{ name: "young" }],
    limit: { steps: [{ from: 32, to: 16 }] },
  });
});
