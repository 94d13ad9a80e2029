/**
 * What etcd is to kube-apiserver: objects by key, one counter of versions for all of them, and the changes since the
 * last compaction. Knows no rules of Kubernetes except `metadata.resourceVersion`.
 */
import type { KubeObject } from "../../../../src/kube/parse/kube-json.ts";
import { frozen } from "../json.ts";
import { expired } from "../refusals.ts";
import type { Resource } from "../resources.ts";
import { createHistory, type Change, type History } from "./history.ts";

export type Listener = (change: Change) => void;

export interface Store {
  /** The newest resourceVersion. */
  readonly version: number;
  /** Versions below this one can no longer be read or watched from. */
  readonly compacted: number;
  get(resource: Resource, key: string): KubeObject | undefined;
  /** Creates or replaces an object. @returns it with its new resourceVersion, frozen */
  put(resource: Resource, key: string, object: KubeObject): KubeObject;
  /** Deletes an object. @returns it as it was, with the resourceVersion of the deletion */
  delete(resource: Resource, key: string): KubeObject | undefined;
  /** All objects of the resource as they were at `version`. @throws Refusal 410 if that is compacted */
  at(resource: Resource, version: number): ReadonlyMap<string, KubeObject>;
  /** @throws Refusal 410 if `version` is compacted */
  changesAfter(resource: Resource, version: number): readonly Change[];
  /** Calls the listener after each change of the resource. @returns a function that ends that */
  subscribe(resource: Resource, listener: Listener): () => void;
  compact(before: number): void;
}

interface Shelf {
  readonly objects: Map<string, KubeObject>;
  readonly history: History;
  readonly listeners: Set<Listener>;
}

export function createStore(): Store {
  const shelves = new Map<Resource, Shelf>();
  let version = 1;
  let compacted = 0;
  const shelf = (resource: Resource): Shelf => {
    let found = shelves.get(resource);
    if (found === undefined) {
      found = { objects: new Map(), history: createHistory(), listeners: new Set() };
      shelves.set(resource, found);
    }
    return found;
  };
  const change = (resource: Resource, key: string, after: KubeObject | undefined) => {
    const { objects, history, listeners } = shelf(resource);
    const made: Change = { version, key, before: objects.get(key), after };
    if (after === undefined) objects.delete(key);
    else objects.set(key, after);
    history.add(made);
    for (const listener of listeners) listener(made);
  };
  const refuseCompacted = (asked: number) => {
    if (asked < compacted) throw expired(`too old resource version: ${asked} (${compacted})`);
  };
  return {
    get version() {
      return version;
    },
    get compacted() {
      return compacted;
    },
    get: (resource, key) => shelf(resource).objects.get(key),
    put(resource, key, object) {
      version++;
      const stored = withVersion(object, version);
      change(resource, key, stored);
      return stored;
    },
    delete(resource, key) {
      const before = shelf(resource).objects.get(key);
      if (before === undefined) return undefined;
      version++;
      change(resource, key, undefined);
      return withVersion(before, version);
    },
    at(resource, asked) {
      refuseCompacted(asked);
      const { objects, history } = shelf(resource);
      return undone(objects, history.after(asked));
    },
    changesAfter(resource, asked) {
      refuseCompacted(asked);
      return shelf(resource).history.after(asked);
    },
    subscribe(resource, listener) {
      const { listeners } = shelf(resource);
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    compact(before) {
      compacted = Math.max(compacted, Math.min(before, version));
      for (const { history } of shelves.values()) history.forget(compacted);
    },
  };
}

/** The object with this resourceVersion, frozen. */
export function withVersion(object: KubeObject, version: number): KubeObject {
  return frozen({ ...object, metadata: { ...object.metadata, resourceVersion: String(version) } });
}

function undone(now: ReadonlyMap<string, KubeObject>, changes: readonly Change[]): ReadonlyMap<string, KubeObject> {
  if (changes.length === 0) return now;
  const then = new Map(now);
  for (const { key, before } of changes.toReversed()) {
    if (before === undefined) then.delete(key);
    else then.set(key, before);
  }
  return then;
}
