/** containerd's images on one node: what is there, what is on its way; equal pulls at the same time are one. */
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

  /** @param arrived called when the node has an image more */
  constructor(flow: Flow, assumptions: Assumptions, catalogue: ReadonlyMap<string, ImageSpec>, arrived: () => void) {
    this.#flow = flow;
    this.#assumptions = assumptions;
    this.#catalogue = catalogue;
    this.#arrived = arrived;
  }

  /** Puts an image on the disk from the start; its first use reads from the disk. */
  preload(name: string): void {
    this.#present.set(name, this.size(name));
  }

  has(name: string): boolean {
    return this.#present.has(name);
  }

  size(name: string): ImageSize {
    return imageSize(this.#catalogue.get(name), this.#assumptions);
  }

  /** Whether the first use of the image must read from the disk; true once per image. */
  takeColdRead(name: string): boolean {
    if (this.#warm.has(name)) return false;
    this.#warm.add(name);
    return true;
  }

  /** Pulls the image, or joins a pull that is on its way. Returns how to give up: the last one to do so ends the pull. */
  pull(name: string, done: () => void): () => void {
    if (this.has(name)) {
      const timer = this.#flow.after(this.#assumptions.resolveMs, done);
      return () => this.#flow.cancelTimer(timer);
    }
    const flight = this.#inFlight.get(name) ?? this.#start(name);
    flight.waiters.add(done);
    return () => this.#leave(name, flight, done);
  }

  /** What the node has, largest first, as `node.status.images` lists it. */
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
