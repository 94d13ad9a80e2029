/** Cuts chunks of bytes into lines. It decodes whole lines, so characters stay whole wherever the chunks are cut. */

/** Longer lines are skipped, in bytes. node_exporter's longest have a few hundred. */
const MAX_LINE_BYTES = 16_384;
const NEWLINE = 10;
const EMPTY = Buffer.alloc(0);

/**
 * Takes bytes as they come and passes runs of whole lines, with their newlines, to `onLines`. It never passes on bytes
 * after the last newline: they may be a number that was cut short.
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
    // A copy, because the chunk may be a view into a much larger buffer.
    rest = last + 1 === chunk.length ? EMPTY : Buffer.from(chunk.subarray(last + 1));
  };
}
