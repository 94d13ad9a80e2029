/** Sizes of images, learnt from every node of the cluster. */
import { LRUCache } from "lru-cache";
import type { ImageName } from "../ids.ts";
import { MIB } from "../measures.ts";

/** How many image names are remembered: 150,000 pods rarely use more, and an entry is about 200 bytes. */
const CATALOGUE_ENTRIES = 20_000;

/**
 * Size of an image that no node has reported, while none is known at all: the median of the most pulled images of
 * Docker Hub is 245 MB unpacked (enterno.io, March 2026), about 100 MB as registries keep it. The mean of what has been
 * learnt replaces it, within the ten seconds after which kubelets list what they have pulled.
 */
const UNKNOWN_IMAGE_BYTES = 100 * MIB;

/** Image sizes in bytes as kubelets list them (containerd: compressed). */
export class ImageCatalogue {
  readonly #sizes = new LRUCache<ImageName, number>({
    max: CATALOGUE_ENTRIES,
    dispose: (size, _name, why) => {
      if (why !== "set") this.#forget(size);
    },
  });
  /** Grows whenever some image's size may have become another, the mean of all included. */
  changes = 0;
  #known = 0;
  #knownBytes = 0;

  /** Takes in what one node reports. */
  learn(images: ReadonlyMap<ImageName, number>): void {
    for (const [name, bytes] of images) this.#learnOne(name, bytes);
  }

  #learnOne(name: ImageName, bytes: number): void {
    const before = this.#sizes.peek(name);
    if (before === bytes) return;
    if (before !== undefined) this.#forget(before);
    this.changes += 1;
    this.#known += 1;
    this.#knownBytes += bytes;
    this.#sizes.set(name, bytes);
  }

  #forget(bytes: number): void {
    this.changes += 1;
    this.#known -= 1;
    this.#knownBytes -= bytes;
  }

  /** Bytes of an image; one that no node has reported counts as the mean of those known. */
  bytes(name: ImageName): number {
    return this.#sizes.get(name) ?? this.unknownBytes;
  }

  /** Bytes of an image as some node has reported it, else undefined. */
  knownBytes(name: ImageName): number | undefined {
    return this.#sizes.get(name);
  }

  /** What an image of unknown size is taken for, bytes. */
  get unknownBytes(): number {
    return this.#known > 0 ? this.#knownBytes / this.#known : UNKNOWN_IMAGE_BYTES;
  }
}
