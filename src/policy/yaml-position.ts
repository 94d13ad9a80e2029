/** Finds places in a YAML document. */
import { type Document, isAlias, isMap, isScalar, isSeq, type LineCounter } from "yaml";

/** A path as zod gives it, of keys and indexes. */
export type Path = readonly PropertyKey[];

/** Counted from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A path as text, such as `nodeClasses[1].slots.min`. */
export function pathText(path: Path): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === "number") return `${text}[${step}]`;
    const key = String(step);
    const plain = /^[\w./-]+$/.test(key) ? key : JSON.stringify(key);
    return text === "" ? plain : `${text}.${plain}`;
  }, "");
}

/** The line and column of an offset in the text. The counter gives line 0 for offsets that it has not seen. */
export function positionAt(lines: LineCounter, offset: number): Position | undefined {
  const { line, col } = lines.linePos(offset);
  return line === 0 ? undefined : { line, column: col };
}

/** One step along a path: the child's place and the child itself. */
function stepInto(node: unknown, step: PropertyKey): { start: unknown; next: unknown } | undefined {
  if (isSeq(node)) return typeof step === "number" ? { start: node.items[step], next: node.items[step] } : undefined;
  if (!isMap(node)) return undefined;
  const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
  return pair && { start: pair.key, next: pair.value };
}

function startOf(node: unknown): number | undefined {
  const range = (node as { range?: readonly number[] | null } | null | undefined)?.range;
  return range?.[0];
}

/** The place of the value at the path, or of the nearest parent that exists. */
export function positionOf(document: Document, lines: LineCounter, path: Path): Position | undefined {
  let node: unknown = document.contents;
  let offset = startOf(node);
  for (const step of path) {
    const found = stepInto(isAlias(node) ? node.resolve(document) : node, step);
    if (found === undefined) break;
    offset = startOf(found.start) ?? offset;
    node = found.next;
  }
  return offset === undefined ? undefined : positionAt(lines, offset);
}
