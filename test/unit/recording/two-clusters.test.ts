/** Files of two clusters whose nodes have equal names must not become one herd. */
import { Readable } from "node:stream";
import fc from "fast-check";
import { expect, it } from "vitest";
import { readRecording } from "../../../src/recording/read-recording.ts";
import { line, NODE, nodeJoins, START_MS } from "./audit.ts";

const read = async (...texts: readonly string[]) => {
  const inputs = texts.map((text, at) => ({ name: `input ${at}`, stream: Readable.from([Buffer.from(text)]) }));
  return (await readRecording(inputs, { nowMs: START_MS + 86_400_000 })).recording;
};
const time = (ms: number) => new Date(START_MS + ms).toISOString().replace(/\.\d+Z/, "Z");

/** `kubectl get nodes -o json` with one node, which was last seen at `seenMs`. */
const dump = (uid: string | undefined, createdMs: number, seenMs: number, name = NODE) =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "NodeList",
    items: [
      {
        ...{ kind: "Node", metadata: { name, uid, creationTimestamp: time(createdMs) } },
        status: { conditions: [{ type: "Ready", status: "True", lastHeartbeatTime: time(seenMs) }] },
      },
    ],
  });

const HOUR_MS = 3_600_000;

it("two nodes of one name that were there at the same time are of two clusters", async () => {
  const texts = [dump("one", 0, HOUR_MS), dump("two", HOUR_MS / 2, 2 * HOUR_MS)];
  for (const order of [texts, texts.toReversed()]) expect((await read(...order)).mixedNodes).toEqual([NODE]);
});

it("an audit log and the dump of another cluster are of two clusters", async () => {
  const user = `system:node:${NODE}`;
  const metadata = { name: NODE, uid: "one", creationTimestamp: time(10_000) };
  const patch = (ms: number) =>
    line(ms, {
      ...{ verb: "patch", resource: "nodes", name: NODE, subresource: "status", user },
      response: { kind: "Node", metadata, status: {} },
    });
  const log = [...nodeJoins(10_000, 12_000), patch(13_000), patch(600_000)].join("\n");
  expect((await read(log, dump("two", 100_000, HOUR_MS))).mixedNodes).toEqual([NODE]);
  expect((await read(log, dump("one", 10_000, HOUR_MS))).mixedNodes).toEqual([]);
});

it("a node that was replaced under its name is of the same cluster, whichever is read first", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(HOUR_MS),
      fc.nat(HOUR_MS),
      fc.nat(HOUR_MS),
      fc.boolean(),
      async (lived, gap, later, turned) => {
        const texts = [dump("one", 0, lived), dump("two", lived + gap, lived + gap + later)];
        expect((await read(...(turned ? texts.reverse() : texts))).mixedNodes).toEqual([]);
      },
    ),
    { numRuns: 30 },
  );
});

const MINUTE_MS = 60_000;

it("a node whose clock went some minutes ahead was replaced, whichever is read first", async () => {
  const texts = [dump("one", 0, HOUR_MS + 2 * MINUTE_MS), dump("two", HOUR_MS + 30_000, 2 * HOUR_MS)];
  for (const order of [texts, texts.toReversed()]) expect((await read(...order)).mixedNodes).toEqual([]);
});

it("a node that an audit log saw deleted was replaced, however wrong its clock was", async () => {
  const texts = [dump("one", 0, 10 * HOUR_MS), dump("two", HOUR_MS + 30_000, 2 * HOUR_MS)];
  // The last line of a file is always parsed, and this one is not the last.
  const deleted = (uid: string | undefined, request: object = {}) =>
    [
      line(HOUR_MS, {
        ...{ verb: "delete", resource: "nodes", name: NODE, request },
        response: { kind: "Status", status: "Success", details: { name: NODE, kind: "nodes", uid } },
      }),
      line(HOUR_MS, { verb: "get", resource: "nodes", name: "other" }),
    ].join("\n");
  const own = [deleted("one"), deleted(undefined, { kind: "DeleteOptions", preconditions: { uid: "one" } })];
  for (const log of own)
    for (const order of [
      [log, ...texts],
      [...texts, log],
    ])
      expect((await read(...order)).mixedNodes).toEqual([]);
  // Another node's end, or that of one that it does not tell, ends no life.
  for (const log of [deleted("three"), deleted(undefined)])
    expect((await read(log, ...texts)).mixedNodes).toEqual([NODE]);
});

it("what an API server served of a node after another one was created is of two clusters, by its own clock", async () => {
  const served = (ms: number) =>
    line(ms, {
      ...{ verb: "patch", resource: "nodes", name: NODE, subresource: "status", user: `system:node:${NODE}` },
      response: {
        ...{ kind: "Node", metadata: { name: NODE, uid: "one", creationTimestamp: time(0) } },
        status: { conditions: [{ type: "Ready", status: "True", lastHeartbeatTime: time(10 * HOUR_MS) }] },
      },
    });
  const other = dump("two", 5 * MINUTE_MS, HOUR_MS);
  expect((await read(served(8 * MINUTE_MS), other)).mixedNodes).toEqual([NODE]);
  expect((await read(served(4 * MINUTE_MS), other)).mixedNodes).toEqual([]);
});

it("a node that was there for a minute while another of its name was, is of another cluster", async () => {
  const texts = [dump("one", 0, HOUR_MS), dump("two", HOUR_MS / 2, HOUR_MS / 2 + 30_000)];
  for (const order of [texts, texts.toReversed()]) expect((await read(...order)).mixedNodes).toEqual([NODE]);
});

it("other names, and nodes without uids, are no sign of two clusters", async () => {
  expect((await read(dump("one", 0, HOUR_MS), dump("two", 0, HOUR_MS, "other"))).mixedNodes).toEqual([]);
  expect((await read(dump(undefined, 0, HOUR_MS), dump("two", 0, HOUR_MS))).mixedNodes).toEqual([]);
});
