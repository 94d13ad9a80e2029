/** How a reflector lists, watches, fails and recovers. reflector.ts says what it guarantees. */
import { ApiError, isExpired, isForbidden, wasSilent } from "../client/api-error.ts";
import { backoffMs } from "../client/backoff.ts";
import { pause } from "../clock.ts";
import { textOf } from "../parse/kube-json.ts";
import type { KubeList, KubeObject } from "../parse/kube-json.ts";
import type { ReflectorCounts, ReflectorLimits, ReflectorOptions } from "./reflector-options.ts";
import { parseWatchEvent } from "./watch-event.ts";

/** The state of a running reflector. */
export interface Following<Facts> {
  readonly options: ReflectorOptions<Facts>;
  readonly limits: ReflectorLimits;
  readonly signal: AbortSignal;
  readonly onSynced: () => void;
  readonly counts: ReflectorCounts;
  known: Set<string>;
  /** resourceVersion from which the next watch goes on; undefined: list first. */
  position: string | undefined;
  lastContactMs: number | undefined;
  isSynced: boolean;
  failuresInRow: number;
  /** Failures in a row that the server itself answered (it could be reached). */
  refusalsInRow: number;
  /** The last failure was a 403. */
  wasForbidden: boolean;
  /** How long the server asked us to wait, in ms; 0 if it did not. */
  retryAfterMs: number;
  /** Lists in a row whose continue token expired before the last page. */
  expiredPages: number;
}

/** Refusals in a row after which the position is given up: it may belong to an etcd that no longer exists. */
const REFUSALS_BEFORE_RELIST = 3;

/** Lists in a row whose pages expired, after which the next list is asked for in one piece. */
const EXPIRED_PAGES_BEFORE_WHOLE = 2;

/** A watch that lasted this long, in ms, resets the back-off, however it ended. */
const GOOD_WATCH_MS = 5_000;

export function newFollowing<Facts>(
  options: ReflectorOptions<Facts>,
  limits: ReflectorLimits,
  signal: AbortSignal,
  onSynced: () => void,
): Following<Facts> {
  return {
    options,
    limits,
    signal,
    onSynced,
    counts: { lists: 0, watches: 0, failures: 0, handlerErrors: 0, malformedLines: 0 },
    known: new Set(),
    position: undefined,
    lastContactMs: undefined,
    isSynced: false,
    failuresInRow: 0,
    refusalsInRow: 0,
    wasForbidden: false,
    retryAfterMs: 0,
    expiredPages: 0,
  };
}

/** Lists and watches until stopped. Never rejects. */
export async function followForever<Facts>(of: Following<Facts>): Promise<void> {
  while (!isStopped(of)) {
    const startedMs = of.options.clock.now();
    try {
      if (of.position === undefined) await (of.options.fromNow ? findNow(of) : listAll(of));
      await watchOnce(of);
      if (of.options.fromNow) of.position = undefined; // without an event for minutes it would expire
      succeeded(of, startedMs);
    } catch (error) {
      if (isStopped(of)) return;
      failed(of, error, startedMs);
    }
    if (of.failuresInRow > 0) await pause(of.options.clock, waitMs(of), of.signal);
  }
}

function isStopped<Facts>(of: Following<Facts>): boolean {
  return of.signal.aborted;
}

/**
 * After a watch that the server ended in order. Watches that end at once again and again must not become a busy loop.
 */
function succeeded<Facts>(of: Following<Facts>, startedMs: number): void {
  const wasGood = of.options.clock.now() - startedMs >= GOOD_WATCH_MS;
  of.failuresInRow = wasGood ? 0 : of.failuresInRow + 1;
  of.refusalsInRow = 0;
  of.wasForbidden = false;
}

function failed<Facts>(of: Following<Facts>, error: unknown, startedMs: number): void {
  of.counts.failures++;
  of.retryAfterMs = error instanceof ApiError ? (error.retryAfterSeconds ?? 0) * 1_000 : 0;
  const lasted = of.options.clock.now() - startedMs >= GOOD_WATCH_MS;
  of.failuresInRow = lasted ? 1 : of.failuresInRow + 1;
  const { wasForbidden } = of;
  of.wasForbidden = isForbidden(error);
  if (of.wasForbidden && of.position === undefined && of.isSynced) forgetAll(of);
  if (isExpired(error)) {
    of.position = undefined;
    of.options.log.info({ path: of.options.path, err: error }, "the watch position expired; listing again");
    return;
  }
  of.refusalsInRow = isRefusal(error) ? of.refusalsInRow + 1 : 0;
  if (of.refusalsInRow >= REFUSALS_BEFORE_RELIST) of.position = undefined;
  // A right is missing until a person grants it, so the log has it once. Where nothing happens a watch is silent.
  const level = (of.wasForbidden && wasForbidden) || wasSilent(error) ? "debug" : "warn";
  of.options.log[level]({ path: of.options.path, err: error, failures: of.failuresInRow }, "list or watch failed");
}

/** The next list begins anew. */
function forgetAll<Facts>(of: Following<Facts>): void {
  const { onForbidden } = of.options;
  if (!onForbidden) return;
  of.known = new Set();
  of.isSynced = false;
  guarded(of, onForbidden);
}

/** True if the server answered with a refusal, except when it was only busy. */
function isRefusal(error: unknown): boolean {
  return error instanceof ApiError && error.status >= 400 && error.status !== 429 && error.status !== 503;
}

function waitMs<Facts>(of: Following<Facts>): number {
  const limits = { firstMs: of.limits.firstRetryMs, longestMs: of.limits.longestRetryMs };
  const wait = Math.max(backoffMs(of.failuresInRow, limits, of.options.random), of.retryAfterMs);
  of.retryAfterMs = 0;
  return wait;
}

/** Passes on every object, page by page with the next page on its way, then the objects gone since the last list. */
async function listAll<Facts>(of: Following<Facts>): Promise<void> {
  const before = of.known;
  const seen = new Set<string>();
  let position = "";
  try {
    let next: Promise<KubeList> | undefined = fetchPage(of, undefined);
    while (next !== undefined) {
      const page: KubeList = await next;
      const token = page.metadata?.continue ?? "";
      position = page.metadata?.resourceVersion ?? position;
      next = token === "" ? undefined : fetchPage(of, token);
      for (const raw of page.items) seen.add(upsert(of, raw));
    }
  } catch (error) {
    // Remembers the objects of the pages so far; otherwise their deletion would never be seen.
    for (const key of seen) before.add(key);
    if (isExpired(error)) of.expiredPages++;
    throw error;
  }
  of.expiredPages = 0;
  of.known = seen;
  for (const key of before) if (!seen.has(key)) remove(of, key);
  listed(of, position);
}

/** Any one object's list tells the time; with the selectors the server would read all objects to find one. */
async function findNow<Facts>(of: Following<Facts>): Promise<void> {
  const { client, path, clock } = of.options;
  const page = await client.list(path, { limit: 1 }, { signal: of.signal });
  of.lastContactMs = clock.now();
  listed(of, page.metadata?.resourceVersion ?? "");
}

function listed<Facts>(of: Following<Facts>, position: string): void {
  of.position = position;
  of.counts.lists++;
  if (of.isSynced) return;
  of.isSynced = true;
  of.onSynced();
  const { onListed } = of.options;
  if (onListed) guarded(of, onListed);
}

async function fetchPage<Facts>(of: Following<Facts>, token: string | undefined): Promise<KubeList> {
  const whole = of.expiredPages >= EXPIRED_PAGES_BEFORE_WHOLE;
  const query = { ...of.options.query, limit: whole ? undefined : of.limits.pageSize, continue: token };
  const page = await of.options.client.list(of.options.path, query, { signal: of.signal });
  of.lastContactMs = of.options.clock.now();
  return page;
}

/** Watches from the position until the server ends the watch. Rejects if the watch did not end in order. */
async function watchOnce<Facts>(of: Following<Facts>): Promise<void> {
  const { client, path, query, clock, random } = of.options;
  const timeoutSeconds = Math.round(of.limits.watchSeconds * (1 + random()));
  await client.watch(
    path,
    { ...query, resourceVersion: of.position, allowWatchBookmarks: true, timeoutSeconds },
    {
      signal: of.signal,
      idleTimeoutMs: of.limits.idleMs,
      // No contact yet: a server that accepts a watch may still send nothing.
      onOpen: () => of.counts.watches++,
      onLine: (line) => takeLine(of, line),
    },
  );
  of.lastContactMs = clock.now(); // it ended in order
}

/** @throws when the watch must end here; the next one goes on from the last position */
function takeLine<Facts>(of: Following<Facts>, line: string): void {
  const event = parseWatchEvent(line);
  if (event === undefined) {
    of.counts.malformedLines++;
    throw new ApiError(500, "MalformedLine", `watch ${of.options.path}: no watch event: ${line.slice(0, 120)}`);
  }
  if (event.kind === "error") throw event.error;
  of.lastContactMs = of.options.clock.now();
  if (event.kind === "unknown") {
    of.options.log.warn({ path: of.options.path, type: event.type }, "unknown type of watch event");
    return;
  }
  if (event.kind === "upsert") remember(of, upsert(of, event.object));
  if (event.kind === "delete") forget(of, keyOf(of, event.object));
  of.position = textOf(event.object.metadata?.resourceVersion) || of.position;
  of.failuresInRow = 0;
  of.refusalsInRow = 0;
}

function keyOf<Facts>(of: Following<Facts>, raw: KubeObject): string {
  return of.options.keyOf === undefined ? textOf(raw.metadata?.uid) : of.options.keyOf(raw);
}

/** Passes an object on and returns its key. */
function upsert<Facts>(of: Following<Facts>, raw: KubeObject): string {
  guarded(of, () => {
    const facts = of.options.parse(raw);
    if (facts !== undefined) of.options.onUpsert(facts);
  });
  return keyOf(of, raw);
}

function remember<Facts>(of: Following<Facts>, key: string): void {
  if (!of.options.fromNow) of.known.add(key);
}

function forget<Facts>(of: Following<Facts>, key: string): void {
  if (of.options.fromNow) return;
  of.known.delete(key);
  remove(of, key);
}

function remove<Facts>(of: Following<Facts>, key: string): void {
  guarded(of, () => of.options.onDelete(key));
}

/** Logs and counts an error of a handler, so that it does not end the stream. Does nothing once stopped. */
function guarded<Facts>(of: Following<Facts>, handler: () => void): void {
  if (isStopped(of)) return;
  try {
    handler();
  } catch (error) {
    of.counts.handlerErrors++;
    of.options.log.error({ path: of.options.path, err: error }, "a handler of cluster events failed");
  }
}
