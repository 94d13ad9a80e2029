/** JSON that others wrote, read without ever throwing. */
import { recordOf, textOf } from "../kube/parse/kube-json.ts";

export { isRecord, recordOf, recordsOf, textOf } from "../kube/parse/kube-json.ts";

export type Json = Readonly<Record<string, unknown>>;

const ZONELESS = /^\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d+)?$/;
/** Numbers above this are ms, above the square of a thousand more µs: 1e11 s is the year 5138. */
const SECONDS_BELOW = 1e11;
/** Dates outside are not times of a cluster: a clock that was never set, or a number that means something else. */
const EARLIEST_MS = Date.UTC(2000, 0, 1);
const LATEST_MS = Date.UTC(2200, 0, 1);

/**
 * Epoch ms of an RFC 3339 time, CloudWatch's `2026-11-24 08:00:00.000` (UTC), or a number in s, ms, µs or ns; else
 * undefined.
 */
export function timeOf(value: unknown): number | undefined {
  if (typeof value === "number") return plausible(numberTime(value));
  if (typeof value !== "string" || value === "") return undefined;
  if (/^\d+(?:\.\d+)?$/.test(value)) return plausible(numberTime(Number(value)));
  const text = value.replace(",", ".").replace(/([+-]\d\d)(\d\d)$/, "$1:$2");
  return plausible(Date.parse(ZONELESS.test(text) ? `${text.replace(" ", "T")}Z` : text));
}

function numberTime(value: number): number {
  if (value < SECONDS_BELOW) return value * 1_000;
  if (value < SECONDS_BELOW * 1_000) return value;
  return value < SECONDS_BELOW * 1e6 ? value / 1_000 : value / 1e6;
}

const plausible = (ms: number) => (ms >= EARLIEST_MS && ms < LATEST_MS ? ms : undefined);

/** Words kept of a value that is nested too deeply to be written as JSON, characters. */
const MOST_WORDS = 1_000_000;

/** A value as JSON; `isTooDeep` when nesting forbids it: its keys and texts then, so that marks in it are found. */
export function written(value: unknown): { readonly text: string; readonly isTooDeep: boolean } {
  try {
    return { text: JSON.stringify(value), isTooDeep: false };
  } catch (error) {
    // Hostile nesting exhausts the stack; nothing else can go wrong with what JSON.parse gave.
    if (!(error instanceof RangeError)) throw error;
    return { text: wordsIn(value), isTooDeep: true };
  }
}

/** Keys and texts in a value, without recursion. */
function wordsIn(value: unknown): string {
  const open: unknown[] = [value];
  const words: string[] = [];
  for (let chars = 0; open.length > 0 && chars < MOST_WORDS;) {
    const one = open.pop();
    if (typeof one === "string") {
      words.push(one);
      chars += one.length;
    } else if (typeof one === "object" && one !== null) {
      for (const [key, held] of Object.entries(one)) open.push(held, ...(Array.isArray(one) ? [] : [key]));
    }
  }
  return words.join(" ");
}

/** RFC 3339 in UTC; no fraction when it is a whole second. */
export function rfc3339(ms: number): string {
  return new Date(ms).toISOString().replace(".000Z", "Z");
}

/** `Kind/name` of the controller in `metadata.ownerReferences`, a ReplicaSet's by its Deployment; "" for none. */
export function ownerOf(metadata: Json): string {
  const references = Array.isArray(metadata["ownerReferences"]) ? metadata["ownerReferences"].map(recordOf) : [];
  const owner = references.find((one) => one["controller"] === true) ?? references[0];
  if (!owner) return "";
  const name = textOf(owner["name"]);
  const hash = textOf(recordOf(metadata["labels"])["pod-template-hash"]);
  if (owner["kind"] === "ReplicaSet" && hash !== "" && name.endsWith(`-${hash}`)) {
    return `Deployment/${name.slice(0, -hash.length - 1)}`;
  }
  return `${textOf(owner["kind"])}/${name}`;
}
