/** Says what is wrong with a value and what to write instead. The path is not part of the message. */
import type * as z from "zod";

/** zod's issue; its fields depend on the code. */
type RawIssue = z.core.$ZodRawIssue;

/** Longest piece of the user's text that a message repeats, in characters. */
const MAX_QUOTED_LENGTH = 60;

/** The user's word for the type that the YAML parser gave a value. */
function called(value: unknown): string {
  if (value === undefined) return "missing";
  if (value === null) return "empty";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a map";
  if (typeof value === "string") return JSON.stringify(value.slice(0, MAX_QUOTED_LENGTH));
  return typeof value === "number" || typeof value === "boolean" ? String(value) : `a ${typeof value}`;
}

/** What to write if zod expected this type, and a hint for the usual mistake. */
const wanted: Readonly<Record<string, readonly [what: string, hint?: string]>> = {
  string: ["text", ", in quotes if it looks like a number or true/false"],
  number: ["a number", " without quotes"],
  int: ["a whole number", " without quotes"],
  boolean: ["true or false", " without quotes"],
  array: ["a list"],
  object: ["a map (key: value)", ", or leave the key out for its defaults"],
  record: ["a map of texts (key: value)"],
};

function wrongType(expected: string, input: unknown): string {
  const [what, hint = ""] = wanted[expected] ?? [expected];
  return `is ${called(input)}; write ${what}${input === undefined ? "" : hint}`;
}

/** What a limit counts, by the kind of value that is limited. */
const countedAs: Readonly<Record<string, string>> = { string: " characters", array: " entries" };

function outOfRange(issue: RawIssue & { code: "too_big" | "too_small" }): string {
  const [strict, lax, limit] =
    issue.code === "too_big" ? ["less than", "at most", issue.maximum] : ["more than", "at least", issue.minimum];
  const bound = issue.inclusive === false ? strict : lax;
  return `is ${called(issue.input)}; write ${bound} ${String(limit)}${countedAs[issue.origin] ?? ""}`;
}

/** Choices in words. A discriminator with a default also lists undefined, which YAML cannot have, so it is left out. */
const listed = (choices: readonly (z.core.util.Primitive | RegExp)[]) =>
  choices
    .filter((choice) => choice !== undefined)
    .map((choice) => String(choice))
    .join(", ");

/** The message of an issue for which the schema has none; undefined leaves it to zod. */
export function messageOf(issue: RawIssue): string | undefined {
  if (issue.code === "invalid_type") return wrongType(issue.expected, issue.input);
  if (issue.code === "too_big" || issue.code === "too_small") return outOfRange(issue);
  if (issue.code === "invalid_value") {
    return `is ${called(issue.input)}; write ${issue.values.length > 1 ? "one of " : ""}${listed(issue.values)}`;
  }
  if (issue.code === "invalid_union" && Array.isArray(issue.options)) {
    return `is no known choice; write one of ${listed(issue.options as readonly z.core.util.Primitive[])}`;
  }
  if (issue.code === "invalid_key") return `has a key that ${issue.issues[0]?.message ?? "is not allowed"}`;
  return undefined;
}
