/** Reads the text of `policy.yaml`: gives a frozen policy, or all errors at once, each with its place. */
import { LineCounter, parseDocument, type YAMLParseError } from "yaml";
import type * as z from "zod";
import { POLICY_CONFIG_MAP, POLICY_KEY } from "../api/names.ts";
import { deepFreeze } from "./frozen.ts";
import { messageOf } from "./messages.ts";
import { type Path, pathText, type Position, positionAt, positionOf } from "./yaml-position.ts";
import { PacingPolicy, type PacingPolicyInput, POLICY_API_VERSION, POLICY_KIND } from "./schema.ts";

/** One error in a policy. */
export interface PolicyError {
  /** Path in the document, such as `nodeClasses[1].slots.min`; "" is the whole document. */
  readonly path: string;
  /** The path, the error and what to write instead, and line and column if they are known. */
  readonly message: string;
  /** Counted from 1. */
  readonly line?: number;
  /** Counted from 1. */
  readonly column?: number;
}

export type PolicyResult =
  | { readonly ok: true; readonly policy: PacingPolicy }
  | { readonly ok: false; readonly errors: readonly PolicyError[] };

/** The header of every policy. */
const HEADER = { apiVersion: POLICY_API_VERSION, kind: POLICY_KIND } as const;

/**
 * Longest policy that is read, in characters: far more than any needs, and few enough to refuse the worst within 1 s.
 */
const MAX_POLICY_LENGTH = 65_536;

/** Most errors that are reported: people fix the first hundred before they read on. */
const MAX_ERRORS = 100;

/**
 * Reads a policy. Never throws, whatever the text.
 * @param yamlText the content of `policy.yaml`: YAML 1.2 or JSON, one document
 */
export function parsePolicy(yamlText: string): PolicyResult {
  if (yamlText.length > MAX_POLICY_LENGTH) return refusal(`is longer than ${MAX_POLICY_LENGTH} characters; shorten it`);
  if (yamlText.trim() === "")
    return refusal(`is empty; write at least apiVersion: ${HEADER.apiVersion} and kind: ${HEADER.kind}`);
  try {
    return parseYaml(yamlText);
  } catch (error) {
    // The YAML library throws on aliases that multiply, and on nesting that exhausts the stack.
    return refusal(`cannot be read (${(error as Error).message}); write it without aliases and deep nesting`);
  }
}

function parseYaml(yamlText: string): PolicyResult {
  const lines = new LineCounter();
  const document = parseDocument(yamlText, { lineCounter: lines, prettyErrors: false, logLevel: "error" });
  if (document.errors.length > 0) return failure(document.errors.map((error) => syntaxError(error, lines)));
  return validate(document.toJS(), (path) => positionOf(document, lines, path));
}

function syntaxError(error: Pick<YAMLParseError, "code" | "message" | "pos">, lines: LineCounter): PolicyError {
  const problem =
    error.code === "MULTIPLE_DOCS" ? "holds more than one document; keep one" : `is not valid YAML: ${error.message}`;
  return policyError([], problem, positionAt(lines, error.pos[0]));
}

/** Reads the policy from its ConfigMap, as the API server gives it. Never throws, even if `data` is malformed. */
export function parsePolicyConfigMap(configMap: {
  readonly data?: Readonly<Record<string, unknown>> | null | undefined;
}): PolicyResult {
  const text = configMap.data?.[POLICY_KEY];
  if (typeof text === "string") return parsePolicy(text);
  return refusal(
    `is not in ConfigMap ${POLICY_CONFIG_MAP}, which has no key ${POLICY_KEY}; put it under data["${POLICY_KEY}"]`,
  );
}

/**
 * The default policy, with the given overrides.
 * @throws {TypeError} when the overrides are no valid policy: they come from code, not from a user
 */
export function defaultPolicy(overrides: Omit<PacingPolicyInput, "apiVersion" | "kind"> = {}): PacingPolicy {
  const result = validate({ ...overrides, ...HEADER }, () => undefined);
  if (result.ok) return result.policy;
  throw new TypeError(result.errors.map(({ message }) => message).join("\n"));
}

function validate(value: unknown, locate: (path: Path) => Position | undefined): PolicyResult {
  const parsed = PacingPolicy.safeParse(value, { error: messageOf, reportInput: true });
  if (parsed.success) return { ok: true, policy: deepFreeze(parsed.data) };
  const errors = parsed.error.issues
    .flatMap(findings)
    .map(({ path, message }) => policyError(path, message, locate(path)));
  return failure(inReadingOrder(errors));
}

/** One finding for each issue; several unknown keys of one object are several findings (see unknownKeysMessage). */
function findings(issue: z.core.$ZodIssue): readonly { path: Path; message: string }[] {
  if (issue.code !== "unrecognized_keys") return [issue];
  const messages = issue.message.split("\n");
  return issue.keys.map((key, index) => ({ path: [...issue.path, key], message: messages[index] ?? issue.message }));
}

function policyError(path: Path, problem: string, place: Position | undefined): PolicyError {
  const text = pathText(path);
  const where = place === undefined ? "" : ` (line ${place.line}, column ${place.column})`;
  return { path: text, message: `${text === "" ? "the policy" : text}: ${problem}${where}`, ...place };
}

function refusal(problem: string): PolicyResult {
  return failure([policyError([], problem, undefined)]);
}

function failure(errors: readonly PolicyError[]): PolicyResult {
  const more = errors.length - MAX_ERRORS;
  if (more <= 0) return { ok: false, errors };
  return { ok: false, errors: [...errors.slice(0, MAX_ERRORS), policyError([], `has ${more} more errors`, undefined)] };
}

/** Sorts errors from top to bottom. Those without a place come first, in their order. */
function inReadingOrder(errors: readonly PolicyError[]): readonly PolicyError[] {
  return errors.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
}
