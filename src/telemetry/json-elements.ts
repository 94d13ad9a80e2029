/**
 * Reads an answer of Prometheus' API as it arrives, one element of its `data.result` at a time. The answer for 5,000
 * nodes is several MB, and parsing it at once would delay webhooks. It is our own code, because it is sixty lines, and
 * the streaming parsers on the package registry are slower than reading the answer whole.
 */

/** Largest element, in bytes. Ours are smaller. */
const MAX_ELEMENT_BYTES = 16_384;
/** Largest frame around the elements (status, type, warnings), in bytes. */
const MAX_FRAME_BYTES = 65_536;
/** Elements are the objects inside `{"data": {"result": [`. */
const ELEMENT_DEPTH = 3;

const [QUOTE, BACKSLASH, OPEN, CLOSE, LIST, UNLIST, COMMA] = [34, 92, 123, 125, 91, 93, 44];

/** @throws Error if the text cannot be JSON of that shape. An error of `onElement` passes through. */
export function jsonElements(onElement: (element: unknown) => void) {
  let [depth, inString, escaped, inElement] = [0, false, false, false];
  let [frame, kept] = ["", ""];

  const keep = (text: string) => {
    if (inElement) kept += text;
    else frame += text;
    if (kept.length > MAX_ELEMENT_BYTES) throw new Error("one of its series is too long");
    if (frame.length > MAX_FRAME_BYTES) throw new Error("it has no list of series");
  };
  const finish = () => {
    const text = kept;
    [kept, inElement] = ["", false];
    onElement(JSON.parse(Buffer.from(text, "latin1").toString("utf8")));
  };

  /** Index behind the quote that ends the string at `at`, or the end of the chunk. */
  const skipString = (chunk: Buffer, at: number) => {
    for (; at < chunk.length; at += 1) {
      const byte = chunk[at];
      if (escaped) escaped = false;
      else if (byte === BACKSLASH) escaped = true;
      else if (byte === QUOTE) {
        inString = false;
        return at + 1;
      }
    }
    return at;
  };
  /** Takes one byte outside of strings. Returns the index up to which the chunk has been kept. */
  const structure = (chunk: Buffer, at: number, from: number): number => {
    const byte = chunk[at];
    if (byte === QUOTE) inString = true;
    else if (byte === OPEN || byte === LIST) {
      depth += 1;
      if (byte === LIST || depth !== ELEMENT_DEPTH + 1) return from;
      keep(chunk.toString("latin1", from, at));
      inElement = true;
      return at;
    } else if (byte === CLOSE || byte === UNLIST) {
      depth -= 1;
      if (!inElement || depth !== ELEMENT_DEPTH) return from;
      keep(chunk.toString("latin1", from, at + 1));
      finish();
      return at + 1;
    } else if (byte === COMMA && depth === ELEMENT_DEPTH) {
      // The frame must be JSON by itself, so commas between elements are no part of it.
      keep(chunk.toString("latin1", from, at));
      return at + 1;
    }
    return from;
  };

  return {
    push(chunk: Buffer): void {
      // One character for each byte, so that characters that were cut in two stay whole.
      let from = 0;
      for (let at = 0; at < chunk.length;) {
        if (inString) at = skipString(chunk, at);
        else {
          from = structure(chunk, at, from);
          at += 1;
        }
      }
      keep(chunk.toString("latin1", from));
    },
    /** Returns the frame around the elements, with an empty list. Call it once, at the end. */
    end: (): unknown => JSON.parse(Buffer.from(frame, "latin1").toString("utf8")),
  };
}
