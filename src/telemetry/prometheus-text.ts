/**
 * Reads the wanted families of the Prometheus text format (version 0.0.4). It reads line by line and keeps nothing of
 * other families, so an exporter with hundreds of collectors costs no memory here. It is our own code, because no
 * maintained parser on the package registry reads a stream or stops early.
 */

import { lineRuns } from "./lines.ts";

/** One series: name, labels and value. */
export interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const NAME_END = /[{\s]/;
/** One label: a name, "=", and a value in quotes in which \\, \" and \n are escaped. */
const LABEL = /\s*([a-zA-Z_]\w*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(,|\})/y;
const unescape = (text: string) => text.replace(/\\(.)/g, (_, char: string) => (char === "n" ? "\n" : char));

/** Reads `{a="b",…}` from `start`. Returns the labels and the place after the brace; undefined when malformed. */
function readLabels(line: string, start: number): { labels: Record<string, string>; end: number } | undefined {
  const labels: Record<string, string> = {};
  if (line[start] === "}") return { labels, end: start + 1 };
  LABEL.lastIndex = start;
  for (let match = LABEL.exec(line); match !== null; match = LABEL.exec(line)) {
    labels[match[1] ?? ""] = unescape(match[2] ?? "");
    if (match[3] === "}" || line[LABEL.lastIndex] === "}") {
      return { labels, end: LABEL.lastIndex + (match[3] === "}" ? 0 : 1) };
    }
  }
  return undefined;
}

/** Reads a value: a Go float, "NaN", "+Inf" or "-Inf". A time stamp may follow. */
function readValue(text: string): number | undefined {
  const [word = ""] = text.trim().split(/\s+/, 1);
  if (word === "") return undefined;
  if (/^[+-]?inf$/i.test(word)) return word.startsWith("-") ? -Infinity : Infinity;
  const value = Number(word);
  return Number.isNaN(value) && word.toLowerCase() !== "nan" ? undefined : value;
}

/** Reads one line; undefined for comments, blank lines, other families and malformed lines. */
export function parseLine(line: string, wanted: ReadonlySet<string>): Series | undefined {
  if (line === "" || line.startsWith("#")) return undefined;
  const nameEnd = line.search(NAME_END);
  const name = nameEnd < 0 ? line : line.slice(0, nameEnd);
  if (nameEnd < 0 || !wanted.has(name)) return undefined;
  const braced = line[nameEnd] === "{" ? readLabels(line, nameEnd + 1) : { labels: {}, end: nameEnd };
  if (braced === undefined) return undefined;
  const value = readValue(line.slice(braced.end));
  return value === undefined ? undefined : { name, labels: braced.labels, value };
}

/**
 * Reads a text in chunks as they arrive (cut anywhere) and passes on each series of a wanted family. It ignores a last
 * line without newline, which the format requires: an answer that was cut short must not give half a number.
 */
export function prometheusTextReader(
  wanted: ReadonlySet<string>,
  onSeries: (series: Series) => void,
): (chunk: Buffer) => void {
  const take = (text: string) => {
    for (let start = 0; start < text.length;) {
      const newline = text.indexOf("\n", start);
      const end = newline < 0 ? text.length : newline;
      // Most lines are comments or of other families. They are recognised before anything is copied.
      if (text[start] !== "#") {
        const parsed = parseLine(text.slice(start, text[end - 1] === "\r" ? end - 1 : end), wanted);
        if (parsed !== undefined) onSeries(parsed);
      }
      start = end + 1;
    }
  };
  return lineRuns(take);
}
