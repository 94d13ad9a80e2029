/** Replicas tell each other by the Lease that webhooks are asked: the one that leads may not be asked itself. */
import { describe, expect, test } from "vitest";
import { createPacer } from "../../../src/core/pacer.ts";
import { silentLog } from "../../../src/kube/log.ts";
import { defaultPolicy } from "../../../src/policy/parse.ts";
import { startAskedNote } from "../../../src/service/asked-note.ts";
import { aPod, START_MS } from "../../support/core-facts.ts";
import { fakeClock } from "../../support/fake-clock.ts";

const LEASE = "/apis/coordination.k8s.io/v1/namespaces/ns/leases/paceline-leader";
const MINUTE_MS = 60_000;

/** Replicas that read one Lease. */
function replicas(count: number, given: { followOnly?: boolean; fails?: boolean } = {}) {
  const clock = fakeClock(START_MS);
  const lease: { askedMs: number | undefined } = { askedMs: undefined };
  const writes: string[] = [];
  const client = {
    patch: (path: string, body: object) => {
      writes.push(path);
      if (given.fails) return Promise.reject(new Error("forbidden"));
      const { annotations } = (body as { metadata: { annotations: Record<string, string> } }).metadata;
      expect(Object.keys(annotations)).toEqual(["paceline.dev/asked-at"]);
      lease.askedMs = Date.parse(annotations["paceline.dev/asked-at"] ?? "");
      return Promise.resolve({});
    },
  };
  const pacers = Array.from({ length: count }, () => createPacer(defaultPolicy()));
  const options = { client, election: lease, namespace: "ns", clock, log: silentLog, ...given };
  const ends = pacers.map((pacer) => startAskedNote({ ...options, pacer }));
  const end = async () => {
    const all = ends.map((one) => one());
    await clock.settle();
    await Promise.all(all);
  };
  return { clock, pacers, lease, writes, end };
}

describe("the note of the last question", () => {
  test("makes one replica know that another one is asked", async () => {
    const { clock, pacers, writes, end } = replicas(2);
    const [asked, leads] = pacers;
    leads?.upsertPod(aPod("a"), START_MS);
    asked?.silence.asked(START_MS);
    await clock.advance(10_000);
    expect(writes).toEqual([LEASE]);
    expect(leads?.silence.silentMs(clock.now())).toBe(0);
    await end();
  });

  test("is written once a minute at most, by all replicas together, however often they are asked", async () => {
    const { clock, pacers, writes, end } = replicas(2);
    for (let at = 0; at < 10 * MINUTE_MS; at += 1_000) {
      for (const pacer of pacers) pacer.silence.asked(clock.now());
      await clock.advance(1_000);
    }
    expect(writes.length).toBeGreaterThan(7);
    expect(writes.length).toBeLessThanOrEqual(11);
    await end();
  });

  test("is not written where nobody is asked, nor by a replica that only follows", async () => {
    for (const followOnly of [false, true]) {
      const { clock, pacers, writes, end } = replicas(1, { followOnly });
      if (followOnly) pacers[0]?.silence.asked(START_MS);
      await clock.advance(5 * MINUTE_MS);
      expect(writes).toEqual([]);
      await end();
    }
  });

  test("is tried again a minute after a refusal, not at once", async () => {
    const { clock, pacers, writes, end } = replicas(1, { fails: true });
    pacers[0]?.silence.asked(START_MS);
    await clock.advance(2 * MINUTE_MS + 10_000);
    expect(writes).toHaveLength(3);
    await end();
  });
});
