/** `npm run bench:real-node`: the herd on a real kubelet and containerd with a slow disk, with and without Paceline. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { findBinaries } from "../../dev/control-plane/binaries.ts";
import { measuredHere } from "../../dev/docs/figures.ts";
import { withProgress } from "../progress.ts";
import { withFileLock } from "../../dev/control-plane/file-lock.ts";
import { cleanUp } from "./clean-up.ts";
import { LOCK_FILE } from "./host.ts";
import { buildImages } from "./images.ts";
import type { Outcome } from "./outcome.ts";
import { writeRealNode } from "./page.ts";
import { picture } from "./picture.ts";
import { buildPrograms, type Programs } from "./programs.ts";
import { isProof, resultsOf, shortcomings, table } from "./report.ts";
import { disturbance, missing } from "./requirements.ts";
import { runRound } from "./round.ts";
import { finishedRound, forgetRounds, keepRound, keptRound, type Round, roundsOf, whereMade } from "./rounds.ts";
import { type SettingName, settings, strategies, type Strategy } from "./settings.ts";

const USAGE = `npm run bench:real-node [-- --quick] [--rounds N] [--setting harsh,mild,even] [--strategy all-at-once,paceline,…]
                           [--at-most N] [--resume] [--out FOLDER] [--logs] [--record] [--json]
                           [--write]

Runs the herd on a real kubelet and containerd whose disk is throttled. Root on Linux only; puts everything back.
--quick     harsh setting, one round, all-at-once and paceline; without it harsh and mild, two rounds, all strategies
            All at once on the harsh setting is repeated, three rounds at most, until a start fails: that is chance
--at-most   makes so many rounds now (a round takes two to three minutes) and leaves the rest to --resume
--resume    keeps the finished rounds of the output folder (default out/real-node) and makes those that are missing
--logs      keeps in it the logs of kubelet, containerd and Paceline, and a timeline, of each round
--record    keeps in it what paceline replay reads of each round; npm run bench:replay compares it
--write     writes the run into docs/real-node.md and README.md, once no round is left
--clean     only removes what a crashed run left
Exit 0: the targets are met, or rounds are left. Exit 1: they are not. Exit 2: wrong usage, or the machine lacks something.
Exit 130: ended by Ctrl-C.`;

class UsageError extends Error {}
/** The run was interrupted; by then everything is undone. */
class Interrupted extends Error {}
/** As a shell reports a program that Ctrl-C has ended. */
const INTERRUPTED_CODE = 130;

interface Plan {
  readonly rounds: readonly Round[];
  /** How many of them may be made now. */
  readonly atMost: number;
  readonly resume: boolean;
  readonly out: string;
  readonly logs: boolean;
  readonly record: boolean;
  readonly json: boolean;
  readonly write: boolean;
}

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        quick: { type: "boolean", default: false },
        rounds: { type: "string" },
        setting: { type: "string" },
        strategy: { type: "string" },
        "at-most": { type: "string" },
        resume: { type: "boolean", default: false },
        out: { type: "string", default: "out/real-node" },
        logs: { type: "boolean", default: false },
        record: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        write: { type: "boolean", default: false },
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

/** @throws UsageError unless it is a whole number from 1. */
function count(option: string, text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new UsageError(`--${option}: give a whole number from 1`);
  return number;
}

function planOf(values: ReturnType<typeof readArguments>): Plan {
  const names = Object.keys(settings) as SettingName[];
  const { quick, resume, out, logs, record, json, write } = values;
  const usual: readonly SettingName[] = quick ? ["harsh"] : ["harsh", "mild"];
  const ofSettings = chosen("setting", values.setting, names, usual).map((name) => settings[name]);
  const quickly: readonly Strategy[] = ["all-at-once", "paceline"];
  const ofStrategies = chosen("strategy", values.strategy, strategies, quick ? quickly : strategies);
  const rounds = roundsOf(ofSettings, ofStrategies, count("rounds", values.rounds ?? (quick ? "1" : "2")));
  const atMost = values["at-most"] === undefined ? Infinity : count("at-most", values["at-most"]);
  return { rounds, atMost, resume, out, logs, record, json, write };
}

const say = (line: string) => void process.stderr.write(`real-node: ${line}\n`);

/** Makes the rounds that are missing, as many as it may. Returns the plan as it came to be. */
async function measure(asked: Plan, programs: Programs, signal: AbortSignal): Promise<Plan> {
  if (!asked.resume) forgetRounds(asked.out);
  let plan = withFurtherHerd(asked);
  for (let made = 0; made < asked.atMost; made += 1) {
    const round = plan.rounds.find((one) => !finishedRound(plan.out, one));
    if (!round) break;
    signal.throwIfAborted();
    const images = await withProgress(
      `making the images of ${round.setting.name}`,
      () => buildImages(round.setting, programs.pause),
      { detail: "once, about a minute" },
    );
    const logFolder = plan.logs ? plan.out : undefined;
    const recordTo = plan.record ? plan.out : undefined;
    const where = measuredHere();
    const outcome = await runRound({ ...round, images, programs, signal, logFolder, recordTo, say });
    keepRound(plan.out, round, { outcome, where });
    save(plan.out, finished(plan));
    plan = withFurtherHerd(plan);
  }
  return plan;
}

/** Most tries of all at once until a start fails. */
const MOST_HERDS = 3;

/** Adds a round of all at once if all rounds are done and no start failed: whether one fails is chance. */
function withFurtherHerd(plan: Plan): Plan {
  const herds = plan.rounds.filter(({ setting, strategy }) => isProof(setting.name, strategy));
  const outcomes = herds.map((round) => finishedRound(plan.out, round));
  const last = herds.at(-1);
  if (!last || herds.length >= MOST_HERDS || !outcomes.every((outcome) => outcome?.failedStarts === 0)) return plan;
  return withFurtherHerd({ ...plan, rounds: [...plan.rounds, { ...last, round: herds.length + 1 }] });
}

function finished({ out, rounds }: Plan): Outcome[] {
  return rounds.map((round) => finishedRound(out, round)).filter((outcome) => outcome !== undefined);
}

/** Saves after every round, so that a run that ends early has a result. */
function save(out: string, outcomes: readonly Outcome[]): void {
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, "result.json"), JSON.stringify(outcomes));
  writeFileSync(join(out, "table.md"), `${table(resultsOf(outcomes))}\n`);
  writeFileSync(join(out, "picture.html"), picture(outcomes));
}

/** Exit code 0 when the targets are met, or when that is not known yet. */
function verdict(plan: Plan, outcomes: readonly Outcome[]): number {
  const left = plan.rounds.length - outcomes.length;
  if (left > 0) {
    say(`${left} of ${plan.rounds.length} rounds are left; --resume makes them`);
    return 0;
  }
  const missed = shortcomings(outcomes);
  for (const message of missed) say(message);
  return missed.length > 0 ? 1 : 0;
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
  // Built before anybody handles Ctrl-C: up to here it ends us, and there is nothing to put back.
  const programs = values.clean ? undefined : await builtPrograms();
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => interrupted.abort(new Interrupted(`ended by ${signal}`)));
  }
  return withFileLock(LOCK_FILE, async () => {
    await cleanUp();
    if (programs === undefined) return 0;
    if (disturbance() !== "") say(disturbance());
    const made = await measure(plan, programs, interrupted.signal);
    const outcomes = finished(made);
    console.log(plan.json ? JSON.stringify(outcomes) : table(resultsOf(outcomes)));
    if (made.write && outcomes.length === made.rounds.length) {
      await writeRealNode(outcomes, whereMade(made.rounds.flatMap((round) => keptRound(made.out, round) ?? [])));
    }
    return verdict(made, outcomes);
  });
}

async function builtPrograms(): Promise<Programs> {
  await findBinaries();
  return buildPrograms();
}

try {
  process.exitCode = await main();
} catch (error) {
  if (error instanceof Interrupted) say(`${error.message}; everything is put back, --resume goes on`);
  else console.error(error instanceof UsageError ? `real-node: ${error.message}\n\n${USAGE}` : error);
  process.exitCode = error instanceof Interrupted ? INTERRUPTED_CODE : error instanceof UsageError ? 2 : 1;
}
