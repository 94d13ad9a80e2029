/** The rounds of a run. Each finished round is a file, so a long run can be made in pieces. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
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

export function keepRound(out: string, round: Round, outcome: Outcome): void {
  mkdirSync(folderIn(out), { recursive: true });
  writeFileSync(fileOf(out, round), JSON.stringify({ setting: round.setting, outcome }));
}

/** The outcome of a finished round. One that was made with other settings does not count. */
export function finishedRound(out: string, round: Round): Outcome | undefined {
  const file = fileOf(out, round);
  if (!existsSync(file)) return undefined;
  const { setting, outcome } = JSON.parse(readFileSync(file, "utf8"), never) as { setting: unknown; outcome: Outcome };
  return JSON.stringify(setting) === JSON.stringify(round.setting) ? outcome : undefined;
}

/** JSON writes the time of a pod that never became Ready, which is infinite, as null. */
const never = (_key: string, value: unknown) => (value === null ? Number.POSITIVE_INFINITY : value);
