/** Leader election on a real API server. The candidates run the real code and are killed by closing their client. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startControlPlane } from "../../dev/control-plane/control-plane.ts";
import type { ControlPlane } from "../../dev/control-plane/control-plane.ts";
import { createApiClient } from "../../src/kube/client/api-client.ts";
import type { ApiClient } from "../../src/kube/client/api-client.ts";
import { steadyClock } from "../../src/kube/clock.ts";
import { startLeaderElection } from "../../src/kube/leader/lease.ts";
import type { LeaderElection } from "../../src/kube/leader/lease.ts";
import { silentLog } from "../../src/kube/log.ts";
import { HANG_MS } from "../support/control-plane.ts";
import { recordOf } from "../../src/kube/parse/kube-json.ts";

/** A little shorter than the real ones (LEASE_TIMES): a busy machine can renew in time all the same. */
const TIMES = { durationMs: 8_000, renewDeadlineMs: 6_000, retryMs: 500 };

let plane: ControlPlane;

beforeAll(async () => {
  plane = await startControlPlane({ scheduler: false, controllerManager: false });
});
afterAll(() => plane.stop());

interface Candidate {
  readonly name: string;
  readonly client: ApiClient;
  readonly election: LeaderElection;
}

function stand(lease: string, name: string): Candidate {
  const client = createApiClient({ url: plane.url, token: plane.token, ca: plane.caCert });
  const election = startLeaderElection({
    client,
    namespace: "default",
    name: lease,
    identity: name,
    clock: steadyClock,
    random: Math.random,
    log: silentLog,
    times: TIMES,
  });
  return { name, client, election };
}

/** Resolves with the candidate that leads next; throws at once if two ever lead at the same time. */
async function nextLeader(candidates: readonly Candidate[]): Promise<Candidate> {
  const deadlineMs = steadyClock.now() + HANG_MS;
  while (steadyClock.now() < deadlineMs) {
    const leaders = candidates.filter(({ election }) => election.isLeader);
    if (leaders.length > 1) throw new Error(`two leaders: ${leaders.map(({ name }) => name).join(", ")}`);
    if (leaders[0] !== undefined) return leaders[0];
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error("nobody leads");
}

async function leave({ election, client }: Candidate): Promise<void> {
  await election.stop();
  await client.close();
}

describe("leader election", () => {
  it("has one leader of three; when it is cut off, it steps down before another one leads", async () => {
    const candidates = ["a", "b", "c"].map((name) => stand("kill", name));
    const first = await nextLeader(candidates);
    const others = candidates.filter((one) => one !== first);
    const changes: boolean[] = [];
    first.election.onChange((isLeader) => changes.push(isLeader));
    await expect.poll(() => others.every(({ election }) => election.leaderAlive()), { timeout: HANG_MS }).toBe(true);

    await first.client.close(); // as if its machine were gone: it can neither renew nor release the Lease
    const second = await nextLeaderOf(candidates, first, others);
    expect(second.name).not.toBe(first.name);
    expect(changes).toEqual([false]);
    expect(first.election.isLeader).toBe(false);
    await Promise.all(candidates.map(leave));
  });

  it("gives the Lease back when the leader stops in order, so that the next leader need not wait until it expires", async () => {
    const candidates = ["a", "b"].map((name) => stand("graceful", name));
    const first = await nextLeader(candidates);
    const others = candidates.filter((one) => one !== first);
    await leave(first);
    const lease = await plane.client.get("/apis/coordination.k8s.io/v1/namespaces/default/leases/graceful");
    expect(recordOf(lease["spec"])["holderIdentity"]).not.toBe(first.name);
    expect((await nextLeader(others)).name).not.toBe(first.name);
    await Promise.all(others.map(leave));
  });

  it("reports that no leader is alive, and does not trust a stale Lease", async () => {
    const gone = stand("stale", "gone");
    await nextLeader([gone]);
    await gone.client.close();
    await gone.election.stop();
    const late = stand("stale", "late");
    await expect.poll(() => late.election.holder, { timeout: HANG_MS }).toBe("gone");
    expect(late.election.leaderAlive()).toBe(false);
    await nextLeader([late]);
    expect(late.election.leaderAlive()).toBe(true);
    await leave(late);
  });

  it("keeps its leader through a short restart of the API server, and gets one again after a hang", async () => {
    const candidates = ["a", "b", "c"].map((name) => stand("restart", name));
    await nextLeader(candidates);
    plane.pauseApiServer();
    await expect.poll(() => candidates.some(({ election }) => election.isLeader), { timeout: HANG_MS }).toBe(false);
    plane.resumeApiServer();
    await nextLeader(candidates);
    await plane.restartApiServer();
    await nextLeader(candidates);
    await Promise.all(candidates.map(leave));
  });
});

/** Waits until one of the others leads, and checks that the first one never leads at the same time. */
async function nextLeaderOf(
  all: readonly Candidate[],
  first: Candidate,
  others: readonly Candidate[],
): Promise<Candidate> {
  while (first.election.isLeader) {
    await nextLeader(all);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return nextLeader(others);
}
