/** The changes of one resource, oldest first. They answer watches from an old version, until they are compacted. */
import type { KubeObject } from "../../../../src/kube/parse/kube-json.ts";

/** One write. Without `before` the object was created, without `after` deleted. */
export interface Change {
  /** The resourceVersion that this write made. */
  readonly version: number;
  readonly key: string;
  readonly before: KubeObject | undefined;
  readonly after: KubeObject | undefined;
}

export interface History {
  add(change: Change): void;
  /** Changes with a greater version, oldest first. */
  after(version: number): readonly Change[];
  /** Forgets the changes up to and including this version. */
  forget(version: number): void;
}

/** Forgotten changes stay in the list until there are this many of them. Assumed: cheap to move now and then. */
const LAZY = 1_024;

export function createHistory(): History {
  let changes: Change[] = [];
  let from = 0;
  /** Index of the first change after `version`. */
  const indexAfter = (version: number) => {
    let [low, high] = [from, changes.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((changes[middle] as Change).version > version) high = middle;
      else low = middle + 1;
    }
    return low;
  };
  return {
    add: (change) => void changes.push(change),
    after: (version) => changes.slice(indexAfter(version)),
    forget(version) {
      from = indexAfter(version);
      if (from < LAZY) return;
      changes = changes.slice(from);
      from = 0;
    },
  };
}
