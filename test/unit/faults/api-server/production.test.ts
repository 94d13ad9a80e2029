/** Production's own reader and writers of the API server work on the fake one. */
import { expect, it } from "vitest";
import { GATE } from "../../../../src/api/names.ts";
import { startLeaderElection } from "../../../../src/kube/leader/lease.ts";
import { silentLog } from "../../../../src/kube/log.ts";
import { podFacts } from "../../../../src/kube/parse/facts.ts";
import { createShapeInterner } from "../../../../src/kube/parse/shape-interner.ts";
import { startReflector } from "../../../../src/kube/watch/reflector.ts";
import { annotateHold, releasePod } from "../../../../src/kube/write/pods.ts";
import { nodeName } from "../../../../src/core/ids.ts";
import { newServer, pod, PODS, type Subject } from "./support.ts";

/** A clock that stands still. */
const at = (ms: number) => ({ now: () => ms });

const random = () => 0.5;
const interner = createShapeInterner();

function reflect({ server, clock }: Subject) {
  const seen = new Map<string, boolean>();
  const reflector = startReflector({
    client: server.client("reflector"),
    path: "/api/v1/pods",
    parse: (raw) => podFacts(raw, interner),
    onUpsert: (facts) => void seen.set(facts.uid, facts.gated),
    onDelete: (uid) => void seen.delete(uid),
    clock,
    random,
    log: silentLog,
  });
  return { seen, reflector };
}

it("a reflector follows pods, over bookmarks, broken watches and a compaction", async () => {
  const subject = newServer();
  const { server, clock } = subject;
  const first = server.create(PODS, pod("a", [GATE]));
  const { seen, reflector } = reflect(subject);
  await clock.advance(10);
  expect([...seen.values()]).toEqual([true]);
  server.patch(`${PODS}/a`, [{ op: "remove", path: "/spec/schedulingGates" }], "json");
  await clock.advance(10);
  expect([...seen]).toEqual([[first.metadata?.uid, false]]);
  server.cut("reflector");
  server.create(PODS, pod("b"));
  await clock.advance(60_000);
  expect(seen.size).toBe(2);
  expect(reflector.counts).toMatchObject({ lists: 1, watches: 2, failures: 1 });
  server.cut("reflector");
  server.delete(`${PODS}/a`);
  server.compact(server.version);
  await clock.advance(60_000);
  expect(reflector.counts).toMatchObject({ lists: 2 });
  expect(seen.size).toBe(1);
  await clock.advance(3_600_000);
  expect(reflector.counts).toMatchObject({ lists: 2, malformedLines: 0 });
  await reflector.stop();
});

it("a release takes the gate once; an outdated note of the hold conflicts", async () => {
  const { server } = newServer();
  const client = server.client("writer");
  const seen = podFacts(server.create(PODS, pod("a", ["other/gate", GATE])), interner);
  const release = { pod: seen, node: nodeName("n1"), fence: "n1", reason: "SlotFree", message: "" } as const;
  expect((await releasePod(client, release, at(0))).kind).toBe("changed");
  expect((await releasePod(client, release, at(0))).kind).toBe("unchanged");
  const hold = { node: undefined, reason: "AwaitingRelease", sinceMs: 0 } as const;
  expect((await annotateHold(client, seen, hold)).kind).toBe("conflict");
  server.delete(`${PODS}/a`);
  server.create(PODS, pod("a", [GATE]));
  expect((await releasePod(client, release, at(0))).kind).toBe("gone");
});

it("one of two candidates leads, and the other one after it has stopped", async () => {
  const { server, clock } = newServer();
  const candidate = (identity: string) =>
    startLeaderElection({
      ...{ client: server.client(identity), namespace: "default", name: "leader", identity, clock, random },
      log: silentLog,
    });
  const [a, b] = [candidate("a"), candidate("b")];
  await clock.advance(20_000);
  expect([a.isLeader, b.isLeader]).toEqual([true, false]);
  await a.stop();
  await clock.advance(20_000);
  expect([a.isLeader, b.isLeader]).toEqual([false, true]);
  await b.stop();
});
