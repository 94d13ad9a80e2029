/** A text that is a record, or has one behind a prefix; or a line of a log. */
import type { Sink } from "../findings/sink.ts";
import { timeOf } from "../json.ts";
import { readLogLine } from "./log-line.ts";
import { isPacked, unpacked } from "./packed.ts";
import { readValue, type RecordContext } from "./unwrap.ts";

const STAMP = /^(\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d)?|\d{13})(?=[\s,])/;
/** Prefixes are short: a time stamp, a stream's name. */
const LONGEST_PREFIX = 300;

/** What journalctl says of the journal itself: `-- Logs begin at …`, `-- Reboot --`, `-- No entries --`. */
const JOURNAL_NOTE = /^-- .+ --$/;

/** Reads a text; false when it has no known shape. Broken JSON inside is skipped as such and counts as read. */
export function readText(text: string, context: RecordContext, sink: Sink): boolean {
  if (JOURNAL_NOTE.test(text)) {
    sink.usable();
    return true;
  }
  if (isPacked(text)) return readPackedText(text, context, sink);
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

/** Base64 of gzip, as subscriptions deliver it. Damage counts as read. */
function readPackedText(text: string, context: RecordContext, sink: Sink): boolean {
  const inner = unpacked(text);
  const value = inner === undefined ? undefined : parsed(inner);
  if (value !== undefined) readValue(value, context, sink, 1);
  else sink.skip(inner === undefined ? "truncatedGzip" : "brokenJson");
  return true;
}

/**
 * A brace at the start or after a prefix, followed by a key. Lines of logs have braces further in, without; or after the
 * name of a field (`event={"ID":…}`).
 */
const looksLikeRecord = (text: string, brace: number) =>
  text[brace - 1] !== "=" && /^\{\s*"/.test(text.slice(brace, brace + 40));

/** The value, or undefined when it is no JSON. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
