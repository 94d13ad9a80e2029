/** The keys of a reference page, as a list: what a key takes, its default, and its meaning in whole sentences. */
import type { Row } from "./policy-rows.ts";

/** One entry for each key. */
export const keyList = (rows: readonly Row[]): string => rows.map(entry).join("\n");

const entry = ({ path, type, default: value, meaning }: Row) =>
  `- **\`${path}\`** (${type}; ${defaultInWords(value)})\\\n  ${meaning.replaceAll("\n", " ")}`;

function defaultInWords(value: string): string {
  if (value === "required") return "required";
  if (value === "none") return "no default";
  return value.startsWith("`") ? `default ${value}` : value;
}
