/** `npm run bench:real-node`: the herd on a real kubelet and containerd with a slow disk, with and without Paceline. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { findBinaries } from "../../dev/control-plane/binaries.ts";
import { withFileLock } from "../../dev/control-plane/file-lock.ts";
import { cleanUp } from "./clean-up.ts";
import { LOCK_FILE } from "./host.ts";
import { buildImages } from "./images.ts";
import type { Outcome } from "./outcome.ts";
import { picture } from "./picture.ts";
import { buildPrograms } from "./programs.ts";
import { shortcomings, table } from "./report.ts";
import { missing } from "./requirements.ts";
import { runRound } from "./round.ts";
import { type Setting, type SettingName, settings, strategies, type Strategy } from "./settings.ts";

const USAGE = `npm run bench:real-node [-- --quick] [--rounds N] [--setting harsh,mild] [--strategy all-at-once,paceline,…] [--out FOLDER] [--logs] [--json]

Runs the herd on a real kubelet and containerd whose disk is throttled. Root on Linux only; puts everything back.
--quick     harsh setting, one round, all-at-once and paceline
--logs      keeps the logs of kubelet, containerd and Paceline in the output folder (default out/real-node)
--clean     only removes what a crashed run left
Exit 0: the targets are met. Exit 1: they are not. Exit 2: wrong usage, or the machine lacks something.`;

class UsageError extends Error {}

interface Plan {
  readonly settings: readonly Setting[];
  readonly strategies: readonly Strategy[];
  readonly rounds: number;
  readonly out: string;
  readonly logs: boolean;
  readonly json: boolean;
}

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        quick: { type: "boolean", default: false },
        rounds: { type: "string" },
        setting: { type: "string" },
        strategy: { type: "string" },
        out: { type: "string", default: "out/real-node" },
        logs: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        clean: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
    return values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

/** The names of a comma-separated list. @throws UsageError naming those that do not exist. */
function chosen<T extends string>(
  option: string,
  text: string | undefined,
  all: readonly T[],
  otherwise: readonly T[],
) {
  if (text === undefined) return otherwise;
  const names = text.split(",").map((name) => name.trim());
  const wrong = names.filter((name) => !all.includes(name as T));
  if (wrong.length > 0) throw new UsageError(`--${option}: "${wrong.join(", ")}" is none of ${all.join(", ")}`);
  return names as T[];
}

function planOf(values: ReturnType<typeof readArguments>): Plan {
  const names = Object.keys(settings) as SettingName[];
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 2));
  if (!Number.isInteger(rounds) || rounds < 1) throw new UsageError("--rounds: give a whole number from 1");
  const { out, logs, json } = values;
  return {
    settings: chosen("setting", values.setting, names, values.quick ? ["harsh"] : names).map((name) => settings[name]),
    strategies: chosen(
      "strategy",
      values.strategy,
      strategies,
      values.quick ? ["all-at-once", "paceline"] : strategies,
    ),
    ...{ rounds, out, logs, json },
  };
}

const say = (line: string) => void process.stderr.write(`real-node: ${line}\n`);

/** Rounds alternate between the strategies, so that whatever drifts touches all of them. */
async function measure(plan: Plan, signal: AbortSignal): Promise<Outcome[]> {
  await findBinaries();
  const programs = await buildPrograms(say);
  const outcomes: Outcome[] = [];
  for (const setting of plan.settings) {
    say(`images of ${setting.name} (made once: a minute)`);
    const images = await buildImages(setting, programs.pause);
    for (let round = 1; round <= plan.rounds; round += 1) {
      for (const strategy of plan.strategies) {
        signal.throwIfAborted();
        const logFolder = plan.logs ? plan.out : undefined;
        outcomes.push(await runRound({ setting, strategy, round, images, programs, signal, logFolder, say }));
        save(plan, outcomes);
      }
    }
  }
  return outcomes;
}

/** After every round: a run that is ended early has something to show. */
function save({ out }: Plan, outcomes: readonly Outcome[]): void {
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, "result.json"), JSON.stringify(outcomes));
  writeFileSync(join(out, "table.md"), `${table(outcomes)}\n`);
  writeFileSync(join(out, "picture.html"), picture(outcomes));
}

async function main(): Promise<number> {
  const values = readArguments();
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const plan = planOf(values);
  const problems = missing();
  if (problems.length > 0) throw new UsageError(problems.join("\n"));
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => interrupted.abort(new Error(`ended by ${signal}`)));
  }
  return withFileLock(LOCK_FILE, async () => {
    await cleanUp();
    if (values.clean) return 0;
    const outcomes = await measure(plan, interrupted.signal);
    console.log(plan.json ? JSON.stringify(outcomes) : table(outcomes));
    const missed = shortcomings(outcomes);
    for (const message of missed) say(message);
    return missed.length > 0 ? 1 : 0;
  });
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof UsageError ? `real-node: ${error.message}\n\n${USAGE}` : error);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
