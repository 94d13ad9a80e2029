/** One program of the control plane. It has its own process group and a log file, and the watchdog guards it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Watchdog } from "./watchdog.ts";

export interface Child {
  readonly name: string;
  readonly pid: number;
  readonly logPath: string;
  /** Resolves, never rejects, with a sentence on how it ended. */
  readonly exited: Promise<string>;
  /** How it ended; undefined while it runs. */
  ending(): string | undefined;
  /** From now on, reports on stderr when it ends unexpectedly. */
  announceUnexpectedEnd(): void;
  signal(signal: NodeJS.Signals): void;
  /**
   * Ends it at once and waits until it is gone. It uses SIGKILL: all state is discarded, SIGKILL also ends a stopped
   * process, and with SIGTERM a kube-apiserver waits for its watchers.
   */
  kill(): Promise<void>;
  /** The last lines of its log, for an error message. */
  logTail(lines?: number): string;
}

export interface ChildOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly folder: string;
  readonly watchdog: Watchdog;
  readonly env?: Readonly<Record<string, string>>;
}

/** Running children, with their folder. They are ended when this process exits. */
const running = new Map<Child, string>();

/** Ends every child that was started with this folder, and waits until they are gone. */
export async function killChildrenOf(folder: string): Promise<void> {
  const ours = [...running].filter(([, home]) => home === folder);
  await Promise.all(ours.map(([child]) => child.kill()));
}

/**
 * Starts a program. `exited` shows if it ends early.
 * @throws when it cannot be started (missing, not executable)
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  const logPath = join(options.folder, `${options.name}.log`);
  const log = openSync(logPath, "a");
  const process_ = spawn(options.command, options.args, {
    detached: true, // its own process group: a Ctrl-C in the terminal reaches only us, and we end it
    stdio: ["ignore", log, log],
    env: { ...process.env, ...options.env },
    cwd: options.folder,
  });
  closeSync(log);
  if (process_.pid !== undefined) options.watchdog.guard(process_.pid);
  await once(process_, "spawn"); // or rejects with the reason why it cannot be started
  const pid = process_.pid ?? Number.NaN;

  let ending: string | undefined;
  let wanted = false;
  const exited = once(process_, "exit").then((end) => {
    const [code, signal] = end as [number | null, NodeJS.Signals | null];
    running.delete(child);
    options.watchdog.forget(pid);
    ending = signal === null ? `exit code ${String(code)}` : `signal ${signal}`;
    return ending;
  });
  const child: Child = {
    name: options.name,
    pid,
    logPath,
    exited,
    ending: () => ending,
    signal: (signal) => {
      if (signal === "SIGTERM") wanted = true;
      process_.kill(signal);
    },
    announceUnexpectedEnd: () =>
      void exited.then((how) => {
        if (!wanted) process.stderr.write(`${child.name} ended by itself (${how}):\n${child.logTail(5)}\n`);
      }),
    kill: async () => {
      wanted = true;
      process_.kill("SIGKILL");
      await exited;
    },
    logTail: (lines = 15) => readFileSync(logPath, "utf8").trimEnd().split("\n").slice(-lines).join("\n"),
  };
  installExitHandlers();
  running.set(child, options.folder);
  return child;
}

/**
 * Waits until `ready` returns true. It polls every 50 ms, because these programs do not announce that they are ready.
 * @throws when the program ends or `timeoutMs` is over, with the last lines of its log.
 */
export async function untilReady(child: Child, ready: () => Promise<boolean>, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await ready())) {
    if (child.ending() !== undefined) throw startError(child, `ended with ${child.ending() ?? ""}`);
    if (performance.now() > deadline) throw startError(child, `was not ready after ${Math.round(timeoutMs / 1000)} s`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function startError(child: Child, what: string): Error {
  return new Error(`${child.name} ${what}. The last lines of its log:\n${child.logTail()}`);
}

let installed = false;

/** Ends the children at exit and on common signals. The watchdog ends what these handlers miss. */
function installExitHandlers(): void {
  if (installed) return;
  installed = true;
  process.on("exit", () => running.forEach((_, child) => child.signal("SIGKILL")));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    const handler = () => {
      if (process.listenerCount(signal) > 1) return; // the program has its own handler, which decides
      running.forEach((_, child) => child.signal("SIGKILL"));
      process.removeListener(signal, handler);
      process.kill(process.pid, signal); // now with the default action
    };
    process.on(signal, handler);
  }
}
