/**
 * What a workload may ask for itself, by annotations on its pods. Every account that may create a pod may write these,
 * so they can only give something up: time of its own hold, or its own pods' places to one another.
 */
import { MAX_HOLD_ANNOTATION, ORDER_ANNOTATION } from "../api/names.ts";
import { LONGEST_HOLD_SECONDS } from "./caps.ts";

/** A place among the pods of one's own namespace and priority; undefined: between the two. */
export type OwnOrder = "first" | "last";

export interface OwnTerms {
  /** Counts where it is lower than the policy's. */
  readonly maxHoldSeconds?: number;
  readonly order?: OwnOrder;
}

/** Longest piece of a value that a message repeats, in characters: API servers cut warnings off at 256 bytes. */
const MOST_QUOTED = 20;

/** Reads them; what cannot be read counts as not there. */
export function ownTerms(annotations: Readonly<Record<string, unknown>>): OwnTerms {
  const seconds = secondsOf(annotations[MAX_HOLD_ANNOTATION]);
  const order = annotations[ORDER_ANNOTATION];
  return {
    ...(seconds !== undefined && { maxHoldSeconds: seconds }),
    ...((order === "first" || order === "last") && { order }),
  };
}

/** A sentence for each that cannot be read, with its name, its value and what to write. */
export function ignoredTerms(annotations: Readonly<Record<string, unknown>>): readonly string[] {
  const { [MAX_HOLD_ANNOTATION]: seconds, [ORDER_ANNOTATION]: order } = annotations;
  const ignored = (name: string, value: unknown, instead: string) =>
    `${name}: ${JSON.stringify(shown(value).slice(0, MOST_QUOTED))} is ignored; write ${instead}`;
  return [
    ...(seconds !== undefined && secondsOf(seconds) === undefined
      ? [ignored(MAX_HOLD_ANNOTATION, seconds, `whole seconds, "1" to "${LONGEST_HOLD_SECONDS}"`)]
      : []),
    ...(order !== undefined && order !== "first" && order !== "normal" && order !== "last"
      ? [ignored(ORDER_ANNOTATION, order, "first, normal or last")]
      : []),
  ];
}

/** An object's own `toString` may be anything. */
const shown = (value: unknown) => (value === Object(value) ? "an object" : String(value));

function secondsOf(value: unknown): number | undefined {
  if (typeof value !== "string" || !/^[1-9]\d{0,2}$/.test(value)) return undefined;
  const seconds = Number(value);
  return seconds <= LONGEST_HOLD_SECONDS ? seconds : undefined;
}
