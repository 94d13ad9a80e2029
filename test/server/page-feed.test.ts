/** What the status page is told: after its first answer only what has changed, read once for all viewers. */
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { StatusAnswer } from "../../src/server/answers.ts";
import { PageFeed } from "../../src/server/page-feed.ts";
import { testApp } from "../support/app.ts";
import { aGatedPod, aNode, START_MS } from "../support/core-facts.ts";

const { pacer } = testApp({ nodes: [aNode("n")] });
const [aNodeStatus] = pacer.status(START_MS).nodes;

type Held = StatusAnswer["held"][number];

const head = {
  version: "0",
  mode: "enforce",
  synced: true,
  leader: { holder: "me", alive: true, leading: true },
  policyValid: true,
  settledNodes: 0,
  leftOutNodes: 0,
} as const;

const nodeOf = (name: string, limit: number) => ({ ...aNodeStatus, name, limit }) as StatusAnswer["nodes"][number];
const podOf = (name: string, heldSeconds: number, message = "waits"): Held => ({
  ...{ namespace: "default", name, node: undefined, reason: "StartupSlotsFull", untilMs: undefined },
  ...{ message, heldSeconds },
});

interface Told {
  readonly version: string;
  readonly full: boolean;
  readonly nodes: readonly { readonly name: string; readonly limit: number }[];
  readonly held: readonly { readonly name: string; readonly message: string; readonly sinceMs?: number }[];
  readonly goneNodes: readonly string[];
  readonly goneHeld: readonly string[];
}

/** A feed whose second passes with each call of `next`. */
function feedOf() {
  let reads = 0;
  let status: StatusAnswer = { ...head, nodes: [], held: [] };
  let second = 0;
  const feed = new PageFeed(
    () => {
      reads += 1;
      return { status, nowMs: START_MS + second * 1_000 };
    },
    () => second * 1_000,
  );
  return {
    feed,
    reads: () => reads,
    next: (nodes: StatusAnswer["nodes"], held: StatusAnswer["held"]) => {
      second += 1;
      status = { ...head, nodes, held };
    },
    told: (since: string) => JSON.parse(feed.answer(since)) as Told,
  };
}

test("figures that the page does not show are no change: a sample each second would make every row one", () => {
  const { next, told } = feedOf();
  next([nodeOf("n", 4)], []);
  const { version } = told("");
  const figures = { iops: 812.25, writeBytesPerSecond: 7e6, dirtyBytes: 3e8, ioPressure: 0.31, load1: 2.4 };
  next([{ ...nodeOf("n", 4), ...figures }], []);
  expect(told(version)).toMatchObject({ full: false, nodes: [], version });
});

test("a pod that goes on waiting is told once, though the time it waits grows; one that goes is named", () => {
  const { next, told } = feedOf();
  next([nodeOf("n", 3)], [podOf("a", 1), podOf("b", 5)]);
  const first = told("");
  expect(first).toMatchObject({ full: true, nodes: [{ name: "n" }], held: [{ name: "a" }, { name: "b" }] });
  expect(first.held[0]?.sinceMs).toBe(START_MS);
  next([nodeOf("n", 3)], [podOf("a", 2), podOf("b", 6)]);
  expect(told(first.version)).toMatchObject({ full: false, version: first.version, nodes: [], held: [], goneHeld: [] });
  next([nodeOf("n", 4)], [podOf("b", 7)]);
  expect(told(first.version)).toMatchObject({ nodes: [{ limit: 4 }], held: [], goneHeld: ["default/a"] });
});

test("it is read and written once for all viewers that ask within a second", () => {
  const { feed, next, reads } = feedOf();
  next([nodeOf("n", 3)], [podOf("a", 1)]);
  expect(feed.answer("")).toBe(feed.answer("of another replica.7"));
  expect(reads()).toBe(1);
  next([], []);
  feed.answer("");
  expect(reads()).toBe(2);
});

test("a viewer that follows, however it skips, sees the same as one that begins anew", () => {
  const names = ["a", "b", "c"];
  const states = fc.array(
    fc.record({
      pods: fc.uniqueArray(fc.record({ name: fc.constantFrom(...names), words: fc.constantFrom("x", "y") }), {
        selector: ({ name }) => name,
      }),
      limits: fc.uniqueArray(fc.record({ name: fc.constantFrom(...names), limit: fc.nat(2) }), {
        selector: ({ name }) => name,
      }),
      skips: fc.nat(70),
    }),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(states, (order) => {
      const { next, told, feed } = feedOf();
      const seen = { version: "", nodes: new Map<string, number>(), held: new Map<string, string>() };
      for (const { pods, limits, skips } of order) {
        const show = (extra: number) =>
          next(
            limits.map(({ name, limit }) => nodeOf(name, limit + extra)),
            pods.map(({ name, words }) => podOf(name, 1, words)),
          );
        for (let skip = 0; skip < skips; skip += 1) {
          show(skip % 2);
          feed.answer("another viewer");
        }
        show(0);
        const answer = told(seen.version);
        if (answer.full) for (const rows of [seen.nodes, seen.held]) rows.clear();
        for (const name of answer.goneNodes) seen.nodes.delete(name);
        for (const key of answer.goneHeld) seen.held.delete(key);
        for (const { name, limit } of answer.nodes) seen.nodes.set(name, limit);
        for (const { name, message } of answer.held) seen.held.set(`default/${name}`, message);
        seen.version = answer.version;
        expect(seen.nodes).toEqual(new Map(limits.map(({ name, limit }) => [name, limit])));
        expect(seen.held).toEqual(new Map(pods.map(({ name, words }) => [`default/${name}`, words])));
      }
    }),
    { numRuns: 50 },
  );
});

test("the route packs what is long, for who takes it, and sends the same to others", async () => {
  const { app, pacer: core } = testApp({ nodes: [aNode("n")] });
  for (let index = 0; index < 50; index += 1) core.upsertPod(aGatedPod(`waits-${index}`), START_MS);
  const packed = await app.inject({ url: "/page/state.json", headers: { "accept-encoding": "gzip, br" } });
  expect(packed.headers["content-encoding"]).toBe("gzip");
  const plain = await app.inject({ url: "/page/state.json?since=a&since=b" });
  expect(plain.headers["content-encoding"]).toBeUndefined();
  expect(gunzipSync(packed.rawPayload).toString()).toBe(plain.body);
  expect(plain.json<Told>().held).toHaveLength(50);
});

test("a pod and a node that are named are answered; a node that is not known is 404", async () => {
  const { app, pacer: core } = testApp({ nodes: [aNode("n")] });
  core.upsertPod(aGatedPod("waits"), START_MS);
  const pod = await app.inject("/status/pods/default/waits");
  expect(pod.json()).toMatchObject({ state: "held", held: { reason: "AwaitingRelease" } });
  expect((await app.inject("/status/pods/default/none")).json()).toMatchObject({ state: "unknown" });
  expect((await app.inject("/status/nodes/n")).json()).toMatchObject({ node: "n", steps: [] });
  expect((await app.inject("/status/nodes/none")).statusCode).toBe(404);
});

test("of a node that another replica leads, the leader's limit is told beside what this replica saw", async () => {
  const leader = () => ({ holder: "p-1", alive: true, leading: false });
  const leaderFigures = () => new Map([[aNode("n").name, { limit: 7, sampledMs: undefined }]]);
  const { app } = testApp({ nodes: [aNode("n")], state: { leader, leaderFigures } });
  const { message } = (await app.inject("/status/nodes/n")).json<{ message: string }>();
  expect(message).toContain("p-1 leads, with a limit of 7; seen by this replica: the limit is ");
});
