/** The demo's picture shows each run's pods and its end, in light and dark, and says so in words. */
import { describe, expect, it } from "vitest";
import { readyPicture } from "../../../../dev/demo/picture.ts";
import type { HerdResult } from "../../../../dev/demo/table.ts";

const herd = (makespanSeconds: number, startErrors: number, readySeconds: number[]): HerdResult => ({
  startErrors,
  byFingerprint: {},
  restarts: 0,
  makespanSeconds,
  ratioToBound: 1,
  meanReadySeconds: 1,
  peakInStartup: 1,
  peakInStartupSettled: 0,
  peakAwaitMs: 1,
  longestHoldSeconds: 1,
  readySeconds,
});
const picture = readyPicture({
  herd: "bare",
  unpaced: herd(67, 30, [10, 66.9]),
  paced: herd(35.5, 0, [1, 35.4]),
  diskBoundSeconds: 30,
});

describe("the picture", () => {
  it("says in its title what both lines show", () => {
    expect(/<title[^>]*>([^<]*)</.exec(picture)?.[1]).toBe(
      "Pods Ready over time. With Paceline: all Ready after 35.5 s, 0 failed starts. Without Paceline: all Ready after 67.0 s, 30 failed starts.",
    );
  });

  it("has one step for each pod of each run, within the picture, that never goes down", () => {
    for (const name of ["paced", "unpaced"]) {
      const [, path = ""] = new RegExp(`class="line ${name}" d="(M[^"]*H[^"]*)"`).exec(picture) ?? [];
      const heights = [...path.matchAll(/V([\d.]+)/g)].map(([, y]) => Number(y));
      const seconds = [...path.matchAll(/H([\d.]+)/g)].map(([, x]) => Number(x));
      expect(heights).toHaveLength(2);
      expect(heights).toEqual(heights.toSorted((one, other) => other - one));
      expect(seconds).toEqual(seconds.toSorted((one, other) => one - other));
      expect(Math.max(...seconds)).toBeLessThan(640);
    }
  });

  it("follows the reader's dark setting and loads nothing", () => {
    expect(picture).toContain("@media (prefers-color-scheme: dark)");
    expect(picture).not.toMatch(/href=|url\(|<script/);
  });
});
