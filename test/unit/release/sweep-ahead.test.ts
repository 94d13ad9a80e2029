/** Promise 2 with every replica gone: what one run of the janitor lets go, and when. */
import { describe, expect, it } from "vitest";
import { FENCE_TAINT_KEY, GATE, LEADER_LEASE, MAX_HOLD_ANNOTATION } from "../../../src/api/names.ts";
import type { ApiClient } from "../../../src/kube/client/api-client.ts";
import { ApiError } from "../../../src/kube/client/api-error.ts";
import { isLeaderSeen } from "../../../src/kube/leader/leader-seen.ts";
import { podFacts } from "../../../src/kube/parse/facts.ts";
import { createShapeInterner } from "../../../src/kube/parse/shape-interner.ts";
import { sweepAhead } from "../../../src/release/sweep-ahead.ts";
import { newServer, NODES, pod, PODS } from "../faults/api-server/support.ts";

const CAPS = { holdSeconds: 30, fenceSeconds: 600 };
const AHEAD_MS = 40_000;

/** An API server with these pods, and runs of the janitor on a clock that waits in no time. */
function scene() {
  const { server } = newServer();
  const client = server.client("janitor");
  const create = (name: string, gates: readonly string[] = [GATE]) => server.create(PODS, pod(name, gates));
  const beganMs = Date.parse(create("first").metadata?.creationTimestamp ?? "");
  let nowMs = beganMs;
  const clock = {
    now: () => nowMs,
    wait: (ms: number) => {
      nowMs += ms;
      return Promise.resolve();
    },
  };
  const facts = (name: string) => podFacts(server.find(`${PODS}/${name}`) ?? {}, createShapeInterner());
  return {
    ...{ server, client, create, beganMs, facts },
    /** Begins a run so many seconds after the first pod was created. */
    run: (seconds: number, leaderless = true, through: ApiClient = client) => {
      nowMs = beganMs + seconds * 1_000;
      return sweepAhead(through, { which: "expired" }, CAPS, { aheadMs: AHEAD_MS, leaderless }, clock);
    },
    ranForS: (since: number) => (nowMs - beganMs) / 1_000 - since,
  };
}

describe("a run of the janitor", () => {
  it("lets go what is past its cap at once, past every fence, and ends when nothing is left to wait for", async () => {
    const { run, facts, ranForS } = scene();
    expect(await run(31)).toMatchObject([{ name: "first", outcome: "released" }]);
    expect(facts("first")).toMatchObject({ gated: false, fencesTolerated: ["*"] });
    expect(ranForS(31)).toBe(0);
  });

  it("agrees with the leader on a pod's own cap where that is lower, and on nothing that is not a cap", async () => {
    const { server, run, facts, ranForS } = scene();
    server.patch(`${PODS}/first`, { metadata: { annotations: { [MAX_HOLD_ANNOTATION]: "600" } } }, "merge");
    await run(0);
    expect(ranForS(0)).toBe(30);
    expect(facts("first").gated).toBe(false);
    const other = scene();
    other.server.patch(`${PODS}/first`, { metadata: { annotations: { [MAX_HOLD_ANNOTATION]: "12" } } }, "merge");
    await other.run(0);
    expect(other.ranForS(0)).toBe(12);
    expect(other.facts("first").gated).toBe(false);
  });

  it("leaves alone what others gate as well: nothing of ours holds it", async () => {
    const { create, run, facts } = scene();
    create("of-kueue", [GATE, "kueue.x-k8s.io/admission"]);
    expect(await run(31)).toMatchObject([{ name: "first", outcome: "released" }]);
    expect(facts("of-kueue")).toMatchObject({ gated: true, fencesTolerated: [] });
  });

  it("lets go at its cap what reaches it before the next run, and ends then", async () => {
    const { run, ranForS } = scene();
    expect(await run(10)).toMatchObject([{ name: "first", outcome: "released" }]);
    expect(ranForS(10)).toBe(20);
  });

  it("tries again what failed, until the run ends, and tells the last result", async () => {
    for (const failures of [3, 1_000]) {
      const { client, run, ranForS, facts } = scene();
      let tries = 0;
      const patch: ApiClient["patch"] = (...given) => {
        tries += 1;
        return tries <= failures
          ? Promise.reject(new ApiError(500, "InternalError", "no time"))
          : client.patch(...given);
      };
      const results = await run(31, true, { ...client, patch });
      expect(results).toMatchObject([{ name: "first", outcome: failures === 3 ? "released" : "failed" }]);
      expect(facts("first").gated).toBe(failures !== 3);
      expect(ranForS(31)).toBe(failures === 3 ? 6 : 40);
      expect(tries).toBeLessThanOrEqual(21);
    }
  });

  it("lets go what is in conflict in its next try, and tries no more what is gone", async () => {
    const { server, client, run, ranForS } = scene();
    let conflicts = 0;
    const patch: ApiClient["patch"] = (...given) => {
      conflicts += 1;
      return conflicts <= 3 ? Promise.reject(new ApiError(409, "Conflict", "changed")) : client.patch(...given);
    };
    expect(await run(31, true, { ...client, patch })).toMatchObject([{ outcome: "released" }]);
    expect(ranForS(31)).toBe(2);
    const other = scene();
    const gone: ApiClient["patch"] = () => Promise.reject(new ApiError(404, "NotFound", "gone"));
    const get: ApiClient["get"] = () => Promise.reject(new ApiError(404, "NotFound", "gone"));
    expect(await other.run(31, true, { ...other.client, patch: gone, get })).toMatchObject([{ outcome: "gone" }]);
    expect(other.ranForS(31)).toBe(0);
    expect(server.find(`${PODS}/first`)).toBeDefined();
  });

  it("leaves alone what has more time, and does not wait for it", async () => {
    const { server, client, clock } = { ...scene(), clock: { now: () => 0, wait: () => Promise.resolve() } };
    const nowMs = Date.parse(server.find(`${PODS}/first`)?.metadata?.creationTimestamp ?? "");
    const times = { aheadMs: AHEAD_MS, leaderless: true };
    const caps = { ...CAPS, holdSeconds: 50 };
    expect(await sweepAhead(client, { which: "expired" }, caps, times, { ...clock, now: () => nowMs })).toEqual([]);
  });

  it("begun every minute, and 15 s late, lets nothing be held for more than a minute past its cap", async () => {
    for (const offset of [0, 7, 14, 15, 16, 30, 45, 59]) {
      const { run, facts, ranForS } = scene();
      let at = offset;
      while (facts("first").gated) {
        await run(at);
        at += 60 + (offset % 2) * 15;
      }
      expect(ranForS(0)).toBeLessThanOrEqual(CAPS.holdSeconds + 75);
    }
  });
});

describe("a pod that a fence keeps out", () => {
  function fenced() {
    const one = scene();
    const { server, beganMs } = one;
    const readySince = new Date(beganMs).toISOString();
    const taints = [{ key: FENCE_TAINT_KEY, value: "n1", effect: "NoSchedule" }];
    server.create(NODES, {
      metadata: { name: "n1" },
      spec: { taints },
      status: { conditions: [{ type: "Ready", status: "True", lastTransitionTime: readySince }] },
    });
    server.patch(`${NODES}/n1`, { spec: { taints } }, "merge"); // Ready, so without the taint of a node that is not
    one.create("pending", []);
    const condition = { type: "PodScheduled", status: "False", reason: "Unschedulable" };
    server.patch(`${PODS}/pending/status`, { status: { conditions: [condition] } }, "merge");
    return one;
  }

  it("passes every fence at its cap where no leader lives", async () => {
    const { run, facts } = fenced();
    const results = await run(10);
    expect(results.map(({ name }) => name).sort()).toEqual(["first", "pending"]);
    expect(facts("pending").fencesTolerated).toEqual(["*"]);
  });

  it("passes them at its own cap where that is lower", async () => {
    const { server, run, ranForS } = fenced();
    server.patch(`${PODS}/pending`, { metadata: { annotations: { [MAX_HOLD_ANNOTATION]: "15" } } }, "merge");
    server.delete(`${PODS}/first`);
    await run(10);
    expect(ranForS(10)).toBe(5);
  });

  it("is the leader's affair where one lives: it knows whether the node has room", async () => {
    const { run, facts } = fenced();
    await run(31, false);
    expect(facts("pending").fencesTolerated).toEqual([]);
  });
});

it("a leader is seen while its Lease says that it was renewed lately", async () => {
  const { server, client, beganMs } = scene();
  const namespace = "default";
  const at = (ms: number) => ({ now: () => ms });
  expect(await isLeaderSeen(client, namespace, at(beganMs))).toBe(false);
  server.create(`/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`, {
    metadata: { name: LEADER_LEASE },
    spec: { holderIdentity: "a", renewTime: new Date(beganMs).toISOString().replace("Z", "000Z") },
  });
  expect(await isLeaderSeen(client, namespace, at(beganMs + 29_000))).toBe(true);
  expect(await isLeaderSeen(client, namespace, at(beganMs + 31_000))).toBe(false);
});
