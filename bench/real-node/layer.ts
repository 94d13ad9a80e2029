/** Layers with pseudo-random content: the same bytes for the same seed, and of a stated compressibility. */
import { createCipheriv, createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { tarEnd, tarHeader, tarPadding } from "./tar.ts";

/** Content is made in pieces of this many bytes: random first, then zeros. */
const PIECE_BYTES = 65_536;
/** Bytes of one file in a layer: a layer of 500 MB has 30 files. */
const FILE_BYTES = 16 * 1024 ** 2;

export interface Layer {
  /** `sha256:…` of the compressed and of the unpacked layer. */
  readonly digest: string;
  readonly diffId: string;
  /** Compressed size in bytes. */
  readonly size: number;
}

export interface FileInLayer {
  readonly name: string;
  readonly content: Buffer;
}

/** Pieces that gzip compresses to about 1 ÷ `compressibility`. The same seed gives the same bytes. */
export function* pseudoRandom(seed: string, bytes: number, compressibility: number): Generator<Buffer> {
  const key = createHash("sha256").update(seed).digest();
  const cipher = createCipheriv("aes-256-ctr", key, Buffer.alloc(16));
  const zeros = Buffer.alloc(Math.round(PIECE_BYTES / compressibility));
  for (let left = bytes; left > 0; left -= PIECE_BYTES) {
    const piece = Buffer.alloc(Math.min(PIECE_BYTES, left));
    cipher.update(zeros).copy(piece);
    yield piece;
  }
}

/** The tar archive of a layer of `bytes` random content. */
export function* randomLayer(seed: string, bytes: number, compressibility: number): Generator<Buffer> {
  for (let at = 0, index = 0; at < bytes; at += FILE_BYTES, index += 1) {
    const size = Math.min(FILE_BYTES, bytes - at);
    yield tarHeader(`${seed}/${String(index)}.bin`, size, 0o644);
    yield* pseudoRandom(`${seed}/${String(index)}`, size, compressibility);
    yield tarPadding(size);
  }
  yield tarEnd();
}

/** The tar archive of a layer with given files. */
export function* filesLayer(files: readonly FileInLayer[]): Generator<Buffer> {
  for (const { name, content } of files) {
    yield tarHeader(name, content.length, 0o755);
    yield content;
    yield tarPadding(content.length);
  }
  yield tarEnd();
}

/** Compresses an archive into `path`. */
export async function writeLayer(path: string, archive: Iterable<Buffer>): Promise<Layer> {
  const unpacked = createHash("sha256");
  const packed = createHash("sha256");
  let size = 0;
  await pipeline(
    Readable.from(archive, { objectMode: false }),
    async function* (source: AsyncIterable<Buffer>) {
      for await (const chunk of source) {
        unpacked.update(chunk);
        yield chunk;
      }
    },
    createGzip({ level: 1 }),
    async function* (source: AsyncIterable<Buffer>) {
      for await (const chunk of source) {
        packed.update(chunk);
        size += chunk.length;
        yield chunk;
      }
    },
    createWriteStream(path),
  );
  return { digest: `sha256:${packed.digest("hex")}`, diffId: `sha256:${unpacked.digest("hex")}`, size };
}
