/** Compaction as kube-apiserver does it: every few minutes, up to the version of the time before. */
import type { Clock } from "../../../../src/kube/clock.ts";
import type { Store } from "./store.ts";

/**
 * The store, compacted by its own writes when `everyMs` have passed. It needs no timer, so a clock that waits for the
 * last timer comes to an end.
 */
export function compactingStore(store: Store, clock: Clock, everyMs: number): Store {
  let lastMs = clock.now();
  let lastVersion = 0;
  const tick = () => {
    if (clock.now() - lastMs < everyMs) return;
    store.compact(lastVersion);
    lastVersion = store.version;
    lastMs = clock.now();
  };
  return {
    ...store,
    get version() {
      return store.version;
    },
    get compacted() {
      return store.compacted;
    },
    put(resource, key, object) {
      tick();
      return store.put(resource, key, object);
    },
    delete(resource, key) {
      tick();
      return store.delete(resource, key);
    },
  };
}
