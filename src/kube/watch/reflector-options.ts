/** Options and counts of a reflector. */
import type { ApiClient, Query } from "../client/api-client.ts";
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { KubeObject } from "../parse/kube-json.ts";

export interface ReflectorOptions<Facts> {
  readonly client: ApiClient;
  /** Collection to follow, e.g. `/api/v1/pods`. */
  readonly path: string;
  /** Selectors, for lists and watches alike. */
  readonly query?: Query | undefined;
  /**
   * Lists nothing and remembers nothing: only what is written from now on is passed on, and no deletion. What is
   * written between two watches is missed.
   */
  readonly fromNow?: boolean | undefined;
  /** Returns what to keep of an object; undefined to ignore the object. */
  readonly parse: (raw: KubeObject) => Facts | undefined;
  /** Identity of an object across its life; default: `metadata.uid`. */
  readonly keyOf?: ((raw: KubeObject) => string) | undefined;
  readonly onUpsert: (facts: Facts) => void;
  readonly onDelete: (key: string) => void;
  /** All objects have been listed: for the first time, or since `onForbidden`. */
  readonly onListed?: (() => void) | undefined;
  /** The right to list is gone: what was passed on is to be forgotten. Without it, it stays as it was. */
  readonly onForbidden?: (() => void) | undefined;
  readonly clock: Clock;
  /** 0 to 1, for jitter. */
  readonly random: () => number;
  readonly log: Log;
  readonly limits?: Partial<ReflectorLimits> | undefined;
}

export interface ReflectorLimits {
  /** Objects per page of a list. 250 pods are about 1.6 MB of JSON; while a page is parsed, webhooks wait. */
  readonly pageSize: number;
  /** A watch without any byte for this long counts as hung; the API server sends a bookmark about every 60 s. */
  readonly idleMs: number;
  /** The server is asked to end a watch after this to twice this time, so that watches spread over API servers. */
  readonly watchSeconds: number;
  /** Back-off after failed attempts. */
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

/** Counts since the start; they never fall. */
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
