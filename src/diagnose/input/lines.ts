/** Cuts chunks into lines without copying those that lie within one chunk. */

const NEWLINE = 0x0a;
/** A line that grows over this is handed over in pieces. */
const LONG_LINE_BYTES = 8 * 1_048_576;

export interface LineEvents {
  /** A chunk whose lines follow. */
  chunk(chunk: Buffer): void;
  /** A line of that chunk, without its newline. */
  line(chunk: Buffer, from: number, to: number): void;
  /** A piece of a line that is too long to be kept. */
  piece(piece: Buffer): void;
  /** The end of a line that was handed over in pieces. */
  pieceEnd(): void;
}

export class LineCutter {
  readonly #events: LineEvents;
  #carried: Buffer[] = [];
  #carriedBytes = 0;
  #isLong = false;

  constructor(events: LineEvents) {
    this.#events = events;
  }

  /** Takes the next bytes; they may be reused afterwards. */
  push(chunk: Buffer): void {
    const first = chunk.indexOf(NEWLINE);
    if (first < 0) {
      this.#carry(chunk);
      return;
    }
    const begun = this.#carriedBytes > 0 || this.#isLong;
    if (begun) this.#finishCarried(chunk.subarray(0, first));
    this.#lines(begun ? chunk.subarray(first + 1) : chunk);
  }

  /** The last line, when it has no newline. */
  end(): void {
    if (this.#carriedBytes > 0 || this.#isLong) this.#finishCarried(Buffer.alloc(0));
  }

  #lines(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#events.chunk(chunk);
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
      this.#events.line(chunk, from, at);
      from = at + 1;
    }
    if (from < chunk.length) this.#carry(chunk.subarray(from));
  }

  #carry(bytes: Buffer): void {
    if (this.#isLong) {
      this.#events.piece(bytes);
      return;
    }
    this.#carried.push(Buffer.from(bytes));
    this.#carriedBytes += bytes.length;
    if (this.#carriedBytes <= LONG_LINE_BYTES) return;
    this.#isLong = true;
    for (const piece of this.#carried) this.#events.piece(piece);
    this.#carried = [];
    this.#carriedBytes = 0;
  }

  #finishCarried(rest: Buffer): void {
    if (this.#isLong) {
      this.#isLong = false;
      this.#events.piece(rest);
      this.#events.pieceEnd();
      return;
    }
    const line = Buffer.concat([...this.#carried, rest]);
    this.#carried = [];
    this.#carriedBytes = 0;
    this.#events.chunk(line);
    this.#events.line(line, 0, line.length);
  }
}
