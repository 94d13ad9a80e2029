/** Writes to nodes that open late, on the fake API server. */
import { expect, it } from "vitest";
import { FENCE_TAINT_KEY, OPENED_ANNOTATION } from "../../../../src/api/names.ts";
import { nodeFacts } from "../../../../src/kube/parse/facts.ts";
import { noteOpening, raiseFence } from "../../../../src/kube/write/late-openings.ts";
import { newServer } from "../../faults/api-server/support.ts";

const NODE = "/api/v1/nodes/n1";
const note = { atMs: Date.parse("2026-01-01T00:01:00Z"), bootID: "b1" };

function subject(spec: object = {}) {
  const { server } = newServer();
  server.create("/api/v1/nodes", { metadata: { name: "n1", annotations: { theirs: "kept" } }, spec });
  const facts = () => nodeFacts(server.find(NODE) ?? {});
  const write = (node = facts(), what: Parameters<typeof noteOpening>[1]["note"] = note) =>
    noteOpening(server.client("writer"), { kind: "note", node, note: what });
  const raise = (node = facts()) =>
    raiseFence(server.client("writer"), { kind: "raise", node, value: "n1" }, note.atMs);
  return { server, facts, write, raise };
}

it("writes the annotation alone, so that a new leader reads it; a repetition changes nothing", async () => {
  const { server, facts, write } = subject();
  expect((await write()).kind).toBe("changed");
  expect(server.find(NODE)?.metadata?.annotations).toEqual({
    theirs: "kept",
    [OPENED_ANNOTATION]: '{"at":"2026-01-01T00:01:00.000Z","boot":"b1"}',
  });
  expect(facts().openedNote).toEqual(note);
  expect((await write()).kind).toBe("unchanged");
});

it("notes that a node is closed by leaving the time out", async () => {
  const { facts, write } = subject();
  await write(facts(), { atMs: undefined, bootID: "b1" });
  expect(facts().openedNote).toEqual({ atMs: undefined, bootID: "b1" });
});

it("writes nothing to another node of that name", async () => {
  const { facts, write } = subject();
  expect((await write({ ...facts(), uid: "another" })).kind).toBe("gone");
  expect(facts().openedNote).toBeUndefined();
});

const OTHER = { key: "other", effect: "NoSchedule" };

it("puts a fence up on a cordoned node, with its time, and leaves the rest; a repetition changes nothing", async () => {
  const { facts, raise } = subject({ unschedulable: true, taints: [OTHER] });
  expect((await raise()).kind).toBe("changed");
  expect(facts()).toMatchObject({ unschedulable: true, fence: { value: "n1", sinceMs: note.atMs } });
  expect(facts().taints.map(({ key }) => key)).toContain("other");
  expect((await raise()).kind).toBe("unchanged");
});

it("puts no fence up on a node that is open by now, or has one", async () => {
  for (const spec of [{}, { unschedulable: true, taints: [{ key: FENCE_TAINT_KEY, effect: "NoExecute" }] }]) {
    const { server, raise } = subject(spec);
    const before = server.version;
    expect((await raise()).kind).toBe("unchanged");
    expect(server.version).toBe(before);
  }
});
