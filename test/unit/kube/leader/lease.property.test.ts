import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ApiClient } from "../../../../src/kube/client/api-client.ts";
import { ApiError } from "../../../../src/kube/client/api-error.ts";
import type { KubeObject } from "../../../../src/kube/parse/kube-json.ts";
import { LEASE_TIMES, startLeaderElection } from "../../../../src/kube/leader/lease.ts";
import type { LeaderElection } from "../../../../src/kube/leader/lease.ts";
import { silentLog } from "../../../../src/kube/log.ts";
import { fakeClock } from "../../../support/fake-clock.ts";
import type { FakeClock } from "../../../support/fake-clock.ts";

/** What the network does to one request. */
interface Weather {
  readonly delayMs: number;
  /** `lost`: the request never arrives. `unheard`: it takes effect, its answer is lost. */
  readonly fate: "fine" | "lost" | "unheard";
}

/** A Lease in an in-memory API server with conditional writes. */
class LeaseServer {
  lease: KubeObject | undefined;
  isForbidden = false;
  #version = 0;

  put(body: KubeObject, isCreate: boolean): KubeObject {
    if (this.isForbidden) throw new ApiError(403, "Forbidden", "no right to do so");
    const known = this.lease?.metadata?.resourceVersion;
    if (!isCreate && known === undefined) throw new ApiError(404, "NotFound", "no Lease any more");
    if (isCreate ? known !== undefined : body.metadata?.resourceVersion !== known) {
      throw new ApiError(409, "Conflict", "somebody was faster");
    }
    this.lease = { ...body, metadata: { ...body.metadata, resourceVersion: String(++this.#version) } };
    return this.lease;
  }

  get(): KubeObject {
    if (this.lease === undefined) throw new ApiError(404, "NotFound", "no Lease yet");
    return this.lease;
  }
}

/** A client of that API server over an unreliable network. Lost requests end by the client's own time-out. */
function clientOf(server: LeaseServer, clock: FakeClock, weather: () => Weather): ApiClient {
  const pause = (ms: number) => new Promise<void>((resolve) => void clock.setTimer(resolve, ms));
  const through = async (effect: () => KubeObject, options: { timeoutMs?: number | undefined } = {}) => {
    const { delayMs, fate } = weather();
    const timeoutMs = options.timeoutMs ?? 20_000;
    await pause(Math.min(delayMs, timeoutMs));
    const isLate = delayMs >= timeoutMs;
    const answer = fate === "lost" || isLate ? undefined : effect();
    if (answer !== undefined && fate === "fine") return answer;
    await pause(Math.max(timeoutMs - delayMs, 0));
    throw new ApiError(0, "Timeout", "no answer");
  };
  const client: Pick<ApiClient, "get" | "create" | "patch"> = {
    get: (_path, _query, options) => through(() => server.get(), options),
    create: (_path, body, _query, options) => through(() => server.put(body as KubeObject, true), options),
    patch: (_path, body, _kind, _query, options) => through(() => server.put(body as KubeObject, false), options),
  };
  return client as ApiClient;
}

/** Network faults come in spells that are long enough for another candidate to take over. */
const spell = fc
  .tuple(
    fc.record({
      delayMs: fc.oneof({ weight: 5, arbitrary: fc.nat(50) }, fc.nat(6_000)),
      fate: fc.constantFrom("fine" as const, "fine" as const, "lost" as const, "unheard" as const),
    }),
    fc.integer({ min: 1, max: 8 }),
  )
  .map(([weather, times]) => Array.from({ length: times }, () => weather));
const spells = fc.array(spell, { minLength: 1, maxLength: 8 }).map((all): readonly Weather[] => all.flat());

function elect(
  server: LeaseServer,
  clock: FakeClock,
  name: string,
  weather: readonly Weather[],
  isFit?: () => boolean,
  log = silentLog,
) {
  let next = 0;
  return startLeaderElection({
    client: clientOf(server, clock, () => weather[next++ % weather.length] ?? { delayMs: 1, fate: "fine" }),
    namespace: "paceline",
    name: "paceline-leader",
    identity: name,
    clock,
    random: () => 0.5,
    log,
    isFit,
  });
}

const fine: Weather = { delayMs: 1, fate: "fine" };

describe("leader election", () => {
  it("never has two leaders, with any network faults", async () => {
    const weathers = fc.tuple(spells, spells, spells);
    await fc.assert(
      fc.asyncProperty(weathers, async (all) => {
        const clock = fakeClock();
        const server = new LeaseServer();
        const candidates = all.map((weather, index) => elect(server, clock, `c${index}`, weather));
        for (let step = 0; step < 120; step++) {
          await clock.advance(500);
          expect(candidates.filter(({ isLeader }) => isLeader).length).toBeLessThanOrEqual(1);
        }
        await stopAll(candidates, clock);
      }),
      { numRuns: 60 },
    );
  });

  it("makes the Lease anew when it is deleted at any moment, and has no two leaders then", async () => {
    await fc.assert(
      fc.asyncProperty(fc.tuple(spells, spells), fc.integer({ min: 1, max: 40 }), async (all, deletedAtStep) => {
        const clock = fakeClock();
        const server = new LeaseServer();
        // Each has seen the Lease before: one that begins just when it is deleted cannot know that there was one.
        const begun = Array<Weather>(3).fill(fine);
        const candidates = all.map((weather, index) => elect(server, clock, `c${index}`, [...begun, ...weather]));
        await clock.advance(3_000);
        for (let step = 0; step < 80; step++) {
          if (step === deletedAtStep) server.lease = undefined;
          await clock.advance(500);
          expect(candidates.filter(({ isLeader }) => isLeader).length).toBeLessThanOrEqual(1);
        }
        await stopAll(candidates, clock);
      }),
      { numRuns: 60 },
    );
    const clock = fakeClock();
    const server = new LeaseServer();
    const candidates = ["a", "b"].map((name) => elect(server, clock, name, [fine]));
    await clock.advance(3_000);
    server.lease = undefined;
    await clock.advance(2 * LEASE_TIMES.retryMs);
    expect(candidates.filter(({ isLeader }) => isLeader)).toHaveLength(1);
    expect(server.lease).toBeDefined();
    await stopAll(candidates, clock);
  });

  /** Two candidates. `a` leads, and the network of `b` has no faults. */
  async function leaderAndHeir(weather: readonly Weather[]) {
    const clock = fakeClock();
    const server = new LeaseServer();
    const leader = elect(server, clock, "a", weather);
    await clock.advance(100);
    const heir = elect(server, clock, "b", [fine]);
    await clock.advance(3_000);
    expect([leader.isLeader, heir.isLeader]).toEqual([true, false]);
    return { clock, leader, heir };
  }

  it("has a new leader within 15 s of the old one's last sign of life", async () => {
    const dead: Weather = { delayMs: 1, fate: "lost" };
    const { clock, leader, heir } = await leaderAndHeir([
      ...Array<Weather>(3).fill(fine),
      ...Array<Weather>(99).fill(dead),
    ]);
    await clock.advance(15_000);
    expect([leader.isLeader, heir.isLeader]).toEqual([false, true]);
    await stopAll([leader, heir], clock);
  });

  it("tells once of a right that it lacks, also when it stops: at an uninstall rights go before replicas", async () => {
    const warned: string[] = [];
    const clock = fakeClock();
    const server = new LeaseServer();
    const leader = elect(server, clock, "a", [fine], undefined, {
      ...silentLog,
      warn: (_, message) => warned.push(message),
    });
    await clock.advance(3_000);
    server.isForbidden = true;
    await clock.advance(5 * LEASE_TIMES.retryMs);
    await stopAll([leader], clock);
    expect(warned).toEqual(["the leader Lease could not be read or written"]);
  });

  it("hands over within two retries when the leader stops in order, before the Lease expires", async () => {
    const { clock, leader, heir } = await leaderAndHeir([fine]);
    const stopped = leader.stop();
    await clock.advance(2 * LEASE_TIMES.retryMs);
    await stopped;
    expect(heir.isLeader).toBe(true);
    await stopAll([heir], clock);
  });

  it("keeps leading when the answer to its own renewal was lost", async () => {
    const clock = fakeClock();
    const candidate = elect(new LeaseServer(), clock, "a", [fine, fine, fine, { delayMs: 1, fate: "unheard" }]);
    await clock.advance(100);
    const changes: boolean[] = [];
    candidate.onChange((isLeader) => changes.push(isLeader));
    await clock.advance(60_000);
    expect(candidate.isLeader).toBe(true);
    expect(changes).toEqual([]);
    await stopAll([candidate], clock);
  });

  it("leaves the Lease to run out while it is not fit to lead: writes of its own may be on their way", async () => {
    const clock = fakeClock();
    const server = new LeaseServer();
    const fit = { a: true };
    const leader = elect(server, clock, "a", [fine], () => fit.a);
    await clock.advance(100);
    const heir = elect(server, clock, "b", [fine]);
    await clock.advance(3_000);
    fit.a = false;
    expect([leader.isLeader, leader.mayWriteForMs]).toEqual([false, 0]);
    await clock.advance(LEASE_TIMES.durationMs - 2_000);
    expect([leader.isLeader, heir.isLeader]).toEqual([false, false]);
    await clock.advance(6_000);
    expect([leader.isLeader, heir.isLeader]).toEqual([false, true]);
    await stopAll([heir], clock);
    await clock.advance(30_000);
    expect(leader.isLeader, "takes no free Lease either").toBe(false);
    fit.a = true;
    await clock.advance(3_000);
    expect(leader.isLeader).toBe(true);
    await stopAll([leader], clock);
  });

  it("steps down by itself after a pause in which no timer could run", async () => {
    const clock = fakeClock();
    const candidate = elect(new LeaseServer(), clock, "a", [{ delayMs: 1, fate: "fine" }]);
    await clock.advance(100);
    expect(candidate.isLeader).toBe(true);
    const paused = { now: clock.now() + LEASE_TIMES.renewDeadlineMs };
    const real = clock.now.bind(clock);
    clock.now = () => Math.max(paused.now, real()); // the process was paused and continues; no timer has run yet
    expect(candidate.isLeader).toBe(false);
    await stopAll([candidate], clock);
  });
});

async function stopAll(candidates: readonly LeaderElection[], clock: FakeClock): Promise<void> {
  const stopped = Promise.all(candidates.map((candidate) => candidate.stop()));
  await clock.advance(30_000);
  await stopped;
}
