import { describe, expect, it } from "vitest";
import { batchSize, IMAGES, PODS, settings } from "../../../bench/real-node/settings.ts";
import { missing } from "../../../bench/real-node/requirements.ts";

describe("what the benchmark needs of the machine", () => {
  it("says that Go is missing when PATH has none", () => {
    expect(missing({ PATH: "/nonexistent" })).toContain("There is no Go (1.26 or later) on PATH.");
  });
});

describe("the settings", () => {
  it.each(Object.values(settings))("$name: every image serves two pods", ({ images }) => {
    expect(images).toHaveLength(IMAGES);
    expect(PODS).toBe(2 * IMAGES);
  });

  it.each(Object.values(settings))(
    "$name: drainSeconds is the same share of the time-out as by default",
    ({ drainSeconds, runtimeRequestTimeoutSeconds }) => {
      expect(drainSeconds / runtimeRequestTimeoutSeconds).toBeCloseTo(40 / 120, 1);
    },
  );

  it("counts batches only where the strategy is a fixed one", () => {
    expect((["fixed-3", "fixed-6", "paceline", "all-at-once"] as const).map(batchSize)).toEqual([
      3,
      6,
      undefined,
      undefined,
    ]);
  });
});
