/**
 * List and watch of one resource, for ever. The library's informer has holes (it does not come back after a 500 or a
 * reset, knows no bookmarks, dies of a throwing handler), so this is the one wrapper, and the only place that watches.
 * It keeps the keys it has seen and nothing else: what `parse` does not keep of an object is garbage at once.
 */
import type { ApiClient, Query } from "./api-client.ts";
import type { Clock } from "./clock.ts";
import { followForever, newFollowing } from "./follow.ts";
import type { KubeObject } from "./kube-json.ts";
import type { Log } from "./log.ts";

export interface ReflectorOptions<Facts> {
  readonly client: ApiClient;
  /** Collection to follow, e.g. `/api/v1/pods`. */
  readonly path: string;
  /** Selectors, for lists and watches alike. */
  readonly query?: Query | undefined;
  /** What to keep of an object; undefined: nothing (it is passed over). */
  readonly parse: (raw: KubeObject) => Facts | undefined;
  /** Identity of an object across its life; default: `metadata.uid`. */
  readonly keyOf?: ((raw: KubeObject) => string) | undefined;
  readonly onUpsert: (facts: Facts) => void;
  readonly onDelete: (key: string) => void;
  readonly clock: Clock;
  /** 0 to 1, for jitter. */
  readonly random: () => number;
  readonly log: Log;
  readonly limits?: Partial<ReflectorLimits> | undefined;
}

export interface ReflectorLimits {
  /** Objects per page of a list. 250 pods are about 1.6 MB of JSON; while a page is parsed, webhooks wait. */
  readonly pageSize: number;
  /** A watch without any byte for so long counts as hung; the API server sends a bookmark about every 60 s. */
  readonly idleMs: number;
  /** The server is asked to end a watch after this to twice this time, so that watches spread over API servers. */
  readonly watchSeconds: number;
  /** Back-off between attempts that fail. */
  readonly firstRetryMs: number;
  readonly longestRetryMs: number;
}

export const REFLECTOR_LIMITS: ReflectorLimits = {
  pageSize: 250,
  idleMs: 90_000,
  watchSeconds: 300,
  firstRetryMs: 250,
  longestRetryMs: 15_000,
};

/** What happened so far; monotonic. */
export interface ReflectorCounts {
  /** Full lists that were completed. */
  lists: number;
  /** Watches that the server accepted. */
  watches: number;
  /** Lists and watches that failed. */
  failures: number;
  handlerErrors: number;
  malformedLines: number;
}

export interface Reflector {
  /** Resolves when the first full list has been handed over; never rejects; stays pending when stopped before that. */
  readonly synced: Promise<void>;
  readonly isSynced: boolean;
  /** When the API server last sent anything, epoch ms; undefined before the first answer. */
  readonly lastContactMs: number | undefined;
  /** Objects known. */
  readonly size: number;
  readonly counts: Readonly<ReflectorCounts>;
  /** Ends the watch; resolves when nothing runs any more. No handler is called afterwards. */
  stop(): Promise<void>;
}

/** Starts at once. */
export function startReflector<Facts>(options: ReflectorOptions<Facts>): Reflector {
  const stopping = new AbortController();
  const synced = Promise.withResolvers<undefined>();
  const following = newFollowing(options, { ...REFLECTOR_LIMITS, ...options.limits }, stopping.signal, () =>
    synced.resolve(undefined),
  );
  const running = followForever(following);
  return {
    synced: synced.promise.then(() => undefined),
    get isSynced() {
      return following.isSynced;
    },
    get lastContactMs() {
      return following.lastContactMs;
    },
    get size() {
      return following.known.size;
    },
    counts: following.counts,
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
