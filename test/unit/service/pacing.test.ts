/** Leadership and the watches: production's parts on a fake API server and a clock that tests move. */
import { expect, test } from "vitest";
import { createPacer } from "../../../src/core/pacer.ts";
import { ApiError } from "../../../src/kube/client/api-error.ts";
import type { ApiClient } from "../../../src/kube/client/api-client.ts";
import type { Clock } from "../../../src/kube/clock.ts";
import { silentLog } from "../../../src/kube/log.ts";
import { parseLeaderFigures } from "../../../src/kube/parse/leader-figures.ts";
import { createShapeInterner } from "../../../src/kube/parse/shape-interner.ts";
import { defaultPolicy } from "../../../src/policy/parse.ts";
import { startPacing, type Pacing } from "../../../src/service/pacing.ts";
import { policyFromFile } from "../../../src/service/policy-feed.ts";
import { newServer, NODES, pod, PODS, type Subject } from "../faults/api-server/support.ts";

/** The watches of these paths are opened, and then nothing comes, not even their end. */
type Hung = Set<string>;

function withHangs(client: ApiClient, hung: Hung, clock: Clock): ApiClient {
  return {
    ...client,
    watch(path, query, options) {
      const { promise, resolve, reject } = Promise.withResolvers<undefined>();
      let disarm: () => void = () => undefined;
      const arm = () => {
        disarm();
        const fail = () => reject(new ApiError(0, "Timeout", `WATCH ${path}: Timeout`));
        disarm = clock.setTimer(fail, options.idleTimeoutMs ?? Infinity);
      };
      const onLine = (line: string) => {
        if (hung.has(path)) return;
        arm();
        options.onLine(line);
      };
      arm();
      options.signal?.addEventListener("abort", () => reject(new ApiError(0, "Aborted", path)));
      client
        .watch(path, query, { ...options, idleTimeoutMs: 0, onLine })
        .then(() => (hung.has(path) ? undefined : resolve(undefined)), reject);
      return promise.finally(disarm);
    },
  };
}

async function replica({ server, clock }: Subject, identity: string, hung: Hung): Promise<Pacing> {
  const client = withHangs(server.client(identity), hung, clock);
  return startPacing({
    ...{ client, identity, clock, steady: clock, log: silentLog, random: () => 0.5, namespace: "default" },
    pacer: createPacer(defaultPolicy()),
    interner: createShapeInterner(),
    events: { emit: () => undefined },
    startPolicy: (onPolicy) => policyFromFile("dev/docs/example-policy.yaml", onPolicy),
  });
}

async function stop(subject: Subject, pacings: readonly Pacing[]): Promise<void> {
  const stopped = pacings.map(async ({ loop, election, cluster }) => {
    await loop.stop();
    await Promise.all([election.stop(), cluster.stop()]);
  });
  await subject.clock.advance(10_000);
  await Promise.all(stopped);
}

const leaders = (pacings: readonly Pacing[]) => pacings.map(({ election }) => election.isLeader);

test.each(["/api/v1/pods", "/api/v1/nodes"])(
  "a leader whose watch of %s hangs leads no more after 30 s, and another replica does soon",
  async (path) => {
    const subject = newServer();
    const hung: Hung = new Set();
    const a = await replica(subject, "a", hung);
    await subject.clock.advance(5_000);
    const b = await replica(subject, "b", new Set());
    await subject.clock.advance(5_000);
    expect(leaders([a, b])).toEqual([true, false]);
    hung.add(path);
    await subject.clock.advance(31_000);
    expect(a.election.isLeader).toBe(false);
    await subject.clock.advance(14_000);
    expect(leaders([a, b])).toEqual([false, true]);
    expect(a.replica().leaderAlive).toBe(true);
    hung.clear();
    await subject.clock.advance(60_000);
    expect(leaders([a, b])).toEqual([false, true]);
    await stop(subject, [a, b]);
  },
);

test("a leader that nobody can follow leads again once its watch goes on", async () => {
  const subject = newServer();
  const hung: Hung = new Set();
  const only = await replica(subject, "a", hung);
  await subject.clock.advance(5_000);
  hung.add("/api/v1/pods");
  await subject.clock.advance(60_000);
  expect(leaders([only])).toEqual([false]);
  expect(only.replica().leaderAlive, "nothing new is held meanwhile").toBe(false);
  hung.clear();
  await subject.clock.advance(30_000);
  expect(leaders([only])).toEqual([true]);
  await stop(subject, [only]);
});

test("a cluster in which nothing happens is no reason to leave", async () => {
  const subject = newServer();
  const only = await replica(subject, "a", new Set());
  await subject.clock.advance(1_000);
  const changes: boolean[] = [];
  only.election.onChange((leads) => changes.push(leads));
  let oldestMs = 0;
  for (let s = 0; s < 300; s++) {
    await subject.clock.advance(1_000);
    oldestMs = Math.max(oldestMs, ...Object.values(only.cluster.watchAgesMs()));
  }
  expect(changes).toEqual([]);
  expect(leaders([only])).toEqual([true]);
  expect(oldestMs, "a watch hears of the server often enough").toBeLessThan(15_000);
  await stop(subject, [only]);
});

test("a watch that hung once is open again and heard before its leader would leave", async () => {
  const subject = newServer();
  const hung: Hung = new Set();
  const only = await replica(subject, "a", hung);
  await subject.clock.advance(1_000);
  const changes: boolean[] = [];
  only.election.onChange((leads) => changes.push(leads));
  hung.add("/api/v1/pods");
  await subject.clock.advance(14_000); // one silent watch is given up
  hung.clear();
  subject.server.create(PODS, pod("unheard"));
  await subject.clock.advance(60_000);
  expect(changes).toEqual([]);
  await stop(subject, [only]);
});

test("the leader publishes its limits with the Lease, where other replicas read them", async () => {
  const subject = newServer();
  const [a, b] = [await replica(subject, "a", new Set()), await replica(subject, "b", new Set())];
  const lastTransitionTime = new Date(subject.clock.now()).toISOString();
  const status = { conditions: [{ type: "Ready", status: "True", lastTransitionTime }] };
  subject.server.create(NODES, { metadata: { name: "young" }, status });
  await subject.clock.advance(5_000);
  expect(leaders([a, b])).toEqual([true, false]);
  const published = parseLeaderFigures(b.election.note);
  expect([...published.keys()]).toEqual(["young"]);
  expect(published.get("young")?.limit).toBeGreaterThan(0);
  await stop(subject, [a, b]);
});
