/**
 * List and watch of one resource, for ever. The library's informer has holes (it does not come back after a 500 or a
 * reset, knows no bookmarks, dies of a throwing handler), so this is the one wrapper, and the only place that watches.
 * It keeps the keys it has seen and nothing else: what `parse` does not keep of an object is garbage at once.
 */
import { followForever, newFollowing } from "./follow.ts";
import { REFLECTOR_LIMITS, type ReflectorCounts, type ReflectorOptions } from "./reflector-options.ts";

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
