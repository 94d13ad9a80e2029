import type { Assumptions } from "./constants.ts";
import { MIB } from "./constants.ts";
import type { ImageSpec } from "./types.ts";

/** What an image costs a node, in bytes. */
export interface ImageSize {
  readonly layers: number;
  /** Bytes of all blobs: downloaded and written to the content store; what `node.status.images` shows. */
  readonly compressedBytes: number;
  /** Bytes of all unpacked layers. */
  readonly unpackedBytes: number;
  /** Bytes that reach the disk for it: blobs and unpacked layers. */
  readonly diskBytes: number;
}

/** The size of an image of the catalogue, or of one that the catalogue does not know (`spec` undefined). */
export function imageSize(spec: ImageSpec | undefined, assumptions: Assumptions): ImageSize {
  const unpackedBytes = (spec?.mib ?? assumptions.unknownImageMib) * MIB;
  const compressedBytes = unpackedBytes * (spec?.compressedRatio ?? assumptions.compressedRatio);
  const layers = Math.max(1, Math.round(spec?.layers ?? assumptions.unknownImageLayers));
  return { layers, compressedBytes, unpackedBytes, diskBytes: unpackedBytes + compressedBytes };
}
