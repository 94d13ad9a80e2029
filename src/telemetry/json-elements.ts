/**
 * Reads an answer of Prometheus' API as it arrives, one element of its `data.result` at a time: the answer for 5,000
 * nodes is several MB, and parsing it in one go would keep webhooks waiting. Own code, because it is sixty lines and the
 * streaming parsers on the package registry are slower than reading it whole.
 */

/** One element larger than this is none of ours, in bytes. */
const MAX_ELEMENT_BYTES = 16_384;
/** Everything around the elements, in bytes: status, type, warnings. */
const MAX_FRAME_BYTES = 65_536;
/** Elements are the objects inside `{"data": {"result": [`. */
const ELEMENT_DEPTH = 3;

const [QUOTE, BACKSLASH, OPEN, CLOSE, LIST, UNLIST, COMMA] = [34, 92, 123, 125, 91, 93, 44];

/** @throws Error for what cannot be JSON of that shape; so does `onElement`'s own error pass through. */
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

  /** Where the string that `at` is in ends (behind its quote), or where the chunk does. */
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
  /** Takes in one byte outside of strings; gives the place up to which the chunk has been kept. */
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
      // Commas between elements belong to no frame, which must be JSON by itself.
      keep(chunk.toString("latin1", from, at));
      return at + 1;
    }
    return from;
  };

  return {
    push(chunk: Buffer): void {
      // One character per byte, so that characters cut in two come together again.
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
    /** What is around the elements, its list of them empty; call once, at the end. */
    end: (): unknown => JSON.parse(Buffer.from(frame, "latin1").toString("utf8")),
  };
}
