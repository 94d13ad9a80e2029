/**
 * A watch as the API server runs it: the changes since a version, then every new one, bookmarks, and an end in time.
 */
import type { Query } from "../../../../src/kube/client/api-client.ts";
import type { Clock } from "../../../../src/kube/clock.ts";
import { selection, type Matches } from "../protocol/selectors.ts";
import { Refusal } from "../refusals.ts";
import type { Target } from "../paths.ts";
import type { World } from "../world.ts";
import { createOutbox, type Outbox } from "./outbox.ts";
import { addedLine, bookmarkLine, errorLine, lineOf } from "./watch-lines.ts";

export interface WatchSink {
  readonly line: (line: string) => void;
  /** The server has ended the watch in order. Nothing comes after this. */
  readonly end: () => void;
}

export interface WatchSettings {
  readonly clock: Clock;
  /** From a change to its arrival, ms; asked for each line. */
  readonly lagMs: () => number;
}

/** Between two bookmarks, ms (kube-apiserver's `bookmarkFrequency`). */
const BOOKMARK_MS = 60_000;

/** The last bookmark comes this long before the end of the watch, ms. */
const LAST_BOOKMARK_MS = 2_000;

/** Without `timeoutSeconds` a watch lasts for this to twice this time, s (`--min-request-timeout`). */
const DEFAULT_SECONDS = 1_800;

/**
 * Starts a watch. @returns a function that ends it silently. @throws Refusal 400 for selectors that are not supported
 */
export function startWatch(world: World, target: Target, query: Query, sink: WatchSink, settings: WatchSettings) {
  const { clock, lagMs } = settings;
  const matches = selection(target, query);
  if (!/^\d*$/.test(String(query["resourceVersion"] ?? "")))
    throw new Refusal(500, "", "resourceVersion: invalid value");
  const cancels: (() => void)[] = [];
  const stop = () => {
    for (const cancel of cancels.splice(0)) cancel();
    outbox.close();
  };
  const outbox = createOutbox(clock, lagMs, (line) => {
    sink.line(line);
    if (line.startsWith('{"type":"ERROR"')) finish();
  });
  const finish = () => {
    stop();
    sink.end();
  };
  if (!sendFirst(world, target, query["resourceVersion"], matches, outbox)) return stop;
  cancels.push(
    world.store.subscribe(target.resource, (change) => {
      const line = lineOf(target.resource, change, matches);
      if (line !== undefined) outbox.send(line);
    }),
  );
  const seconds = Number(query["timeoutSeconds"] ?? DEFAULT_SECONDS * (1 + world.random()));
  cancels.push(clock.setTimer(finish, seconds * 1_000));
  if (query["allowWatchBookmarks"] === true) {
    const send = () => outbox.send(bookmarkLine(target.resource, world.store.version));
    cancels.push(every(clock, BOOKMARK_MS, send), clock.setTimer(send, seconds * 1_000 - LAST_BOOKMARK_MS));
  }
  return stop;
}

/** @returns false if the watch ends with the error that was sent */
function sendFirst(world: World, target: Target, from: unknown, matches: Matches, outbox: Outbox): boolean {
  const { resource } = target;
  const version = Number(from ?? 0);
  try {
    if (version === 0) sendAll(world, target, matches, outbox);
    else {
      for (const change of world.store.changesAfter(resource, version)) {
        const line = lineOf(resource, change, matches);
        if (line !== undefined) outbox.send(line);
      }
    }
    return true;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    outbox.send(errorLine(error));
    return false;
  }
}

function sendAll({ store }: World, { resource }: Target, matches: Matches, outbox: Outbox): void {
  for (const object of store.at(resource, store.version).values()) {
    if (matches(object)) outbox.send(addedLine(resource, object));
  }
}

function every(clock: Clock, ms: number, run: () => void): () => void {
  let cancel: () => void = () => undefined;
  const again = () => {
    run();
    cancel = clock.setTimer(again, ms);
  };
  cancel = clock.setTimer(again, ms);
  return () => cancel();
}
