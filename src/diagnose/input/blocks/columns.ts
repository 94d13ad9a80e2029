/** Tables of text: a header of names, and rows whose cells stand below them. */

export interface Column {
  readonly name: string;
  /** Where it begins, in characters. */
  readonly at: number;
}

/** Names of kubectl that have a space in them. */
const NAMES =
  /LAST SEEN|FIRST SEEN|NOMINATED NODE|READINESS GATES|INTERNAL-IP|EXTERNAL-IP|OS-IMAGE|KERNEL-VERSION|CONTAINER-RUNTIME|POD ID|LAST TRANSITION|[^\s]+(?: [^\s]+)*?(?=\s{2,}|\t|$)|\S+/g;

/** The columns of a header. */
export const columnsOf = (header: string): Column[] =>
  [...header.matchAll(NAMES)].map(({ 0: name, index }) => ({ name: name.trim(), at: index }));

/** The cells of a row by column, or undefined when it is no row of this table. */
export function cellsOf(row: string, columns: readonly Column[]): Record<string, string> | undefined {
  const cells =
    apart(row, columns.length) ??
    aligned(row, columns) ??
    (isSqueezed(columns) ? worded(row, columns.length) : undefined);
  return cells && Object.fromEntries(columns.map(({ name }, index) => [name, (cells[index] ?? "").trim()]));
}

/** Cells with two spaces or a tab between them, where none is empty. */
function apart(row: string, count: number): string[] | undefined {
  const cells = row.trim().split(/\t+| {2,}/);
  if (cells.length === count) return cells;
  // The last cell is a message, which may have such gaps of its own.
  return undefined;
}

/** Cells that begin where their column does. */
function aligned(row: string, columns: readonly Column[]): string[] | undefined {
  const isAligned = columns.every(({ at }) => at === 0 || at >= row.length || /\s/.test(row[at - 1] ?? " "));
  if (!isAligned || row.length <= (columns[1]?.at ?? 0)) return undefined;
  return columns.map(({ at }, index) => row.slice(at, columns[index + 1]?.at));
}

/** Whether the header has one space between its names, as a chat or a mail leaves it. */
const isSqueezed = (columns: readonly Column[]) =>
  columns.every(({ name, at }, index) => (columns[index + 1]?.at ?? at + name.length + 1) === at + name.length + 1);

/** Cells of one word each, and the rest as the last one: what is left when spaces were squeezed. */
function worded(row: string, count: number): string[] | undefined {
  const words = row.trim().split(/\s+/);
  if (words.length < count) return undefined;
  return [...words.slice(0, count - 1), words.slice(count - 1).join(" ")];
}
