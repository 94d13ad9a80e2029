/** Parses a scenario file into a scenario and its policy, or reports all errors at once, each with its place. */
import { LineCounter, parseDocument } from "yaml";
import type * as z from "zod";
import { deepFreeze } from "../../policy/frozen.ts";
import { messageOf } from "../../policy/messages.ts";
import { DEFAULT_NODE_CLASS_NAME } from "../../policy/node-class.ts";
import { parsePolicy } from "../../policy/parse.ts";
import { type Path, pathText, type Position, positionAt, positionOf } from "../../policy/yaml-position.ts";
import { type PacingPolicy, POLICY_API_VERSION, POLICY_KIND } from "../../policy/schema.ts";
import { Scenario } from "./schema.ts";

/** An error in a scenario. */
export interface ScenarioError {
  /** The path, such as `nodes[0].disk.iops`; "" is the whole document. */
  readonly path: string;
  /** The path, the error, and what to write instead, with line and column if known. */
  readonly message: string;
}

export type ScenarioResult =
  | { readonly ok: true; readonly scenario: Scenario; readonly policy: PacingPolicy }
  | { readonly ok: false; readonly errors: readonly ScenarioError[] };

/** The most errors to report. A reader fixes the first hundred before reading on. */
const MAX_ERRORS = 100;

/** Reads a scenario. Never throws. */
export function parseScenario(text: string): ScenarioResult {
  const lines = new LineCounter();
  try {
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: "error" });
    if (document.errors.length > 0) {
      return failure(
        document.errors.map(({ message, pos }) =>
          error([], `is not valid YAML: ${message}`, positionAt(lines, pos[0])),
        ),
      );
    }
    // Every image name may be an alias, so the bound is high. It only stops files whose aliases multiply.
    return validate(document.toJS({ maxAliasCount: 10_000 }), (path) => positionOf(document, lines, path));
  } catch (cause) {
    return failure([error([], `cannot be read (${(cause as Error).message})`, undefined)]);
  }
}

/** The same of a value that was made and not written: no error has a line. Never throws. */
export const scenarioFrom = (value: unknown): ScenarioResult => validate(value, () => undefined);

function validate(value: unknown, locate: (path: Path) => Position | undefined): ScenarioResult {
  const parsed = Scenario.safeParse(value, { error: messageOf, reportInput: true });
  const policy = policyOf(value, parsed.data);
  const issues = parsed.success ? [] : parsed.error.issues.flatMap(findings);
  const errors = [
    ...issues.map(({ path, message }) => error(path, message, locate(path))),
    ...(policy.ok ? [] : policy.errors.map(({ path, message }) => policyError(path, message, locate(["policy"])))),
  ];
  if (parsed.success && policy.ok) return { ok: true, scenario: deepFreeze(parsed.data), policy: policy.policy };
  return failure(errors);
}

/**
 * The scenario's own policy, checked as `paceline serve` checks the ConfigMap. Without node classes it gets the
 * kubelets' own pull budget, because an operator that sets that budget also sets it in the policy.
 */
function policyOf(value: unknown, scenario: Scenario | undefined) {
  const given = typeof value === "object" && value !== null && "policy" in value ? value.policy : {};
  const keys = typeof given === "object" && given !== null && !Array.isArray(given) ? given : {};
  const nodeClasses = scenario && [defaultClass(scenario)];
  return parsePolicy(JSON.stringify({ apiVersion: POLICY_API_VERSION, kind: POLICY_KIND, nodeClasses, ...keys }));
}

const defaultClass = ({ kubelet: { registryPullQPS: qps, registryBurst: burst } }: Scenario) => ({
  name: DEFAULT_NODE_CLASS_NAME,
  pullQPS: { qps, burst },
});

/** The policy's errors get the place of the key `policy`, because its parser saw another text. */
function policyError(path: string, message: string, place: Position | undefined): ScenarioError {
  const words = message.replace(/ \(line \d+, column \d+\)$/, "");
  const where = place === undefined ? "" : ` (line ${place.line}, column ${place.column})`;
  return { path: `policy.${path}`, message: `policy.${words}${where}` };
}

function findings(issue: z.core.$ZodIssue): readonly { path: Path; message: string }[] {
  if (issue.code !== "unrecognized_keys") return [issue];
  const messages = issue.message.split("\n");
  return issue.keys.map((key, index) => ({ path: [...issue.path, key], message: messages[index] ?? issue.message }));
}

function error(path: Path, problem: string, place: Position | undefined): ScenarioError {
  const text = pathText(path);
  const where = place === undefined ? "" : ` (line ${place.line}, column ${place.column})`;
  return { path: text, message: `${text === "" ? "the scenario" : text}: ${problem}${where}` };
}

function failure(errors: readonly ScenarioError[]): ScenarioResult {
  const more = errors.length - MAX_ERRORS;
  if (more <= 0) return { ok: false, errors };
  return { ok: false, errors: [...errors.slice(0, MAX_ERRORS), error([], `has ${more} more errors`, undefined)] };
}
