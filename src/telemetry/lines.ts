/** Cuts bytes into lines, wherever the pieces are cut; text is decoded a whole line at a time, so characters stay whole. */

/** Lines longer than this are passed over; node_exporter's longest are a few hundred bytes. */
const MAX_LINE_BYTES = 16_384;
const NEWLINE = 10;
const EMPTY = Buffer.alloc(0);

/**
 * Takes bytes as they come and hands runs of whole lines (newlines included) to `onLines`. What comes after the last
 * newline is never handed over: a number that was cut short would be believed.
 */
export function lineRuns(onLines: (text: string) => void): (chunk: Buffer) => void {
  let rest = EMPTY;
  return (chunk) => {
    const last = chunk.lastIndexOf(NEWLINE);
    if (last < 0) {
      rest = rest.length > MAX_LINE_BYTES ? rest : Buffer.concat([rest, chunk]);
      return;
    }
    const whole = chunk.subarray(0, last + 1);
    onLines((rest.length === 0 ? whole : Buffer.concat([rest, whole])).toString("utf8"));
    // A copy: the chunk may be a view into a much larger buffer.
    rest = last + 1 === chunk.length ? EMPTY : Buffer.from(chunk.subarray(last + 1));
  };
}
