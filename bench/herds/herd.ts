/** Herds in a folder: one scenario a file. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { PacingPolicy } from "../../src/policy/schema.ts";
import type { Assumptions } from "../../src/simulate/model/constants.ts";
import { parseScenario } from "../../src/simulate/scenario/parse.ts";
import type { Scenario } from "../../src/simulate/scenario/schema.ts";

export interface Herd {
  readonly name: string;
  readonly scenario: Scenario;
  readonly policy: PacingPolicy;
  readonly assumptions?: Partial<Assumptions>;
}

/** An argument that cannot be used; its message is for the person who gave it. */
export class UnusableInput extends Error {}

const ENDING = /\.ya?ml$/;

/** The folder's herds in the order of their names; those of `names` only, if any are given. */
export function readHerds(folder: string, names: readonly string[] = []): readonly Herd[] {
  const files = filesIn(folder).filter((file) => ENDING.test(file));
  if (files.length === 0) throw new UnusableInput(`${folder} has no scenario (*.yaml)`);
  const known = new Map(files.sort().map((file) => [file.replace(ENDING, ""), file]));
  const missing = names.filter((name) => !known.has(name));
  if (missing.length > 0) throw new UnusableInput(`${folder} has no herd ${missing.join(", ")}`);
  const chosen = [...known].filter(([name]) => names.length === 0 || names.includes(name));
  return chosen.map(([name, file]) => readHerd(name, join(folder, file)));
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    throw new UnusableInput(`cannot read the folder of herds: ${(error as Error).message}`);
  }
}

function readHerd(name: string, file: string): Herd {
  const parsed = parseScenario(readFileSync(file, "utf8"));
  if (parsed.ok) return { name, scenario: parsed.scenario, policy: parsed.policy };
  throw new UnusableInput(`${file} is no scenario:\n${parsed.errors.map(({ message }) => `  ${message}`).join("\n")}`);
}

/** The herd with DaemonSets that tolerate every taint, the fence too. */
export function withTolerantDaemonSets(herd: Herd): Herd {
  const workloads = herd.scenario.workloads.map((one) =>
    one.kind === "DaemonSet" ? { ...one, toleratesEverything: true } : one,
  );
  return { ...herd, scenario: { ...herd.scenario, workloads } };
}
