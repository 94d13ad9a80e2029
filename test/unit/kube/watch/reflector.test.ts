import { describe, expect, it } from "vitest";
import { createApiClient } from "../../../../src/kube/client/api-client.ts";
import { systemClock } from "../../../../src/kube/clock.ts";
import { type Log, silentLog } from "../../../../src/kube/log.ts";
import { startReflector } from "../../../../src/kube/watch/reflector.ts";
import type { Reflector } from "../../../../src/kube/watch/reflector.ts";
import type { ReflectorLimits, ReflectorOptions } from "../../../../src/kube/watch/reflector-options.ts";
import { json, refusal, startScriptedApi, stream } from "../../../support/scripted-api.ts";
import type { Answer, ScriptedApi } from "../../../support/scripted-api.ts";

const thing = (uid: string, version: number) => ({ metadata: { uid, resourceVersion: String(version) } });
const page = (version: number, uids: readonly string[], token = "") =>
  json({
    metadata: { resourceVersion: String(version), continue: token },
    items: uids.map((uid) => thing(uid, version)),
  });
const event = (type: string, uid: string, version: number) => ({ type, object: thing(uid, version) });
const expired = { type: "ERROR", object: { kind: "Status", code: 410, reason: "Expired", message: "too old" } };

/** A watch that stays open; it is the last answer of every script. */
const silence = stream([], "silence");

const FAST: Partial<ReflectorLimits> = { firstRetryMs: 1, longestRetryMs: 5, idleMs: 30_000 };

interface Scene extends AsyncDisposable {
  readonly api: ScriptedApi;
  readonly reflector: Reflector;
  readonly seen: string[];
}

/**
 * Answers lists and watches from two scripts; the last answer of each repeats. `seen` records the calls of the
 * handlers.
 */
async function scene(
  lists: readonly Answer[],
  watches: readonly Answer[],
  options: Partial<
    Pick<ReflectorOptions<string>, "limits" | "onUpsert" | "log" | "query" | "fromNow" | "onListed" | "onForbidden">
  > = {},
): Promise<Scene> {
  const left = { lists: [...lists], watches: [...watches] };
  const take = (script: Answer[]) => (script.length > 1 ? script.shift() : script[0]) ?? refusal(500, "NoScript");
  const api = await startScriptedApi(({ query }) => take(query.has("watch") ? left.watches : left.lists));
  const client = createApiClient({ url: api.url });
  const seen: string[] = [];
  const reflector = startReflector<string>({
    ...options,
    client,
    path: "/api/v1/things",
    query: options.query,
    fromNow: options.fromNow,
    parse: (raw) => raw.metadata?.uid,
    onUpsert: (uid) => {
      options.onUpsert?.(uid);
      seen.push(`+${uid}`);
    },
    onDelete: (uid) => seen.push(`-${uid}`),
    clock: systemClock,
    random: () => 0.5,
    log: options.log ?? silentLog,
    limits: { ...FAST, ...options.limits },
  });
  return {
    api,
    reflector,
    seen,
    async [Symbol.asyncDispose]() {
      await reflector.stop();
      await client.close();
      await api[Symbol.asyncDispose]();
    },
  };
}

const versions = (api: ScriptedApi) =>
  api.requests.filter(({ query }) => query.has("watch")).map(({ query }) => query.get("resourceVersion"));

describe("the reflector", () => {
  it("lists in pages, then watches from the list's version, asking for bookmarks", async () => {
    await using at = await scene([page(10, ["a", "b"], "next"), page(10, ["c"])], [silence], {
      limits: { pageSize: 2 },
    });
    await at.reflector.synced;
    expect(at.seen).toEqual(["+a", "+b", "+c"]);
    expect(at.reflector.size).toBe(3);
    await expect.poll(() => at.api.requests.length).toBe(3);
    const [first, second, watch] = at.api.requests.map(({ query }) => Object.fromEntries(query));
    expect(first).toEqual({ limit: "2" });
    expect(second).toEqual({ limit: "2", continue: "next" });
    expect(watch).toMatchObject({ watch: "true", allowWatchBookmarks: "true", resourceVersion: "10" });
    expect(Number(watch?.["timeoutSeconds"])).toBe(450);
  });

  it("continues from the last event or bookmark after a reset, without listing again", async () => {
    const events = [event("ADDED", "b", 11), event("DELETED", "a", 12), event("BOOKMARK", "", 20)];
    await using at = await scene([page(10, ["a"])], [stream(events, "reset"), silence]);
    await expect.poll(() => versions(at.api)).toEqual(["10", "20"]);
    expect(at.seen).toEqual(["+a", "+b", "-a"]);
    expect(at.reflector.counts.lists).toBe(1);
  });

  it("recovers after the watch was answered with 500, and lists again if that continues", async () => {
    const broken = refusal(500, "InternalError");
    await using at = await scene([page(10, ["a"]), page(30, ["b"])], [broken, broken, broken, silence]);
    await expect.poll(() => versions(at.api)).toEqual(["10", "10", "10", "30"]);
    expect(at.seen).toEqual(["+a", "+b", "-a"]);
  });

  it("tells once of a right that it lacks, goes on asking, and tells again when the right was there meanwhile", async () => {
    const forbidden = refusal(403, "Forbidden");
    const log: Log & { lines: string[] } = { ...silentLog, lines: [], warn: (_, message) => log.lines.push(message) };
    const lists = [forbidden, forbidden, forbidden, page(10, ["a"]), forbidden, forbidden, page(20, ["b"])];
    const over = stream([event("ADDED", "x", 11), expired], "end");
    await using at = await scene(lists, [over, silence], { log });
    await expect.poll(() => at.seen).toEqual(["+a", "+x", "+b", "-a", "-x"]);
    expect(log.lines).toEqual(["list or watch failed", "list or watch failed"]);
  });

  it("forgets what it knew when the right to list is gone, where that is asked for, and begins anew when it is back", async () => {
    const forbidden = refusal(403, "Forbidden");
    const heard: string[] = [];
    const hooks = { onListed: () => heard.push("listed"), onForbidden: () => heard.push("forbidden") };
    const lists = [forbidden, page(10, ["a"]), forbidden, forbidden, page(20, ["a", "b"])];
    const watches = [forbidden, forbidden, silence];
    await using at = await scene(lists, watches, hooks);
    await expect.poll(() => at.seen).toEqual(["+a", "+a", "+b"]);
    expect(heard).toEqual(["listed", "forbidden", "listed"]);
    expect(at.reflector.size).toBe(2);
  });

  it("waits as long as a busy server asks", async () => {
    const busy = json({ kind: "Status", code: 429, reason: "TooManyRequests" }, 429, { "retry-after": "1" });
    const startMs = performance.now();
    await using at = await scene([busy, page(10, ["a"])], [silence]);
    await at.reflector.synced;
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(990);
  });

  it("watches anew after a watch without a byte, which is no news in a quiet cluster", async () => {
    const warned: string[] = [];
    const log: Log = { ...silentLog, warn: (_, message) => warned.push(message) };
    await using at = await scene([page(10, ["a"])], [silence, stream([event("ADDED", "b", 11)], "silence"), silence], {
      limits: { idleMs: 1_500 }, // long enough for an event on a busy machine
      log,
    });
    await expect.poll(() => at.seen).toEqual(["+a", "+b"]);
    expect(versions(at.api).slice(0, 2)).toEqual(["10", "10"]);
    expect(warned).toEqual([]);
  });

  it.each([
    ["opens and says nothing", silence, 0],
    ["tells of an error only", stream([{ type: "ERROR", object: { code: 503, reason: "Busy" } }], "silence"), 1],
  ])("has not heard of its objects where the watch %s: a leader looks at this age", async (_, watch, failures) => {
    await using at = await scene([page(10, ["a"])], [watch, silence]);
    await at.reflector.synced;
    const listedMs = at.reflector.lastContactMs;
    await expect.poll(() => at.reflector.counts.watches).toBe(1 + failures);
    expect(at.reflector.lastContactMs).toBe(listedMs);
  });

  it("lists again after 410 inside a watch, and computes which objects are gone", async () => {
    await using at = await scene([page(10, ["a", "b"]), page(50, ["b", "c"])], [stream([expired], "end"), silence]);
    await expect.poll(() => versions(at.api)).toEqual(["10", "50"]);
    expect(at.seen).toEqual(["+a", "+b", "+b", "+c", "-a"]);
    expect(at.reflector.size).toBe(2);
  });

  it("restarts a list whose continue token expired, forgets no object, and finally asks for the whole list", async () => {
    const first = page(10, ["a"], "next");
    const gone = refusal(410, "Expired");
    await using at = await scene([first, gone, first, gone, page(20, ["b"])], [silence]);
    await at.reflector.synced;
    expect(at.seen).toEqual(["+a", "+a", "+b", "-a"]);
    expect(at.api.requests[4]?.query.has("limit")).toBe(false);
  });

  it("survives garbage in the stream, and misses no event", async () => {
    const garbled = stream([event("ADDED", "b", 11), '{"type":"ADDED","obj\n'], "silence");
    await using at = await scene([page(10, ["a"])], [garbled, stream([event("ADDED", "c", 12)], "silence"), silence]);
    await expect.poll(() => at.seen).toEqual(["+a", "+b", "+c"]);
    expect(versions(at.api)).toEqual(["10", "11"]);
    expect(at.reflector.counts.malformedLines).toBe(1);
  });

  it("continues after a handler throws", async () => {
    const onUpsert = (uid: string) => {
      if (uid === "b") throw new Error("a bug");
    };
    await using at = await scene([page(10, ["a", "b", "c"])], [silence], { onUpsert });
    await at.reflector.synced;
    expect(at.seen).toEqual(["+a", "+c"]);
    expect(at.reflector.counts.handlerErrors).toBe(1);
  });

  it("is not synced before the last page, and calls no handler after stop", async () => {
    const asked = Promise.withResolvers<() => void>();
    const held: Answer = (response, request) => asked.resolve(() => page(10, ["b"])(response, request));
    await using at = await scene([page(10, ["a"], "next"), held], [silence]);
    await expect.poll(() => at.seen).toEqual(["+a"]);
    expect(at.reflector.isSynced).toBe(false);
    const answer = await asked.promise;
    await at.reflector.stop();
    answer();
    await new Promise((resolve) => setTimeout(resolve, 80)); // there is no event to wait for
    expect(at.seen).toEqual(["+a"]);
  });
});

describe("a reflector that follows from now on", () => {
  const query = { fieldSelector: "reason=Failed" };

  it("asks for one object, whichever it is, to learn the time, and watches what comes with its selector", async () => {
    const events = [event("ADDED", "b", 11), event("MODIFIED", "b", 12), event("DELETED", "a", 13)];
    const lists = [page(10, ["a"], "more")];
    await using at = await scene(lists, [stream(events, "silence")], { query, fromNow: true });
    await expect.poll(() => at.seen).toEqual(["+b", "+b"]);
    const asked = at.api.requests.map(({ query: asked }) => Object.fromEntries(asked));
    expect(asked).toMatchObject([{ limit: "1" }, { watch: "true", resourceVersion: "10", ...query }]);
    expect(asked[0]).toEqual({ limit: "1" });
    expect([at.reflector.isSynced, at.reflector.size]).toEqual([true, 0]);
  });

  it("asks for the time again when a watch ends, because an old one expires; goes on from the last event after a reset", async () => {
    const watches = [stream([event("ADDED", "a", 11)], "end"), stream([event("ADDED", "b", 21)], "reset"), silence];
    await using at = await scene([page(10, []), page(20, [])], watches, { query, fromNow: true });
    await expect.poll(() => versions(at.api)).toEqual(["10", "20", "21"]);
    expect(at.seen).toEqual(["+a", "+b"]);
  });
});
