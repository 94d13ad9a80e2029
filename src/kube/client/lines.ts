/** Cuts a byte stream into lines, as watches and logs send them. */

const NEWLINE = 0x0a;

/** Longest line that is accepted. etcd refuses objects over 1.5 MiB, so a healthy server never reaches this. */
const LONGEST_LINE_BYTES = 32 * 1_048_576;

/**
 * Calls `onLine` for every complete line of the pushed chunks, without its newline. Empty lines are skipped.
 * @throws (from push) when a line grows past 32 MiB.
 */
export function lineCutter(onLine: (line: string) => void): { push(chunk: Buffer): void } {
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  const emit = (last: Buffer) => {
    const line = (pending.length === 0 ? last : Buffer.concat([...pending, last])).toString("utf8");
    pending = [];
    pendingBytes = 0;
    if (line.length > 0) onLine(line);
  };
  return {
    push(chunk) {
      let from = 0;
      for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
        emit(chunk.subarray(from, at));
        from = at + 1;
      }
      if (from === chunk.length) return;
      pending.push(chunk.subarray(from));
      pendingBytes += chunk.length - from;
      if (pendingBytes > LONGEST_LINE_BYTES) throw new Error("a line of the stream is longer than 32 MiB");
    },
  };
}
