/** The table of `npm run bench:replay`. */
import { expect, it } from "vitest";
import { type Compared, offBy, truthTable } from "../../../bench/replay/truth.ts";

const compared: Compared = {
  ...{ round: "harsh 1", strategy: "Paceline", failed: [0, 3], forecastFailed: 1 },
  ...{ allReady: { measured: 100, forecast: 90 }, meanReady: { measured: 50, forecast: 56 } },
};

it("says how far a forecast is off, as a share of what was measured", () => {
  expect(truthTable([compared]).split("\n")[1]).toMatch(
    /^harsh 1, Paceline +100.0 +90.0 +−10 % +50.0 +56.0 +\+12 % +0, 3 +1$/,
  );
});

it("without a forecast has none in the table, and such a round is within no bound", () => {
  const none = { measured: 100, forecast: NaN };
  expect(Math.abs(offBy(none)) <= 0.25).toBe(false);
  const row = truthTable([{ ...compared, allReady: none, meanReady: none, forecastFailed: NaN }]).split("\n")[1];
  expect(row).toMatch(/^harsh 1, Paceline +100.0 +- +- +100.0 +- +- +0, 3 +-$/);
});
