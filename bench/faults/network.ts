/* eslint-disable @typescript-eslint/prefer-promise-reject-errors -- it passes errors on as they come */
/* eslint-disable @typescript-eslint/no-invalid-void-type -- as above */
/**
 * The network between one process and the API server, with its faults. It wraps the {@link ApiClient} that reaches the
 * API server at once. A request takes its time there and back; on the way it may be lost, refused, or carried out
 * without an answer. A watch delivers its lines in order, but late, twice, or not at all.
 */
import { ApiError } from "../../src/kube/client/api-error.ts";
import {
  REQUEST_TIMEOUT_MS,
  type ApiClient,
  type RequestOptions,
  type WatchOptions,
} from "../../src/kube/client/api-client.ts";
import type { ServerClock } from "../../src/kube/server-clock.ts";
import type { ProcessClocks, VirtualTime } from "./virtual-time.ts";

export const WATCHED = ["pods", "nodes", "configmaps", "daemonsets"] as const;
export type Watched = (typeof WATCHED)[number];

/** A fault of the network while it lasts. `share`: of the requests, 0 to 1. */
export type NetworkFault =
  | { readonly kind: "partition" }
  /** Requests take this much longer, in ms, there and back together. */
  | { readonly kind: "slow"; readonly ms: number }
  | { readonly kind: "lose"; readonly share: number }
  /** 429 with Retry-After. */
  | { readonly kind: "busy"; readonly share: number; readonly retryAfterSeconds: number }
  /** 500, and nothing was done. */
  | { readonly kind: "error"; readonly share: number }
  /** The request is carried out, and then the connection breaks, or the answer never comes. Default: any resource. */
  | {
      readonly kind: "errorAfterWrite";
      readonly share: number;
      readonly silent: boolean;
      readonly resource?: "pods";
    }
  /** Answers to writes come so much later, in ms; watches are not slower, so their events come before the answers. */
  | { readonly kind: "lateAnswers"; readonly ms: number }
  | { readonly kind: "hungWatch"; readonly resource: Watched }
  | { readonly kind: "lateEvents"; readonly resource: Watched; readonly ms: number }
  | { readonly kind: "duplicateEvents"; readonly share: number };

export interface NetworkOptions {
  readonly client: ApiClient;
  readonly time: VirtualTime;
  readonly clocks: ProcessClocks;
  readonly random: () => number;
  /** Hears the date of every answer. */
  readonly clock: Pick<ServerClock, "asked">;
}

/** One way through a healthy network, in ms: at least, and the spread. */
const LEAST_MS = 1;
const SPREAD_MS = 4;

/** Bytes on the way of a watch. */
interface Line {
  readonly text: string;
  readonly dueMs: number;
}

interface RunningWatch {
  readonly resource: string;
  cut(): void;
}

export class Network {
  readonly #options: NetworkOptions;
  readonly #faults = new Set<NetworkFault>();
  readonly #watches = new Set<RunningWatch>();
  readonly #hungSince = new Map<Watched, number>();
  /** Requests of the process that have not ended. */
  inFlight = 0;

  constructor(options: NetworkOptions) {
    this.#options = options;
  }

  begin(fault: NetworkFault): void {
    this.#faults.add(fault);
    if (fault.kind === "hungWatch" && !this.#hungSince.has(fault.resource))
      this.#hungSince.set(fault.resource, this.#steadyMs());
  }

  end(fault: NetworkFault): void {
    this.#faults.delete(fault);
    if (fault.kind === "hungWatch" && !this.#isHung(fault.resource)) this.#hungSince.delete(fault.resource);
  }

  #hasListed(path: string): void {
    for (const resource of this.#hungSince.keys())
      if (path.endsWith(`/${resource}`)) this.#hungSince.set(resource, this.#steadyMs());
  }

  readonly #steadyMs = () => this.#options.clocks.steady.now();

  /**
   * For how long, ms, nothing was read of a resource whose watches hang; 0: they do not. By the process's own clock: it
   * cannot know that it was suspended.
   */
  hungForMs = (resource: Watched): number => this.#steadyMs() - (this.#hungSince.get(resource) ?? this.#steadyMs());

  /** Breaks every watch: lines on their way are lost. */
  cutWatches(): void {
    for (const watch of [...this.#watches]) watch.cut();
  }

  get isPartitioned(): boolean {
    return this.#active("partition") !== undefined;
  }

  /** The client that the process uses. */
  client(): ApiClient {
    const { client } = this.#options;
    return {
      url: client.url,
      get: (path, query, options) => this.#request(path, options, () => client.get(path, query)),
      list: async (path, query, options) => {
        const listed = await this.#request(path, options, () => client.list(path, query));
        this.#hasListed(path);
        return listed;
      },
      create: (path, body, query, options) => this.#request(path, options, () => client.create(path, body, query)),
      patch: (path, body, kind, query, options) =>
        this.#request(path, options, () => client.patch(path, body, kind, query), true),
      remove: (path, query, body, options) => this.#request(path, options, () => client.remove(path, query, body)),
      watch: (path, query, options) => this.#watch(path, query, options),
      raw: () => Promise.reject(new ApiError(501, "NotImplemented", "raw requests are not modelled")),
      close: () => Promise.resolve(),
    };
  }

  #active<Kind extends NetworkFault["kind"]>(kind: Kind): Extract<NetworkFault, { kind: Kind }> | undefined {
    for (const fault of this.#faults) if (fault.kind === kind) return fault as Extract<NetworkFault, { kind: Kind }>;
    return undefined;
  }

  /** As the API server sends it with an answer. */
  #date(): string {
    return new Date(this.#options.time.now()).toUTCString();
  }

  #wayMs(): number {
    const { random } = this.#options;
    return LEAST_MS + SPREAD_MS * random() + ((this.#active("slow")?.ms ?? 0) / 2) * (0.5 + random());
  }

  #lateAnswerMs(): number {
    return (this.#active("lateAnswers")?.ms ?? 0) * (0.5 + this.#options.random());
  }

  #strikes(fault: { readonly share: number } | undefined): boolean {
    return fault !== undefined && this.#options.random() < fault.share;
  }

  #request<Answer>(
    path: string,
    given: RequestOptions | undefined,
    send: () => Promise<Answer>,
    isWrite = false,
  ): Promise<Answer> {
    const { time, clocks } = this.#options;
    const { timeoutMs = REQUEST_TIMEOUT_MS, signal } = given ?? {};
    return new Promise((resolve, reject) => {
      let open = true;
      this.inFlight += 1;
      const end = (settle: () => void) => {
        if (!open) return;
        open = false;
        this.inFlight -= 1;
        cancelTimeout();
        signal?.removeEventListener("abort", abort);
        settle();
      };
      const fail = (status: number, reason: string, retryAfterSeconds?: number) =>
        end(() => reject(new ApiError(status, reason, `${path}: ${reason}`, { retryAfterSeconds })));
      const abort = () => fail(0, "Aborted");
      const cancelTimeout = clocks.steady.setTimer(() => fail(0, "Timeout"), timeoutMs);
      if (signal?.aborted === true) {
        abort();
        return;
      }
      signal?.addEventListener("abort", abort, { once: true });
      const heard = this.#options.clock.asked();
      const back = (settle: () => void) => {
        const date = this.#date();
        time.setTimer(
          () => {
            if (this.isPartitioned) return;
            clocks.run(() => {
              if (open) heard(date);
              settle();
            });
          },
          this.#wayMs() + (isWrite ? this.#lateAnswerMs() : 0),
        );
      };
      time.setTimer(() => {
        // The caller may have given up, and its connection is reset; a dead one's bytes are still on their way.
        if (!open || this.isPartitioned || this.#strikes(this.#active("lose"))) return;
        const busy = this.#active("busy");
        if (this.#strikes(busy)) {
          back(() => fail(429, "TooManyRequests", busy?.retryAfterSeconds));
          return;
        }
        if (this.#strikes(this.#active("error"))) {
          back(() => fail(500, "InternalError"));
          return;
        }
        const broken = this.#active("errorAfterWrite");
        const isMeant = broken?.resource === undefined || path.includes(`/${broken.resource}/`);
        const isBroken = isMeant && this.#strikes(broken);
        send().then(
          (answer) => {
            if (!isBroken) back(() => end(() => resolve(answer)));
            else if (broken?.silent === false) back(() => fail(0, "Unreachable"));
          },
          (error: unknown) => back(() => end(() => reject(error))),
        );
      }, this.#wayMs());
    });
  }

  #watch(path: string, query: Parameters<ApiClient["watch"]>[1], options: WatchOptions): Promise<void> {
    const { client, time, clocks } = this.#options;
    const { signal, idleTimeoutMs = 0 } = options;
    const resource = path.slice(path.lastIndexOf("/") + 1);
    return new Promise((resolve, reject) => {
      const server = new AbortController();
      let open = true;
      let cancelIdle = () => undefined as void;
      const end = (settle: () => void) => {
        if (!open) return;
        open = false;
        cancelIdle();
        this.#watches.delete(running);
        signal?.removeEventListener("abort", abort);
        server.abort();
        settle();
      };
      const fail = (reason: string) => end(() => reject(new ApiError(0, reason, `WATCH ${path}: ${reason}`)));
      const abort = () => fail("Aborted");
      const running: RunningWatch = { resource, cut: () => clocks.run(() => fail("Unreachable")) };
      const heard = () => {
        cancelIdle();
        cancelIdle = () => undefined;
        if (idleTimeoutMs > 0) cancelIdle = clocks.steady.setTimer(() => fail("Timeout"), idleTimeoutMs);
      };
      if (signal?.aborted === true) {
        abort();
        return;
      }
      this.#watches.add(running);
      signal?.addEventListener("abort", abort, { once: true });
      const queue: Line[] = [];
      let ended: (() => void) | undefined;
      const deliver = () => {
        const nowMs = time.now();
        for (let next = queue[0]; open && next && next.dueMs <= nowMs; next = queue[0]) {
          if (this.isPartitioned || this.#isHung(resource)) {
            time.setTimer(deliver, 500); // the bytes wait; TCP sends them again
            return;
          }
          queue.shift();
          const { text } = next;
          clocks.run(() => {
            if (!open) return;
            heard();
            try {
              options.onLine(text);
            } catch (error) {
              end(() => reject(error));
            }
          });
        }
        if (queue.length === 0 && ended) clocks.run(() => end(() => ended?.()));
      };
      const send = (text: string) => {
        const late = this.#lateMs(resource);
        const dueMs = Math.max(queue.at(-1)?.dueMs ?? 0, time.now() + this.#wayMs() + late);
        const copies = this.#strikes(this.#active("duplicateEvents")) ? 2 : 1;
        for (let copy = 0; copy < copies; copy++) queue.push({ text, dueMs });
        time.setTimer(deliver, dueMs - time.now());
      };
      const finish = (settle: () => void) => {
        ended = settle;
        time.setTimer(deliver, Math.max(queue.at(-1)?.dueMs ?? 0, time.now() + this.#wayMs()) - time.now());
      };
      // Until the server has accepted the watch, production's client waits as long as for any answer.
      cancelIdle = clocks.steady.setTimer(() => fail("Timeout"), REQUEST_TIMEOUT_MS);
      const dated = this.#options.clock.asked();
      const opened = (date: string) => {
        if (!open) return;
        dated(date);
        heard();
        options.onOpen?.();
      };
      time.setTimer(() => {
        if (!open || this.isPartitioned || this.#strikes(this.#active("lose"))) return;
        client
          .watch(path, query, {
            signal: server.signal,
            onLine: send,
            onOpen: () => {
              const date = this.#date();
              time.setTimer(() => clocks.run(() => opened(date)), this.#wayMs());
            },
          })
          .then(
            () => finish(resolve),
            (error: unknown) => finish(() => reject(error)),
          );
      }, this.#wayMs());
    });
  }

  #isHung(resource: string): boolean {
    for (const fault of this.#faults) if (fault.kind === "hungWatch" && fault.resource === resource) return true;
    return false;
  }

  #lateMs(resource: string): number {
    let ms = 0;
    for (const fault of this.#faults) if (fault.kind === "lateEvents" && fault.resource === resource) ms += fault.ms;
    return ms;
  }
}
