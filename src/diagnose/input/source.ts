/** Opens an input: a file or standard input, plain or gzip, UTF-8 or UTF-16 (as PowerShell writes). */
import { open } from "node:fs/promises";
import { createGunzip, type Gunzip } from "node:zlib";
import type { InputReader } from "./reader.ts";

/** Read size: large enough that the loop around it costs nothing. The buffer is reused. */
const CHUNK_BYTES = 1_048_576;

/** Feeds a file to the reader. @throws the error of the file system; damaged contents throw nothing. */
export async function readFileInto(path: string, reader: InputReader, damaged: () => void): Promise<void> {
  const decoder = new Decoder(reader, damaged);
  const file = await open(path, "r");
  try {
    const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, null);
      if (bytesRead === 0) break;
      await decoder.push(buffer.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
  await decoder.end();
}

/** Feeds a stream such as standard input to the reader. */
export async function readStreamInto(
  stream: AsyncIterable<unknown>,
  reader: InputReader,
  damaged: () => void,
): Promise<void> {
  const decoder = new Decoder(reader, damaged);
  for await (const chunk of stream) await decoder.push(Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk)));
  await decoder.end();
}

class Decoder {
  readonly #reader: InputReader;
  readonly #damaged: () => void;
  #start: Buffer | undefined = Buffer.alloc(0);
  #write: (chunk: Buffer) => Promise<void> | void = () => undefined;
  #finish: () => Promise<void> = () => Promise.resolve();

  constructor(reader: InputReader, damaged: () => void) {
    this.#reader = reader;
    this.#damaged = damaged;
  }

  async push(chunk: Buffer): Promise<void> {
    if (this.#start === undefined) return this.#write(chunk);
    const start = Buffer.concat([this.#start, chunk]);
    if (start.length < 2) this.#start = start;
    else await this.#begin(start);
  }

  async end(): Promise<void> {
    if (this.#start !== undefined) await this.#begin(this.#start);
    await this.#finish();
    this.#reader.end();
  }

  async #begin(start: Buffer): Promise<void> {
    this.#start = undefined;
    const [first, second] = start;
    if (first === 0x1f && second === 0x8b) this.#gunzip();
    else if (first === 0xff && second === 0xfe) this.#utf16();
    else this.#write = (chunk) => this.#reader.push(chunk);
    await this.#write(start);
  }

  #utf16(): void {
    const decoder = new TextDecoder("utf-16le");
    this.#write = (chunk) => this.#reader.push(Buffer.from(decoder.decode(chunk, { stream: true })));
  }

  /** What was unpacked before the damage is used; what stands in the piece that holds the damage is lost. */
  #gunzip(): void {
    let offset = 0;
    const gunzip = createGunzip({ chunkSize: 256 * 1_024 });
    let isDamaged = false;
    gunzip.on("data", (chunk: Buffer) => this.#reader.push(chunk));
    gunzip.on("error", () => {
      if (!isDamaged) this.#damaged();
      isDamaged = true;
    });
    this.#write = async (chunk) => {
      for (let from = 0; from < chunk.length && !isDamaged;) {
        const to = Math.min(chunk.length, from + pieceBytes(offset));
        await written(gunzip, chunk.subarray(from, to));
        offset += to - from;
        from = to;
      }
    };
    this.#finish = () => ended(gunzip);
  }
}

/** Small pieces at first, so that damage in a small file costs little of it. */
function pieceBytes(offset: number): number {
  if (offset < 8_192) return 64;
  return offset < 65_536 ? 1_024 : 65_536;
}

/** Resolves when the chunk is unpacked, or cannot be. */
function written(gunzip: Gunzip, chunk: Buffer): Promise<void> {
  return new Promise((resolve) => {
    gunzip.once("close", resolve);
    gunzip.write(chunk, () => {
      gunzip.off("close", resolve);
      resolve();
    });
  });
}

function ended(gunzip: Gunzip): Promise<void> {
  return new Promise((resolve) => {
    if (gunzip.destroyed) {
      resolve();
      return;
    }
    gunzip.once("close", resolve);
    gunzip.once("end", resolve);
    gunzip.end();
  });
}
