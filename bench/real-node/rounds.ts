/** The rounds of a run. Each finished round is a file, so a long run can be made in pieces. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Measured } from "../../dev/docs/figures.ts";
import type { Outcome } from "./outcome.ts";
import type { Setting, Strategy } from "./settings.ts";

export interface Round {
  readonly setting: Setting;
  readonly strategy: Strategy;
  /** From 1. */
  readonly round: number;
}

/** Rounds alternate between the strategies, so that drift affects all of them. */
export function roundsOf(settings: readonly Setting[], strategies: readonly Strategy[], rounds: number): Round[] {
  const numbers = Array.from({ length: rounds }, (_, index) => index + 1);
  return settings.flatMap((setting) =>
    numbers.flatMap((round) => strategies.map((strategy) => ({ setting, strategy, round }))),
  );
}

const folderIn = (out: string) => join(out, "rounds");
const fileOf = (out: string, { setting, strategy, round }: Round) =>
  join(folderIn(out), `${setting.name}-${strategy}-${String(round)}.json`);

/** Forgets all finished rounds: a new run begins. */
export function forgetRounds(out: string): void {
  rmSync(folderIn(out), { recursive: true, force: true });
}

/** What the file of a finished round has. */
export interface KeptRound {
  readonly setting: Setting;
  readonly outcome: Outcome;
  readonly where: Measured;
}

export function keepRound(out: string, round: Round, kept: Omit<KeptRound, "setting">): void {
  mkdirSync(folderIn(out), { recursive: true });
  writeFileSync(fileOf(out, round), JSON.stringify({ setting: round.setting, ...kept }));
}

/** All finished rounds in the folder. */
export const keptRounds = (out: string): KeptRound[] =>
  existsSync(folderIn(out))
    ? readdirSync(folderIn(out)).flatMap((file) => readRound(join(folderIn(out), file)) ?? [])
    : [];

/** Undefined: a file of an earlier version, which did not note where the round was made. */
function readRound(file: string): KeptRound | undefined {
  const { where, ...kept } = JSON.parse(readFileSync(file, "utf8"), never) as Partial<KeptRound>;
  return where && ({ ...kept, where } as KeptRound);
}

/** Where rounds were made that belong together: the last day, and the highest load. */
export function whereMade(rounds: readonly KeptRound[]): Measured {
  const [first, ...others] = rounds.map(({ where }) => where);
  if (!first) throw new Error("there is no round");
  return others.reduce((all, { measured, load = 0 }) => {
    return {
      ...all,
      measured: measured > all.measured ? measured : all.measured,
      load: Math.max(all.load ?? 0, load),
    };
  }, first);
}

/** A finished round. One that was made with other settings does not count. */
export function keptRound(out: string, round: Round): KeptRound | undefined {
  const file = fileOf(out, round);
  const kept = existsSync(file) ? readRound(file) : undefined;
  return JSON.stringify(kept?.setting) === JSON.stringify(round.setting) ? kept : undefined;
}

export const finishedRound = (out: string, round: Round): Outcome | undefined => keptRound(out, round)?.outcome;

/** JSON writes the time of a pod that never became Ready, which is infinite, as null. */
const never = (_key: string, value: unknown) => (value === null ? Number.POSITIVE_INFINITY : value);
