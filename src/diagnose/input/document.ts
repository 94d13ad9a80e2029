/**
 * Cuts JSON that does not keep to lines (indented, concatenated, or one endless line) into values, in bounded memory: a
 * document that grows too large is handed over element by element of the lists in it.
 */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** A document up to this is parsed as a whole. 4 MiB holds about a thousand audit events. */
const WHOLE_BYTES = 4 * 1_048_576;
/** A single record over this is given up: etcd refuses objects over 1.5 MiB, an audit event holds at most a few. */
export const RECORD_BYTES = 16 * 1_048_576;

export interface DocumentEvents {
  /** The text of a whole value, or of one element of a list in a large one. */
  value(text: string): void;
  /** A record that is given up; `text` is how it begins, as far as it was kept. */
  tooLong(text: string): void;
  /** Text between values, or behind the last one. */
  outside(text: string): void;
}

/** What may stand between values without meaning anything. */
const NOTHING = /^[\s,;\]}\u001e]*$/;

export class DocumentCutter {
  readonly #events: DocumentEvents;
  #depth = 0;
  #inString = false;
  #escaped = false;
  /** Whether the document was too large to be kept whole. */
  #streaming = false;
  /** Whether the current element is given up. */
  #dropping = false;
  #kept: Buffer[] = [];
  #keptBytes = 0;
  /** At n: whether the bracket at depth n opened a list. Only the outer two depths matter. */
  #lists: boolean[] = [];
  /** Elements that ended while the document was still kept whole, as offsets into `kept`. */
  #elements: [from: number, to: number][] = [];
  #elementFrom = -1;
  #handedOver = 0;
  /** How the record that is given up begins. */
  #head = "";
  /** Of the chunk at hand: where the text begins that is in no value, and what stood between values. */
  #outsideFrom = 0;
  #outside: string[] = [];

  constructor(events: DocumentEvents) {
    this.#events = events;
  }

  /** True inside a value. */
  get open(): boolean {
    return this.#depth > 0;
  }

  /** Takes the next bytes; they may be reused afterwards. */
  push(chunk: Buffer): void {
    let keepFrom = this.#depth > 0 ? 0 : -1;
    this.#outsideFrom = this.#depth > 0 ? chunk.length : 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at];
      if (this.#inString) {
        at = this.#skipString(chunk, at);
      } else if (byte === QUOTE) {
        this.#inString = this.#depth > 0;
      } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        keepFrom = this.#opened(chunk, at, keepFrom, byte === OPEN_BRACKET);
      } else if ((byte === CLOSE_BRACE || byte === CLOSE_BRACKET) && this.#depth > 0) {
        keepFrom = this.#closed(chunk, at, keepFrom);
        this.#outsideFrom = at + 1;
      }
    }
    if (this.#depth > 0 && keepFrom >= 0) this.#keep(chunk.subarray(keepFrom));
    if (this.#depth === 0) this.#outside.push(chunk.toString("utf8", this.#outsideFrom));
    const texts = this.#outside.filter((text) => !NOTHING.test(text));
    this.#outside = [];
    for (const text of texts) this.#events.outside(text);
  }

  /**
   * Gives up an unfinished value, after handing over the elements that are complete; the text that is left of it, or
   * undefined when there was none.
   */
  abandon(): string | undefined {
    if (this.#depth === 0) {
      this.#reset();
      return undefined;
    }
    const all = Buffer.concat(this.#kept);
    const handedOver = this.#streaming ? 0 : (this.#elements.at(-1)?.[1] ?? 0);
    if (!this.#streaming && this.#elements.length > 0) this.#handOver(all);
    const head = this.#head;
    this.#reset();
    return all.length === handedOver ? head : all.toString("utf8", handedOver);
  }

  #handOver(all: Buffer): void {
    for (const [from, to] of this.#elements) this.#events.value(all.toString("utf8", from, to));
    this.#handedOver += this.#elements.length;
    this.#elements = [];
  }

  /** Index of the last byte looked at: the string's end, or the chunk's. */
  #skipString(chunk: Buffer, from: number): number {
    for (let at = from; at < chunk.length; at++) {
      if (this.#escaped) this.#escaped = false;
      else if (chunk[at] === BACKSLASH) this.#escaped = true;
      else if (chunk[at] === QUOTE) {
        this.#inString = false;
        return at;
      }
    }
    return chunk.length;
  }

  #opened(chunk: Buffer, at: number, from: number, isList: boolean): number {
    const keepFrom = this.#depth === 0 ? at : from;
    if (this.#depth === 0) this.#outside.push(chunk.toString("utf8", this.#outsideFrom, at));
    const isElement = this.#isElementDepth();
    if (this.#depth < 2) this.#lists[this.#depth] = isList;
    this.#depth++;
    if (!isElement || this.#elementFrom >= 0) return keepFrom;
    if (this.#streaming) {
      this.#kept = [];
      this.#keptBytes = 0;
      this.#elementFrom = 0;
      return at;
    }
    this.#elementFrom = this.#keptBytes + at - Math.max(0, keepFrom);
    return keepFrom;
  }

  /** Elements are what stands in an outermost list, or in a list that is a member of the outermost object. */
  #isElementDepth(): boolean {
    return this.#depth === 1
      ? this.#lists[0] === true
      : this.#depth === 2 && this.#lists[0] === false && this.#lists[1] === true;
  }

  #closed(chunk: Buffer, at: number, keepFrom: number): number {
    this.#depth--;
    const endsElement = this.#elementFrom >= 0 && this.#isElementDepth();
    if (endsElement) return this.#elementClosed(chunk, at, keepFrom);
    if (this.#depth > 0) return keepFrom;
    if (!this.#streaming) this.#keep(chunk.subarray(keepFrom, at + 1)); // which may begin to stream
    if (this.#isWhole()) this.#events.value(this.#text());
    else if (this.#handedOver === 0) this.#events.tooLong(this.#head);
    this.#reset();
    return -1;
  }

  #isWhole(): boolean {
    return !this.#streaming;
  }

  #elementClosed(chunk: Buffer, at: number, keepFrom: number): number {
    if (!this.#streaming) {
      this.#elements.push([this.#elementFrom, this.#keptBytes + at + 1 - Math.max(0, keepFrom)]);
      this.#elementFrom = -1;
      return keepFrom;
    }
    this.#keep(chunk.subarray(Math.max(0, keepFrom), at + 1));
    if (this.#dropping) this.#events.tooLong(this.#head);
    else this.#events.value(this.#text());
    this.#handedOver++;
    this.#dropping = false;
    this.#kept = [];
    this.#keptBytes = 0;
    this.#elementFrom = -1;
    return -1;
  }

  #keep(bytes: Buffer): void {
    if (this.#streaming && this.#elementFrom < 0) return;
    if (this.#dropping) return;
    this.#kept.push(Buffer.from(bytes));
    this.#keptBytes += bytes.length;
    if (!this.#streaming && this.#keptBytes > WHOLE_BYTES) this.#beginStreaming();
    if (this.#keptBytes > RECORD_BYTES) {
      this.#head = headOf(this.#kept);
      this.#dropping = true;
      this.#kept = [];
    }
  }

  /** Hands over the elements that are complete, keeps the one that is not. */
  #beginStreaming(): void {
    const all = Buffer.concat(this.#kept, this.#keptBytes);
    const inElement = this.#elementFrom >= 0;
    // An object without any list of records so far is a record itself, and wants more room.
    if (this.#elements.length === 0 && !inElement && this.#keptBytes <= RECORD_BYTES) return;
    this.#streaming = true;
    if (!inElement) this.#head = headOf([all]);
    this.#handOver(all);
    const rest = inElement ? Buffer.from(all.subarray(this.#elementFrom)) : Buffer.alloc(0);
    this.#kept = [rest];
    this.#keptBytes = rest.length;
    if (inElement) this.#elementFrom = 0;
  }

  #text(): string {
    return Buffer.concat(this.#kept, this.#keptBytes).toString("utf8");
  }

  #reset(): void {
    this.#depth = 0;
    this.#inString = false;
    this.#escaped = false;
    this.#streaming = false;
    this.#dropping = false;
    this.#kept = [];
    this.#keptBytes = 0;
    this.#elements = [];
    this.#elementFrom = -1;
    this.#handedOver = 0;
    this.#head = "";
  }
}

/** Enough to find the reason of an object, which stands before what made it so large. */
const HEAD_CHARS = 262_144;

const headOf = (kept: readonly Buffer[]) => (kept[0] ?? Buffer.alloc(0)).toString("utf8", 0, HEAD_CHARS);
