import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { batchSize, IMAGES, PODS, settings } from "../../../../bench/real-node/settings.ts";
import { disturbance, missing } from "../../../../bench/real-node/requirements.ts";

describe("what the benchmark needs of the machine", () => {
  it("says that Go is missing if it is not in PATH", () => {
    expect(missing({ PATH: "/nonexistent" })).toContain("There is no Go (1.26 or later) on PATH.");
  });
});

describe("a busy machine", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "paceline-pressure-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("is detected by the pressure on its cores; a quiet machine, or one without that figure, is not", () => {
    const file = join(folder, "cpu");
    writeFileSync(file, "some avg10=1.00 avg60=77.24 avg300=2.00 total=1\n");
    expect(disturbance(file)).toContain("77 % of the last minute");
    writeFileSync(file, "some avg10=90.00 avg60=3.00 avg300=2.00 total=1\n");
    expect([disturbance(file), disturbance(join(folder, "none"))]).toEqual(["", ""]);
  });
});

describe("the settings", () => {
  it.each(Object.values(settings))("$name: every image serves two pods", ({ images }) => {
    expect(images).toHaveLength(IMAGES);
    expect(PODS).toBe(2 * IMAGES);
  });

  it.each(Object.values(settings))(
    "$name: twice drainSeconds, the most that may be owed, stays under the time-out",
    ({ drainSeconds, runtimeRequestTimeoutSeconds }) => {
      expect(2 * drainSeconds).toBeLessThan(runtimeRequestTimeoutSeconds);
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
