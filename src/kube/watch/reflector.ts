/**
 * Lists and watches one resource for ever. No other place watches. It replaces the library's informer, which does not
 * recover after a 500 or a reset, has no bookmarks, and ends when a handler throws. A reflector keeps only the keys
 * that it has seen: what `parse` does not keep of an object becomes garbage at once.
 */
import { followForever, newFollowing } from "./follow.ts";
import { REFLECTOR_LIMITS, type ReflectorCounts, type ReflectorOptions } from "./reflector-options.ts";

export interface Reflector {
  /** Resolves when the first full list has been passed on. Never rejects; stays pending if stopped before. */
  readonly synced: Promise<void>;
  readonly isSynced: boolean;
  /**
   * When the API server last told anything of these objects: a page of a list, an event, a bookmark, a watch that ended
   * in order. Time of the reflector's clock, ms; undefined before the first.
   */
  readonly lastContactMs: number | undefined;
  /** Number of known objects. */
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
