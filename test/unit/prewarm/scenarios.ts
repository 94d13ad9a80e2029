/** Scenarios that tests write as objects. */
import { scenarioFrom } from "../../../src/simulate/scenario/parse.ts";
import type { Scenario } from "../../../src/simulate/scenario/schema.ts";

export function scenarioOf(file: object): Scenario {
  const parsed = scenarioFrom(file);
  if (!parsed.ok) throw new Error(parsed.errors.map(({ message }) => message).join("\n"));
  return parsed.scenario;
}
