/** `paceline simulate`: compares the decision core on modelled nodes with no pacing and with constant concurrency. */
import { readFile, writeFile } from "node:fs/promises";
import { Command, InvalidArgumentError } from "commander";
import { parsePolicy } from "../policy/parse.ts";
import type { PacingPolicy } from "../policy/schema.ts";
import { compareInParallel } from "../simulate/engine/parallel.ts";
import { comparisonTable } from "../simulate/report/table.ts";
import { builtinNames, builtinText } from "../simulate/scenario/builtin.ts";
import { parseScenario } from "../simulate/scenario/parse.ts";
import { QUIET_MS, withProgress } from "./progress.ts";
import { UsageError } from "../api/usage-error.ts";

interface SimulateFlags {
  readonly scenario?: string;
  readonly policy?: string;
  readonly seed: number;
  readonly json?: true;
  readonly html?: string;
  readonly list?: true;
}

function parseSeed(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("give a whole number from 0 to 999999999.");
}

/** The command with its flags. */
export function simulateCommand(): Command {
  return new Command("simulate")
    .description(
      "Simulate a herd of pods under no pacing, every constant concurrency, and Paceline's own decision core, against the least time that the disks need.",
    )
    .option("--scenario <file or name>", "scenario file (YAML, docs/simulate.md), or the name of a built-in one")
    .option("--policy <file>", "policy to use instead of the scenario's own")
    .option("--seed <number>", "seed of chance; equal seeds give equal results", parseSeed, 1)
    .option("--json", "print the comparison as JSON")
    .option("--html <file>", "write a report with charts, one file that needs no network")
    .option("--list", "print the names of the built-in scenarios, one a line")
    .action((flags: SimulateFlags) => simulate(flags));
}

async function simulate(flags: SimulateFlags): Promise<void> {
  if (flags.list) {
    process.stdout.write(`${builtinNames().join("\n")}\n`);
    return;
  }
  if (flags.scenario === undefined) throw new UsageError("--scenario is missing; --list prints the built-in ones");
  const { name, text } = await scenarioText(flags.scenario);
  const parsed = parseScenario(text);
  if (!parsed.ok) throw unusable(`scenario ${flags.scenario}`, parsed.errors);
  const policy = flags.policy === undefined ? parsed.policy : await policyFrom(flags.policy);
  const { scenario } = parsed;
  const comparing = { name, scenario, policy, seed: flags.seed, series: flags.html !== undefined };
  const { comparison, runs } = await withProgress(
    `simulating ${name}`,
    (tell) => compareInParallel(comparing, (done, of) => tell(`${done} of ${of} strategies have run`)),
    { quietForMs: QUIET_MS },
  );
  if (flags.html !== undefined) {
    const { htmlReport } = await import("../simulate/report/html.ts");
    await writeReport(flags.html, htmlReport({ comparison, runs, description: scenario.description }));
  }
  process.stdout.write(flags.json ? `${JSON.stringify(comparison, undefined, 2)}\n` : comparisonTable(comparison));
}

/** A built-in scenario of that name, or else a file. @throws UsageError */
async function scenarioText(given: string): Promise<{ name: string; text: string }> {
  const builtin = builtinText(given);
  if (builtin !== undefined) return { name: given, text: builtin };
  return { name: given, text: await readText(given, `is no built-in scenario (${builtinNames().join(", ")}), and`) };
}

async function policyFrom(file: string): Promise<PacingPolicy> {
  const parsed = parsePolicy(await readText(file, ""));
  if (!parsed.ok) throw unusable(`policy ${file}`, parsed.errors);
  return parsed.policy;
}

async function readText(file: string, besides: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new UsageError(`${file} ${besides} cannot be read: ${(cause as Error).message}`.replace(/ +/g, " "), {
      cause,
    });
  }
}

async function writeReport(file: string, html: string): Promise<void> {
  try {
    await writeFile(file, html);
  } catch (cause) {
    throw new UsageError(`cannot write ${file}: ${(cause as Error).message}`, { cause });
  }
}

function unusable(what: string, errors: readonly { readonly message: string }[]): UsageError {
  const count = errors.length === 1 ? "1 error" : `${errors.length} errors`;
  return new UsageError(`${what} has ${count}:\n${errors.map(({ message }) => `  ${message}`).join("\n")}`);
}
