/** The table of keys in a reference page. A long meaning has its first sentence in the table and the rest below it. */
import type { Row } from "./policy-rows.ts";

/** Characters of a meaning that a cell may have. Longer ones make every line of the table too wide to read. */
export const MAX_CELL = 140;

/** Words in a cell whose meaning goes on below the table. */
const MORE_BELOW = "More below.";

/** A meaning, divided between the table and the notes below it. */
interface Divided {
  readonly cell: string;
  /** Undefined if the cell has all. */
  readonly note: string | undefined;
}

/**
 * Divides a long meaning after its first sentence, or at a semicolon if that sentence is long as well. A list of values
 * (`` `a`: text. `b`: text. ``) stays together, below the table.
 */
export function divided(meaning: string): Divided {
  if (meaning.length <= MAX_CELL) return { cell: meaning, note: undefined };
  if (meaning.startsWith("`")) return { cell: "See below.", note: meaning };
  const [, first, rest] = /^(.*?\.) (?=[A-Z`])(.*)$/s.exec(meaning) ?? [];
  if (first !== undefined && rest !== undefined && first.length + MORE_BELOW.length < MAX_CELL)
    return { cell: `${first} ${MORE_BELOW}`, note: rest };
  const clause = meaning.indexOf("; ");
  if (clause < 0) return { cell: meaning, note: undefined };
  return { cell: `${meaning.slice(0, clause)}. ${MORE_BELOW}`, note: capitalised(meaning.slice(clause + 2)) };
}

const capitalised = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("\n", " ");

/** The table of these keys, and below it the rest of long meanings. */
export function keyTable(rows: readonly Row[]): string {
  const all = rows.map((row) => ({ ...row, ...divided(row.meaning) }));
  const lines = all.map((row) => `| \`${row.path}\` | ${row.type} | ${cell(row.default)} | ${cell(row.cell)} |`);
  const notes = all.flatMap(({ path, note }) => (note === undefined ? [] : [`- \`${path}\`: ${note}`]));
  const table = ["| key | what it takes | default | meaning |", "|---|---|---|---|", ...lines].join("\n");
  return notes.length === 0 ? table : `${table}\n\n${notes.join("\n")}`;
}
