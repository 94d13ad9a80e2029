/** A text that is a record, or has one behind a prefix; or a line of a log. */
import type { Sink } from "../findings/sink.ts";
import { timeOf } from "../json.ts";
import { readLogLine } from "./log-line.ts";
import { readValue, type RecordContext } from "./unwrap.ts";

const STAMP = /^(\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d)?|\d{13})(?=[\s,])/;
/** Prefixes are short: a time stamp, a stream's name. */
const LONGEST_PREFIX = 300;

/** Reads a text; false when it has no known shape. Broken JSON inside is skipped as such and counts as read. */
export function readText(text: string, context: RecordContext, sink: Sink): boolean {
  const brace = text.indexOf("{");
  if (brace >= 0 && brace <= LONGEST_PREFIX && looksLikeRecord(text, brace)) {
    const loggedMs = context.loggedMs ?? timeOf(STAMP.exec(text)?.[1]);
    const value = parsed(text.slice(brace));
    if (value !== undefined) {
      readValue(value, { ...context, loggedMs }, sink, 1);
      return true;
    }
    if (brace === 0 || STAMP.test(text)) {
      sink.skip("brokenJson");
      return true;
    }
  }
  if (readLogLine(text, context, sink)) return true;
  return false;
}

/** A brace at the start or after a prefix, followed by a key. Lines of logs have braces further in, without. */
const looksLikeRecord = (text: string, brace: number) => /^\{\s*"/.test(text.slice(brace, brace + 40));

/** The value, or undefined when it is no JSON. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
