/** The boards' pictures: a line is drawn where there are points, and nowhere else. */
import fc from "fast-check";
import { expect, it } from "vitest";
import type { Board, Panel } from "../../../../dev/dashboards/boards.ts";
import { boardSvg } from "../../../../dev/dashboards/draw.ts";

const panel: Panel = { title: "A line", about: "For this test.", unit: "short", queries: {} };
const board: Board = { name: "overview", title: "A board", about: "For this test.", panels: [panel] };

/** What a line with points at these times is drawn by. */
function pathOf(times: readonly number[], step: number): string {
  const series = { labels: {}, points: times.map((at) => [at, 1] as const) };
  const svg = boardSvg(board, [{ panel, lines: [["line", series]] }], { from: 0, to: 100, step });
  return /<path fill="none"[^>]* d="([^"]*)"/.exec(svg)?.[1] ?? "";
}

it("a line is broken where more than two steps have no point, and a point by itself is a dot", () => {
  const pieces = pathOf([0, 1, 3, 6, 10, 11], 1).split("M").slice(1);
  expect(pieces.map((piece) => piece.split("L").length)).toEqual([3, 1, 2]);
  expect(pieces.map((piece) => piece.endsWith("h0"))).toEqual([false, true, false]);
});

it("no stroke is longer than two steps, and each point is drawn once", () => {
  const times = fc
    .uniqueArray(fc.integer({ min: 0, max: 100 }), { minLength: 1 })
    .map((all) => all.sort((a, b) => a - b));
  fc.assert(
    fc.property(times, fc.integer({ min: 1, max: 5 }), (some, step) => {
      const pieces = pathOf(some, step).split("M").slice(1);
      const drawn = pieces.flatMap((piece) => piece.split("L"));
      expect(drawn).toHaveLength(some.length);
      const gaps = some.slice(1).filter((at, index) => at - (some[index] ?? 0) > 2 * step);
      expect(pieces).toHaveLength(gaps.length + 1);
    }),
  );
});
