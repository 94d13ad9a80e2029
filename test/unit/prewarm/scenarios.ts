/** Scenarios that tests write as objects. */
import { stringify } from "yaml";
import { parseScenario } from "../../../src/simulate/scenario/parse.ts";
import type { Scenario } from "../../../src/simulate/scenario/schema.ts";

export function scenarioOfText(file: object): Scenario {
  const parsed = parseScenario(stringify(file));
  if (!parsed.ok) throw new Error(parsed.errors.map(({ message }) => message).join("\n"));
  return parsed.scenario;
}
