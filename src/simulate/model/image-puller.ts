/** The kubelet's image puller: pull QPS, and one pull at a time or several. */
import type { ImageStore } from "./image-store.ts";
import { TokenBucket } from "./token-bucket.ts";
import type { KubeletSpec } from "./types.ts";

/** The result of a pull; `startedMs` is when it left the queue. */
export type PullResult =
  { readonly ok: true; readonly startedMs: number } | { readonly ok: false; readonly error: string };

interface Request {
  readonly image: string;
  readonly done: (result: PullResult) => void;
  giveUp: (() => void) | undefined;
  /** True once it is done or given up. */
  settled: boolean;
}

export class ImagePuller {
  readonly #store: ImageStore;
  readonly #bucket: TokenBucket;
  readonly #most: number;
  readonly #clock: () => number;
  readonly #queue: Request[] = [];
  #active = 0;

  constructor(store: ImageStore, kubelet: KubeletSpec, clock: () => number) {
    this.#store = store;
    this.#bucket = new TokenBucket(kubelet.registryPullQPS, kubelet.registryBurst, clock());
    this.#most = kubelet.serializeImagePulls ? 1 : (kubelet.maxParallelImagePulls ?? Infinity);
    this.#clock = clock;
  }

  /** Asks for a pull. Returns a function that gives it up. */
  request(image: string, done: (result: PullResult) => void): () => void {
    const request: Request = { image, done, giveUp: undefined, settled: false };
    this.#queue.push(request);
    this.#work();
    return () => this.#cancel(request);
  }

  #work(): void {
    while (this.#active < this.#most) {
      const request = this.#queue.shift();
      if (request === undefined) return;
      if (!request.settled) this.#begin(request);
    }
  }

  #begin(request: Request): void {
    const startedMs = this.#clock();
    if (!this.#bucket.tryTake(startedMs)) {
      request.settled = true;
      request.done({ ok: false, error: "pull QPS exceeded" });
      return;
    }
    this.#active += 1;
    request.giveUp = this.#store.pull(request.image, () => {
      this.#active -= 1;
      request.settled = true;
      request.done({ ok: true, startedMs });
      this.#work();
    });
  }

  #cancel(request: Request): void {
    if (request.settled) return;
    request.settled = true;
    if (request.giveUp === undefined) return;
    request.giveUp();
    this.#active -= 1;
    this.#work();
  }
}
