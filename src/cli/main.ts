#!/usr/bin/env node
/**
 * `paceline`: one file for each command, loaded only when the command runs. Exit codes: 0 fine, 1 found a problem, 2
 * wrong usage or unusable input.
 */
import { Command, CommanderError } from "commander";
import { UsageError } from "../api/usage-error.ts";
import { version } from "../api/version.ts";
import { endQuietlyWhenUnread } from "./closed-output.ts";
import { programName } from "./program-name.ts";

/** A command, and how to load the rest of it. */
interface LazyCommand {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

const commands: readonly LazyCommand[] = [
  {
    name: "serve",
    summary: "run the cluster service: webhooks, scheduler extender, release loop",
    load: async () => (await import("./serve.ts")).serveCommand(),
  },
  {
    name: "simulate",
    summary: "simulate a herd of pods without and with pacing, on modelled nodes",
    load: async () => (await import("./simulate.ts")).simulateCommand(),
  },
  {
    name: "diagnose",
    summary: "find failed pod starts in audit logs, node logs and kubectl output; say whether a herd is to blame",
    load: async () => (await import("./diagnose.ts")).diagnoseCommand(),
  },
  {
    name: "replay",
    summary: "rebuild the herds of a recording, and say what Paceline and other remedies would have brought",
    load: async () => (await import("./replay.ts")).replayCommand(),
  },
  {
    name: "prewarm",
    summary: "choose the images that young nodes should have before they take pods, and write how they get them",
    load: async () => (await import("./prewarm.ts")).prewarmCommand(),
  },
  {
    name: "status",
    summary: "show paced nodes, their slots, and held pods with the reason",
    load: async () => (await import("./status.ts")).statusCommand(),
  },
  {
    name: "doctor",
    summary: "look at a live cluster and say what should be changed, and why; changes nothing itself",
    load: async () => (await import("./doctor.ts")).doctorCommand(),
  },
  {
    name: "release",
    summary: "let held pods go and lift fences, without the service",
    load: async () => (await import("./release.ts")).releaseCommand(),
  },
];

const PROGRAM = programName(process.argv);

/** The program. A command reads its own flags and help once it is loaded. */
function makeProgram(): Command {
  const program = new Command(PROGRAM)
    .description("Paces pod starts on Kubernetes, so that a node is never asked to start more than its disk can feed.")
    .version(version)
    .enablePositionalOptions()
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .showHelpAfterError(`(${PROGRAM} --help lists the commands)`)
    .exitOverride();
  for (const { name, summary, load } of commands) {
    program
      .command(name)
      .summary(summary)
      .helpOption(false)
      .allowUnknownOption()
      .passThroughOptions()
      .argument("[arguments...]")
      .action(async (words: readonly string[]) => {
        const command = await load();
        await command.name(`${PROGRAM} ${name}`).exitOverride().parseAsync(words, { from: "user" });
      });
  }
  return program;
}

/** Prints the failure and returns its exit code. */
function exitCodeOf(error: unknown): number {
  // Commander has already printed its message, or the help.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  process.stderr.write(`paceline: ${error instanceof Error ? error.message : String(error)}\n`);
  return error instanceof UsageError ? 2 : 1;
}

endQuietlyWhenUnread();
// Without an await here, because the single executable file is CommonJS, which knows none.
makeProgram()
  .parseAsync()
  .catch((error: unknown) => {
    process.exitCode = exitCodeOf(error);
  });
