/** `paceline … | head`: a reader that has read enough is no error. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, it } from "vitest";
import { auditEvent } from "../diagnose/inputs.ts";

const MAIN = join(import.meta.dirname, "../../../src/cli/main.ts");
/** Of a program that SIGPIPE ends, as a shell tells it: 128 and the signal's number. */
const ENDED_BY_SIGPIPE = 141;

/** Runs `diagnose` on an audit log that comes once nothing reads `closed` any more. */
async function withClosed(closed: "stdout" | "stderr", ...words: readonly string[]) {
  const child = spawn(process.execPath, [MAIN, "diagnose", "-", ...words], { stdio: "pipe" });
  const exit = once(child, "close") as Promise<[number | null]>;
  const open = text(closed === "stdout" ? child.stderr : child.stdout);
  const gone = once(child[closed], "close");
  child[closed].destroy();
  await gone;
  child.stdin.end(`${JSON.stringify(auditEvent())}\n`);
  const [[code], read] = await Promise.all([exit, open]);
  return { code, read };
}

it("a command whose output is read no further ends at once, without a word, like a program that SIGPIPE ends", async () => {
  expect(await withClosed("stdout")).toEqual({ code: ENDED_BY_SIGPIPE, read: "" });
});

it("a command whose messages nothing reads gives its result all the same", async () => {
  const noLog = join(import.meta.dirname, "../../../tsconfig.json"); // a message on stderr says so
  // Nothing lies before: exit code 3, which no failure has.
  const { read, code } = await withClosed("stderr", "--until", "2020-01-01T00:00:00Z", noLog);
  expect(read).toContain("Cannot tell: nothing in the input lies between");
  expect(code).toBe(3);
});
