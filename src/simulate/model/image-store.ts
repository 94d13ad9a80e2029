/**
 * containerd's images on one node: those on the disk and those being pulled. Simultaneous pulls of one image are
 * merged.
 */
import type { Assumptions } from "./constants.ts";
import type { Flow } from "./flow.ts";
import { ImagePull } from "./image-pull.ts";
import type { ImageSize } from "./image-size.ts";
import { imageSize } from "./image-size.ts";
import type { ImageSpec, PresentImage } from "./types.ts";

interface PullInFlight {
  readonly pull: ImagePull;
  readonly waiters: Set<() => void>;
}

export class ImageStore {
  readonly #flow: Flow;
  readonly #assumptions: Assumptions;
  readonly #catalogue: ReadonlyMap<string, ImageSpec>;
  readonly #present = new Map<string, ImageSize>();
  readonly #warm = new Set<string>();
  readonly #inFlight = new Map<string, PullInFlight>();
  readonly #arrived: () => void;

  /** @param arrived called when the node has got another image */
  constructor(flow: Flow, assumptions: Assumptions, catalogue: ReadonlyMap<string, ImageSpec>, arrived: () => void) {
    this.#flow = flow;
    this.#assumptions = assumptions;
    this.#catalogue = catalogue;
    this.#arrived = arrived;
  }

  /** Puts an image on the disk before the run. Its first use reads from the disk. */
  preload(name: string): void {
    this.#present.set(name, this.size(name));
  }

  has(name: string): boolean {
    return this.#present.has(name);
  }

  size(name: string): ImageSize {
    return imageSize(this.#catalogue.get(name), this.#assumptions);
  }

  /** True once per image: its first use must read from the disk. */
  takeColdRead(name: string): boolean {
    if (this.#warm.has(name)) return false;
    this.#warm.add(name);
    return true;
  }

  /**
   * Pulls the image, or joins a running pull. Returns a function that gives up; the pull ends when all its callers have
   * given up.
   */
  pull(name: string, done: () => void): () => void {
    if (this.has(name)) {
      const timer = this.#flow.after(this.#assumptions.resolveMs, done);
      return () => this.#flow.cancelTimer(timer);
    }
    const flight = this.#inFlight.get(name) ?? this.#start(name);
    flight.waiters.add(done);
    return () => this.#leave(name, flight, done);
  }

  /** The node's images, largest first, as `node.status.images` lists them. */
  list(): PresentImage[] {
    const images = [...this.#present].map(([name, size]) => ({ name, sizeBytes: Math.round(size.compressedBytes) }));
    return images.sort((a, b) => b.sizeBytes - a.sizeBytes || (a.name < b.name ? -1 : 1));
  }

  #start(name: string): PullInFlight {
    const pull = new ImagePull(this.#flow, this.size(name), this.#assumptions.resolveMs, () => this.#finish(name));
    const flight = { pull, waiters: new Set<() => void>() };
    this.#inFlight.set(name, flight);
    return flight;
  }

  #finish(name: string): void {
    const flight = this.#inFlight.get(name);
    this.#inFlight.delete(name);
    this.#present.set(name, this.size(name));
    this.#warm.add(name);
    this.#arrived();
    for (const waiter of flight?.waiters ?? []) waiter();
  }

  #leave(name: string, flight: PullInFlight, done: () => void): void {
    flight.waiters.delete(done);
    if (flight.waiters.size > 0 || this.#inFlight.get(name) !== flight) return;
    this.#inFlight.delete(name);
    flight.pull.cut();
  }
}
