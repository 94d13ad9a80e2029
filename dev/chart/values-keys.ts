/** What values.yaml says of each of its keys: the comment above it and its default. Makes README and schema. */
import { isMap, isScalar, type ParsedNode, parseDocument, type YAMLMap } from "yaml";

export interface ValueKey {
  /** Such as `janitor.schedule`. */
  readonly path: string;
  /** The comment above the key as one text; empty without one. */
  readonly comment: string;
  readonly value: unknown;
  /** Its own keys; none in a map that is written in one line, which is one default. */
  readonly keys: readonly ValueKey[];
}

/** The keys of the first level, in order. @throws when the text is no map */
export function valueKeys(text: string): readonly ValueKey[] {
  const { contents } = parseDocument(text);
  if (!isMap(contents)) throw new Error("values.yaml is no map");
  return keysOf(contents as YAMLMap<ParsedNode, ParsedNode>, "");
}

function keysOf(map: YAMLMap<ParsedNode, ParsedNode>, prefix: string): ValueKey[] {
  return map.items.map(({ key, value }, at) => {
    // A comment before the first key of a map is the map's.
    const comment = (isScalar(key) ? key.commentBefore : undefined) ?? (at === 0 ? map.commentBefore : undefined);
    const path = `${prefix}${String(key)}`;
    const isNested = isMap(value) && value.flow !== true && value.items.length > 0;
    const keys = isNested ? keysOf(value as YAMLMap<ParsedNode, ParsedNode>, `${path}.`) : [];
    return { path, comment: prose(comment ?? ""), value: value?.toJSON() as unknown, keys };
  });
}

/** Without indentation and line breaks; a blank line ends what belongs to the key. */
function prose(comment: string): string {
  const [last = ""] = comment.split(/\n\s*\n/).slice(-1);
  return last.replace(/\s+/g, " ").trim();
}
