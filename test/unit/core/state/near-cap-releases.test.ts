import { expect, test } from "vitest";
import { NearCapReleases } from "../../../../src/core/state/near-cap-releases.ts";
import { aPod, START_MS } from "../../../support/core-facts.ts";

const went = (name: string, atMs: number) => aPod(name, { release: { atMs, heldMs: 300_000 } });

test("what another leader let go is believed up to the moment at which this one began, and after a pause again", () => {
  const releases = new NearCapReleases();
  releases.begin(START_MS);
  expect(releases.believed(went("a", START_MS))).toBe(START_MS);
  releases.begin(START_MS + 10_000);
  expect(releases.believed(went("a", START_MS + 1))).toBeUndefined();
  releases.begin(START_MS + 25_000);
  expect(releases.believed(went("a", START_MS + 25_000))).toBe(START_MS + 25_000);
});

test("what this leader let go is believed as it was planned or before, to the millisecond that annotations tell", () => {
  const releases = new NearCapReleases();
  releases.begin(START_MS);
  releases.planned(aPod("a").uid, START_MS + 5_000.4);
  expect(releases.believed(went("a", START_MS + 5_000))).toBe(START_MS + 5_000);
  expect(releases.believed(went("a", START_MS + 5_002))).toBeUndefined();
  expect(releases.believed(went("b", START_MS + 5_000))).toBeUndefined();
  releases.forgetBefore(START_MS + 6_000);
  expect(releases.believed(went("a", START_MS + 5_000))).toBeUndefined();
});

test("a pod that was never let go has no such time", () => {
  expect(new NearCapReleases().believed(aPod("a"))).toBeUndefined();
});
