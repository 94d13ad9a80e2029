import { describe, expect, test } from "vitest";
import { createPacer } from "../../../src/core/pacer.ts";
import { createApiClient } from "../../../src/kube/client/api-client.ts";
import { steadyClock, systemClock } from "../../../src/kube/clock.ts";
import { silentLog } from "../../../src/kube/log.ts";
import { createShapeInterner } from "../../../src/kube/parse/shape-interner.ts";
import { defaultPolicy } from "../../../src/policy/parse.ts";
import { startClusterFeed } from "../../../src/service/cluster-feed.ts";
import { type Answer, json, refusal, startScriptedApi, stream } from "../../support/scripted-api.ts";

const DAEMON_SETS = "/apis/apps/v1/daemonsets";
const agent = {
  metadata: { namespace: "logs", name: "agent", uid: "u1", resourceVersion: "1" },
  spec: { template: { spec: { containers: [] } } },
};
const listOf = (...items: object[]) => json({ metadata: { resourceVersion: "1" }, items });

/** A feed of an empty cluster; the pacer records what it hears of DaemonSets. */
async function feedWith(daemonSets: Answer, events: readonly object[] = [], later?: Answer) {
  let lists = 0;
  const api = await startScriptedApi(({ path, query }) => {
    const isOurs = path === DAEMON_SETS;
    if (query.has("watch")) return isOurs && later ? later : stream(isOurs ? events : [], "silence");
    if (isOurs) lists += 1;
    return isOurs ? (lists > 1 && later ? later : daemonSets) : listOf();
  });
  const client = createApiClient({ url: api.url });
  const heard: string[] = [];
  let changes = 0;
  const pacer = createPacer(defaultPolicy());
  const upsert = pacer.upsertDaemonSet.bind(pacer);
  Object.assign<typeof pacer, Partial<typeof pacer>>(pacer, {
    upsertDaemonSet(one) {
      const isNew = upsert(one);
      heard.push(`${isNew ? "+" : "="}${one.namespace}/${one.name}`);
      return isNew;
    },
    deleteDaemonSet: (key) => heard.push(`-${key}`),
    daemonSetsListed: () => heard.push("listed"),
    forgetDaemonSets: () => heard.push("forgotten"),
  });
  const feed = startClusterFeed({
    ...{ client, pacer, interner: createShapeInterner(), random: () => 0.5, log: silentLog },
    ...{ clock: systemClock, steady: steadyClock },
    onChange: () => (changes += 1),
  });
  return {
    ...{ feed, heard, api },
    changes: () => changes,
    async [Symbol.asyncDispose]() {
      await feed.stop();
      await client.close();
      await api[Symbol.asyncDispose]();
    },
  };
}

describe("the feed of DaemonSets", () => {
  test("tells the pacer of each, when all have been listed, and when one goes", async () => {
    const deleted = { type: "DELETED", object: agent };
    await using at = await feedWith(listOf(agent), [deleted]);
    await expect.poll(() => at.heard).toEqual(["+logs/agent", "listed", "-logs/agent"]);
  });

  test("a status that changes wakes no plan", async () => {
    const event = { type: "MODIFIED", object: { ...agent, status: { numberReady: 1 } } };
    await using at = await feedWith(listOf(agent), [event, event]);
    await expect.poll(() => at.heard.slice(2)).toEqual(["=logs/agent", "=logs/agent"]);
    expect(at.changes()).toBe(2); // the DaemonSet, and that all are listed
  });

  test("forgets them when they may not be listed any more: an old list would be believed for ever", async () => {
    await using at = await feedWith(listOf(agent), [], refusal(403, "Forbidden"));
    await expect.poll(() => at.heard, { timeout: 10_000 }).toEqual(["+logs/agent", "listed", "forgotten"]);
    expect(at.feed.isSynced).toBe(true);
  });

  test("is not waited for: where they may not be listed, pods and nodes are followed all the same", async () => {
    await using at = await feedWith(refusal(403, "Forbidden"));
    await expect.poll(() => at.feed.isSynced).toBe(true);
    await expect.poll(() => at.api.requests.filter(({ path }) => path === DAEMON_SETS).length).toBeGreaterThan(1);
    expect(at.heard).toEqual([]);
  });
});

describe("the feed of namespaces", () => {
  async function feedOf(namespaces: Answer, events: readonly object[] = []) {
    const api = await startScriptedApi(({ path, query }) => {
      const isOurs = path === "/api/v1/namespaces";
      if (query.has("watch")) return stream(isOurs ? events : [], "silence");
      return isOurs ? namespaces : listOf();
    });
    const client = createApiClient({ url: api.url });
    const heard: unknown[] = [];
    const pacer = createPacer(defaultPolicy());
    const upsert = pacer.upsertNamespace.bind(pacer);
    let changes = 0;
    Object.assign<typeof pacer, Partial<typeof pacer>>(pacer, {
      upsertNamespace(name, labels) {
        heard.push([name, labels]);
        return upsert(name, labels);
      },
      deleteNamespace: (name) => heard.push(`-${name}`),
    });
    const feed = startClusterFeed({
      ...{ client, pacer, interner: createShapeInterner(), random: () => 0.5, log: silentLog },
      ...{ clock: systemClock, steady: steadyClock },
      onChange: () => (changes += 1),
    });
    return {
      ...{ feed, heard, changes: () => changes },
      async [Symbol.asyncDispose]() {
        await feed.stop();
        await client.close();
        await api[Symbol.asyncDispose]();
      },
    };
  }
  const team = { metadata: { name: "team", uid: "u1", resourceVersion: "1", labels: { canary: "yes" } } };

  test("tells the pacer of their labels; what changes else wakes no plan", async () => {
    const events = [
      { type: "MODIFIED", object: { ...team, status: { phase: "Terminating" } } },
      { type: "DELETED", object: team },
    ];
    await using at = await feedOf(listOf(team), events);
    const known = ["team", { canary: "yes" }];
    await expect.poll(() => at.heard).toEqual([known, known, "-team"]);
    expect(at.changes()).toBe(3); // it is there, it is gone, and the list of DaemonSets
  });

  test("is waited for, so that no pod is held that a label leaves out; but not where they may not be listed", async () => {
    await using waits = await feedOf(stream([], "silence"));
    await waits.feed.synced; // pods and nodes
    expect(waits.feed.isSynced).toBe(false);
    await using forbidden = await feedOf(refusal(403, "Forbidden"));
    await expect.poll(() => forbidden.feed.isSynced).toBe(true);
  });
});
