/** The last ten minutes of each node's limit: complete for one node, bounded for all. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { nodeName } from "../../../../src/core/ids.ts";
import { initialLimit, type Limit } from "../../../../src/core/rules/limit.ts";
import { HISTORY_MS, LimitHistory } from "../../../../src/core/state/limit-history.ts";
import { defaultPolicy } from "../../../../src/policy/parse.ts";
import { nodeClassFor } from "../../../../src/policy/resolve.ts";
import { aNode, START_MS } from "../../../support/core-facts.ts";

const node = nodeName("young");
const start = initialLimit(nodeClassFor(defaultPolicy(), {}), aNode("young"));
const at = (slots: number, move = `grew to ${slots}`): Limit => ({ ...start, slots, move });

test("moves are kept with their time, from, to and reason, oldest first, for ten minutes", () => {
  const history = new LimitHistory();
  history.note(node, at(8), at(16), START_MS);
  history.note(node, at(16), at(8, "cut to 8: a container of web failed to start"), START_MS + 60_000);
  expect(history.of(node, START_MS + 60_000)).toEqual([
    { atMs: START_MS, from: 8, to: 16, why: "grew to 16" },
    { atMs: START_MS + 60_000, from: 16, to: 8, why: "cut to 8: a container of web failed to start" },
  ]);
  expect(history.of(node, START_MS + HISTORY_MS)).toHaveLength(1);
  expect(history.of(node, START_MS + HISTORY_MS + 60_000)).toEqual([]);
});

test("a limit that is held sample after sample is one step, however its reason changes", () => {
  const history = new LimitHistory();
  const held = (percent: number) => at(8, `held at 8: the disk is ${percent} % busy`);
  history.note(node, at(8), held(91), START_MS);
  history.note(node, held(91), held(95), START_MS + 1_500);
  history.note(node, held(95), at(9), START_MS + 3_000);
  expect(history.of(node, START_MS + 3_000).map(({ why }) => why)).toEqual([
    "held at 8: the disk is 91 % busy",
    "grew to 9",
  ]);
});

test("a node that is gone, or another machine of its name, begins anew", () => {
  const history = new LimitHistory();
  history.note(node, at(8), at(9), START_MS);
  history.forget(node);
  expect(history.of(node, START_MS)).toEqual([]);
});

test("20,000 steps at most are kept of all nodes together; the node that moved last keeps its last step", () => {
  const moves = fc.array(fc.record({ node: fc.nat(5_000), afterMs: fc.nat(10) }), { minLength: 100, maxLength: 400 });
  fc.assert(
    fc.property(moves, fc.integer({ min: 60, max: 200 }), (order, rounds) => {
      const history = new LimitHistory();
      const seen = new Set<ReturnType<typeof nodeName>>();
      let atMs = START_MS;
      for (let round = 0; round < rounds; round += 1) {
        for (const { node: index, afterMs } of order) {
          const name = nodeName(`node-${index}`);
          seen.add(name);
          atMs += afterMs;
          history.note(name, at(round), at(round + 1), atMs);
          expect(history.of(name, atMs).at(-1)?.to).toBe(round + 1);
        }
      }
      const kept = [...seen].reduce((sum, name) => sum + history.of(name, atMs).length, 0);
      expect(kept).toBeLessThanOrEqual(20_000);
    }),
    { numRuns: 5 },
  );
});

test("one node alone stays within the bound, too", () => {
  const history = new LimitHistory();
  for (let slots = 1; slots <= 30_000; slots += 1) history.note(node, at(slots), at(slots + 1), START_MS);
  const steps = history.of(node, START_MS);
  expect(steps.length).toBeLessThanOrEqual(20_000);
  expect(steps.at(-1)?.to).toBe(30_001);
});
