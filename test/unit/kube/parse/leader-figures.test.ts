import fc from "fast-check";
import { expect, test } from "vitest";
import { formatLeaderFigures, parseLeaderFigures } from "../../../../src/kube/parse/leader-figures.ts";

const name = fc.stringMatching(/^[a-z][a-z0-9.-]{0,60}$/);
const figure = fc.record({
  limit: fc.nat(200),
  sampledMs: fc.option(fc.nat(2_000_000_000), { nil: undefined }).map((s) => (s === undefined ? s : s * 1_000)),
});

test("what the leader writes on its Lease is what others read", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.tuple(name, figure), { selector: ([node]) => node }), (entries) => {
      const figures = new Map(entries);
      expect(parseLeaderFigures(formatLeaderFigures(figures))).toEqual(figures);
    }),
  );
});

test("whatever else stands there shows nothing, and breaks nothing", () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => void parseLeaderFigures(text)));
  expect(parseLeaderFigures('{"a":[8],"b":"8","c":["x"],"d":null}')).toEqual(
    new Map([["a", { limit: 8, sampledMs: undefined }]]),
  );
});

test("500 nodes with the longest names that clouds give need about 30 KB", () => {
  const node = (at: number) => `ip-10-100-100-${at}.ap-southeast-2.compute.internal`;
  const figures = new Map(Array.from({ length: 500 }, (_, at) => [node(at), { limit: 18, sampledMs: 1.7e12 }]));
  expect(formatLeaderFigures(figures).length).toBeLessThan(36_000);
});
