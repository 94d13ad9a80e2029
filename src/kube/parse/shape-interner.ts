/**
 * Lets equal values share one object. Most of 150,000 pods come from a few thousand templates, so their shapes, and the
 * names of nodes and images, are kept once. Memory is bounded: the garbage collector removes shapes without pods.
 */
import { hash } from "node:crypto";
import type { PodShape } from "../../core/facts.ts";

export interface ShapeInterner {
  /** The shape with this content that is in use already, or this one from now on. */
  shape(shape: PodShape): PodShape;
  /** One copy of a string that repeats (names of nodes and images). */
  text<Text extends string>(text: Text): Text;
  /** About how many distinct shapes are alive; it falls with garbage collection. */
  readonly shapes: number;
}

/** Most strings that are kept: 5,000 nodes with 100 names. Beyond that the table starts again, and less is shared. */
const TEXTS = 50_000;

export function createShapeInterner(): ShapeInterner {
  const known = new Map<string, WeakRef<PodShape>>();
  let texts = new Map<string, string>();
  const gone = new FinalizationRegistry<string>((key) => {
    if (known.get(key)?.deref() === undefined) known.delete(key);
  });
  return {
    shape(shape) {
      const key = hash("sha256", JSON.stringify(shape), "base64");
      const shared = known.get(key)?.deref();
      if (shared !== undefined) return shared;
      known.set(key, new WeakRef(shape));
      gone.register(shape, key);
      return shape;
    },
    text<Text extends string>(text: Text): Text {
      const shared = texts.get(text);
      if (shared !== undefined) return shared as Text;
      if (texts.size >= TEXTS) texts = new Map();
      texts.set(text, text);
      return text;
    },
    get shapes() {
      return known.size;
    },
  };
}
