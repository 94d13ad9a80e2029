import type { Assumptions } from "./constants.ts";
import { MIB } from "./constants.ts";
import type { ImageSpec } from "./types.ts";

/** The cost of an image for a node, in bytes. */
export interface ImageSize {
  readonly layers: number;
  /**
   * Bytes of all blobs, which are downloaded and written to the content store. `node.status.images` shows this size.
   */
  readonly compressedBytes: number;
  /** Bytes of all unpacked layers. */
  readonly unpackedBytes: number;
  /** Bytes that reach the disk: blobs and unpacked layers. */
  readonly diskBytes: number;
}

/** The size of an image; `spec` is undefined if the catalogue does not have it. */
export function imageSize(spec: ImageSpec | undefined, assumptions: Assumptions): ImageSize {
  const unpackedBytes = (spec?.mib ?? assumptions.unknownImageMib) * MIB;
  const compressedBytes = unpackedBytes * (spec?.compressedRatio ?? assumptions.compressedRatio);
  const layers = Math.max(1, Math.round(spec?.layers ?? assumptions.unknownImageLayers));
  return { layers, compressedBytes, unpackedBytes, diskBytes: unpackedBytes + compressedBytes };
}
