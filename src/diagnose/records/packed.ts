/**
 * Records that a subscription of CloudWatch Logs hands on: gzip in base64, within Lambda's, Kinesis' or Firehose's own
 * record.
 */
import { gunzipSync } from "node:zlib";
import { recordOf, textOf, type Json } from "../json.ts";

/** Most that one packed record may hold, bytes: a subscription sends 1 MiB at most, packed. */
const MOST_BYTES = 64 * 1_048_576;
/** How gzip, and how a JSON object, begin in base64. */
const BEGINNING = /^(?:H4sI|eyJ)/;

/** Whether a text is base64 of gzip or of JSON, and nothing else. */
export const isPacked = (text: string): boolean => BEGINNING.test(text) && /^[A-Za-z0-9+/]+={0,2}$/.test(text);

/** The text inside, or undefined when it is damaged. */
export function unpacked(text: string): string | undefined {
  const bytes = Buffer.from(text, "base64");
  if (bytes[0] !== 0x1f) return bytes.toString("utf8");
  try {
    return gunzipSync(bytes, { maxOutputLength: MOST_BYTES }).toString("utf8");
  } catch {
    return undefined;
  }
}

/** The packed text of a record of Lambda (`awslogs.data`), Kinesis (`kinesis.data`) or Firehose (`data`). */
export function packedData(record: Json): string | undefined {
  const candidates = [recordOf(record["awslogs"])["data"], recordOf(record["kinesis"])["data"], record["data"]];
  return candidates.map(textOf).find(isPacked);
}
