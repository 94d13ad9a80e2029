/** The reflector on a real API server that is killed, hangs, is compacted, or is cut off. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startControlPlane } from "../../dev/control-plane/control-plane.ts";
import type { ControlPlane } from "../../dev/control-plane/control-plane.ts";
import { createApiClient } from "../../src/kube/client/api-client.ts";
import type { ApiClient } from "../../src/kube/client/api-client.ts";
import { systemClock } from "../../src/kube/clock.ts";
import { podFacts } from "../../src/kube/parse/facts.ts";
import { silentLog } from "../../src/kube/log.ts";
import { startReflector } from "../../src/kube/watch/reflector.ts";
import type { Reflector } from "../../src/kube/watch/reflector.ts";
import type { ReflectorLimits } from "../../src/kube/watch/reflector-options.ts";
import { createShapeInterner } from "../../src/kube/parse/shape-interner.ts";
import type { PodFacts } from "../../src/core/facts.ts";
import { startCutProxy } from "../support/cut-proxy.ts";
import { HANG_MS } from "../support/control-plane.ts";

let plane: ControlPlane;
let admin: ApiClient;
let namespace: string;
let serial = 0;

beforeAll(async () => {
  plane = await startControlPlane({ scheduler: false, controllerManager: false });
  admin = createApiClient({ url: plane.url, token: plane.token, ca: plane.caCert });
});
afterAll(async () => {
  await admin.close();
  await plane.stop();
});
beforeEach(async () => {
  namespace = `cache-${++serial}`;
  await admin.create("/api/v1/namespaces", { metadata: { name: namespace } });
});

const pods = () => `/api/v1/namespaces/${namespace}/pods`;

async function createPods(...names: string[]): Promise<void> {
  for (const name of names) {
    await admin.create(pods(), {
      metadata: { name },
      spec: { containers: [{ name: "app", image: "app:1" }], schedulingGates: [{ name: "test/wait" }] },
    });
  }
}

interface Cache extends AsyncDisposable {
  readonly reflector: Reflector;
  /** Pods by uid, as the handlers left them. */
  readonly pods: Map<string, PodFacts>;
  names(): string[];
}

function startCache(url = plane.url, limits: Partial<ReflectorLimits> = {}): Cache {
  const client = createApiClient({ url, token: plane.token, ca: plane.caCert });
  const interner = createShapeInterner();
  const cached = new Map<string, PodFacts>();
  const reflector = startReflector({
    client,
    path: pods(),
    parse: (raw) => podFacts(raw, interner),
    onUpsert: (pod) => void cached.set(pod.uid, pod),
    onDelete: (uid) => void cached.delete(uid),
    clock: systemClock,
    random: Math.random,
    log: silentLog,
    limits: { firstRetryMs: 50, longestRetryMs: 500, ...limits },
  });
  return {
    reflector,
    pods: cached,
    names: () => [...cached.values()].map(({ name }) => name).sort(),
    async [Symbol.asyncDispose]() {
      await reflector.stop();
      await client.close();
    },
  };
}

const within = { timeout: HANG_MS, interval: 20 };

describe("the cluster cache", () => {
  it("lists in pages and follows every change", async () => {
    const names = Array.from({ length: 23 }, (_, index) => `p${String(index).padStart(2, "0")}`);
    await createPods(...names);
    await using cache = startCache(plane.url, { pageSize: 5 });
    await cache.reflector.synced;
    expect(cache.names()).toEqual(names);
    await createPods("q");
    await admin.patch(`${pods()}/p01`, { metadata: { labels: { seen: "yes" } } }, "merge");
    await admin.remove(`${pods()}/p00`, { gracePeriodSeconds: 0 });
    await expect.poll(() => cache.names(), within).toEqual([...names.slice(1), "q"]);
    await expect
      .poll(() => [...cache.pods.values()].find(({ name }) => name === "p01")?.shape.labels, within)
      .toEqual({ seen: "yes" });
    expect(cache.reflector.counts).toMatchObject({ lists: 1, failures: 0, handlerErrors: 0 });
  });

  it("recovers by itself after the API server was killed and restarted", async () => {
    await createPods("a", "b");
    await using cache = startCache();
    await cache.reflector.synced;
    await plane.killApiServer();
    await expect.poll(() => cache.reflector.counts.failures, within).toBeGreaterThan(0);
    await plane.restartApiServer();
    await createPods("c");
    await admin.remove(`${pods()}/a`, { gracePeriodSeconds: 0 });
    await expect.poll(() => cache.names(), within).toEqual(["b", "c"]);
  });

  it("finds out what it missed when its position has expired (410 Gone)", async () => {
    await createPods("a", "b");
    await using proxy = await startCutProxy(plane.url);
    await using cache = startCache(proxy.url);
    await cache.reflector.synced;
    proxy.cut();
    await admin.remove(`${pods()}/a`, { gracePeriodSeconds: 0 });
    await createPods("c");
    await plane.restartApiServer(); // its watch cache begins after the changes, so the old position has expired
    proxy.mend();
    await expect.poll(() => cache.names(), within).toEqual(["b", "c"]);
    expect(cache.reflector.counts.lists).toBe(2);
  });

  it("notices that the API server hangs, and catches up when it answers again", async () => {
    await createPods("a");
    await using cache = startCache(plane.url, { idleMs: 1_500 });
    await cache.reflector.synced;
    const before = cache.reflector.counts.failures;
    plane.pauseApiServer();
    await expect.poll(() => cache.reflector.counts.failures, within).toBeGreaterThan(before);
    plane.resumeApiServer();
    await createPods("b");
    await expect.poll(() => cache.names(), within).toEqual(["a", "b"]);
  });

  it("survives a network that breaks again and again", async () => {
    await using proxy = await startCutProxy(plane.url);
    await using cache = startCache(proxy.url);
    await cache.reflector.synced;
    for (let round = 0; round < 5; round++) {
      proxy.cut();
      await createPods(`r${round}`);
      if (round > 0) await admin.remove(`${pods()}/r${round - 1}`, { gracePeriodSeconds: 0 });
      proxy.mend();
      await expect.poll(() => cache.names(), within).toEqual([`r${round}`]);
    }
    expect(cache.reflector.counts.lists).toBe(1);
  });
});
