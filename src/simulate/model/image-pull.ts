/** The pull of one image by containerd: resolve, fetch three layers at a time, unpack them one after another. */
import { MAX_CONCURRENT_DOWNLOADS } from "./constants.ts";
import type { Flow, LaneName } from "./flow.ts";
import type { ImageSize } from "./image-size.ts";
import type { LaneTask } from "./lane.ts";

export class ImagePull {
  readonly #flow: Flow;
  readonly #size: ImageSize;
  readonly #done: () => void;
  readonly #fetched: boolean[];
  #nextFetch = 0;
  #nextUnpack = 0;
  #unpacking = false;
  #cut = false;
  readonly #running = new Map<LaneTask, LaneName>();

  /** Starts at once; `done` is called when the image is there. */
  constructor(flow: Flow, size: ImageSize, resolveMs: number, done: () => void) {
    this.#flow = flow;
    this.#size = size;
    this.#done = done;
    this.#fetched = new Array<boolean>(size.layers).fill(false);
    flow.after(resolveMs, () => {
      for (let slot = 0; slot < MAX_CONCURRENT_DOWNLOADS; slot += 1) this.#fetch();
    });
  }

  /** Gives up the pull. What is written stays; the rest is not done. */
  cut(): void {
    this.#cut = true;
    for (const [task, lane] of this.#running) this.#flow.cancel(lane, task);
    this.#running.clear();
  }

  /** Downloads the next layer's blob into the content store. A commit syncs it to the disk. */
  #fetch(): void {
    const layer = this.#nextFetch;
    if (this.#cut || layer >= this.#size.layers) return;
    this.#nextFetch += 1;
    const bytes = this.#size.compressedBytes / this.#size.layers;
    this.#run("download", bytes, () => {
      this.#flush(bytes, () => {
        this.#fetched[layer] = true;
        this.#unpack();
        this.#fetch();
      });
    });
  }

  /** Unpacks the next layer, once it is fetched and the layer below it is unpacked. */
  #unpack(): void {
    const layer = this.#nextUnpack;
    if (this.#unpacking || this.#fetched[layer] !== true) return;
    this.#unpacking = true;
    this.#run("unpack", this.#size.unpackedBytes / this.#size.layers, () => this.#unmount(layer));
  }

  /**
   * The bottom layer is unpacked through a bind mount, the others through an overlay, whose unmount flushes. If layers
   * are unpacked straight into their place, they are not flushed. Then only the snapshot's entry in containerd's
   * database is flushed: it is small, and waits for the current writes.
   */
  #unmount(layer: number): void {
    if (layer === 0 && this.#flow.flushesEverything) this.#unpacked();
    else this.#flush(0, () => this.#unpacked());
  }

  #unpacked(): void {
    this.#unpacking = false;
    this.#nextUnpack += 1;
    if (this.#nextUnpack === this.#size.layers) this.#done();
    else this.#unpack();
  }

  #flush(ownBytes: number, next: () => void): void {
    this.#flow.flush(ownBytes, () => {
      if (!this.#cut) next();
    });
  }

  #run(lane: LaneName, amount: number, next: () => void): void {
    const task = this.#flow.add(lane, amount, () => {
      this.#running.delete(task);
      next();
    });
    this.#running.set(task, lane);
  }
}
