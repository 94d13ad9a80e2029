/**
 * Programs in namespaces of their own: what they mount is gone with them, and so is every process that they started,
 * however they or this process end.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Watchdog } from "../control-plane/watchdog.ts";

/** How many lines of a failed program an error repeats. */
const LAST_LINES = 20;
const NAMESPACES = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"];

/** Runs a program to its end. @returns what it printed @throws with its last lines when it fails */
export type Run = (command: string, args: readonly string[], onLine?: (line: string) => void) => Promise<string>;

/** @param watchdog ends what runs when this process does */
export const programsOf =
  (watchdog: Watchdog): Run =>
  async (command, args, onLine) => {
    const child = spawn("unshare", [...NAMESPACES, command, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      detached: true, // its own process group: a Ctrl-C reaches only us, and the watchdog ends it
    });
    await once(child, "spawn");
    const pid = child.pid ?? Number.NaN;
    watchdog.guard(pid);
    const ended = once(child, "close") as Promise<[number | null]>;
    const printed: string[] = [];
    const lastLines: string[] = [];
    const hear = (line: string) => {
      if (lastLines.push(line) > LAST_LINES) lastLines.shift();
      onLine?.(line);
    };
    createInterface(child.stdout).on("line", (line) => {
      printed.push(line);
      hear(line);
    });
    createInterface(child.stderr).on("line", hear);
    const [code] = await ended;
    watchdog.forget(pid);
    if (code === 0) return printed.join("\n");
    throw new Error(`${command} ${args.join(" ")} failed; its last lines:\n${lastLines.join("\n")}`);
  };
