/** Building blocks of the policy's schema: strict objects that suggest the right key for a misspelt one. */
import { distance } from "fastest-levenshtein";
import * as z from "zod";

/** A key at most this many edits away is suggested. Assumed: two typing mistakes, one in a short key. */
const MAX_EDITS = 2;

/** The key that was probably meant, if there is one; ignores case. */
function meantKey(unknown: string, known: readonly string[]): string | undefined {
  const edits = (key: string) => distance(unknown.toLowerCase(), key.toLowerCase());
  const [nearest] = known.toSorted((a, b) => edits(a) - edits(b));
  return nearest !== undefined && edits(nearest) <= Math.min(MAX_EDITS, unknown.length / 3) ? nearest : undefined;
}

/** One line for each unknown key, in order. parse.ts makes one error of each line. */
function unknownKeysMessage(unknown: readonly string[], known: readonly string[]): string {
  const line = (key: string) => {
    const meant = meantKey(key, known);
    return meant === undefined
      ? `is an unknown key; remove it, or write one of ${known.join(", ")}`
      : `is an unknown key; did you mean ${meant}?`;
  };
  return unknown.map(line).join("\n");
}

/** An object in which an unknown key is an error. */
export function section<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  const known = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) => (issue.code === "unrecognized_keys" ? unknownKeysMessage(issue.keys, known) : undefined),
  });
}

/** For superRefine: runs the rule even after other errors, so that all are reported at once. */
export const evenWithErrors = { when: () => true } as const;

/** The value as an object whose fields may be anything, for rules that run {@link evenWithErrors}. */
export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
