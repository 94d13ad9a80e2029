/** The choice is the one that lowers the simulated mean most: held against every other set of images. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { choose, simulated, type WarmableHerd, withPresent } from "../../../src/prewarm/choose.ts";
import type { PrewarmImage } from "../../../src/prewarm/formats/prewarm-list.ts";
import { scenarioOf } from "./scenarios.ts";

const MB = 1_000_000;

/** A node with these images' workloads: `[MB, replicas]` of each. */
function herdOf(shapes: readonly (readonly [number, number])[]): { herd: WarmableHerd; images: PrewarmImage[] } {
  const images = shapes.map(([mb], at) => ({ ref: `registry.test/app-${at}:1`, digest: undefined, bytes: mb * MB }));
  const scenario = scenarioOf({
    nodes: [{ joinSeconds: 0, disk: { mibPerSecond: 100 } }],
    images: shapes.map(([mb], at) => ({
      name: `image-${at}`,
      mib: (mb * MB) / 1_048_576 / 0.4,
      layers: 4,
      compressedRatio: 0.4,
    })),
    workloads: shapes.map(([, replicas], at) => ({ name: `app-${at}`, images: [`image-${at}`], replicas })),
  });
  const fullNames = new Map(images.map(({ ref }, at) => [`image-${at}`, ref]));
  return { herd: { scenario, young: new Set([0]), fullNames }, images };
}

const meanOf = (herd: WarmableHerd, images: readonly PrewarmImage[]) =>
  simulated(herd, new Set(images.map(({ ref }) => ref)), { kind: "none" }).meanReadySeconds;

const bytesOf = (images: readonly PrewarmImage[]) => images.reduce((sum, { bytes }) => sum + bytes, 0);

/** The least mean of all sets within the budget, by trying each. */
function leastMean(herd: WarmableHerd, images: readonly PrewarmImage[], budgetBytes: number): number {
  let least = Infinity;
  for (let bits = 0; bits < 2 ** images.length; bits += 1) {
    const set = images.filter((_, at) => (bits >> at) % 2 === 1);
    if (bytesOf(set) <= budgetBytes) least = Math.min(least, meanOf(herd, set));
  }
  return least;
}

const shapes = fc.array(fc.tuple(fc.integer({ min: 10, max: 400 }), fc.integer({ min: 1, max: 5 })), {
  minLength: 2,
  maxLength: 6,
});

describe("the choice", () => {
  it("is the set with the least simulated mean, on any small herd and budget", async () => {
    await fc.assert(
      fc.asyncProperty(shapes, fc.double({ min: 0.1, max: 1, noNaN: true }), async (given, share) => {
        const { herd, images } = herdOf(given);
        const budgetBytes = bytesOf(images) * share;
        const choice = await choose(images, [herd], { budgetBytes });
        expect(choice.how).toBe("everySet");
        expect(bytesOf(choice.images)).toBeLessThanOrEqual(budgetBytes);
        expect(meanOf(herd, choice.images)).toBeLessThanOrEqual(leastMean(herd, images, budgetBytes) * 1.000_2);
      }),
      { numRuns: 10 },
    );
  });

  it("is as good, within some percent, where not every set can be tried", async () => {
    const { herd, images } = herdOf([
      [400, 1],
      [60, 5],
      [200, 3],
      [30, 1],
      [150, 1],
      [90, 4],
      [250, 2],
    ]);
    const budgetBytes = bytesOf(images) / 2;
    const few = await choose(images, [herd], { budgetBytes, mostPodRuns: 60 * 2 * 17 });
    expect(few.how).toBe("someSets");
    expect(few.tried).toBeLessThanOrEqual(60);
    expect(bytesOf(few.images)).toBeLessThanOrEqual(budgetBytes);
    expect(meanOf(herd, few.images)).toBeLessThanOrEqual(leastMean(herd, images, budgetBytes) * 1.05);
  });

  it("is never worse than what weighs the most, however few sets can be tried", async () => {
    const { herd, images } = herdOf(Array.from({ length: 30 }, (_, at) => [300 - 8 * at, 1 + (at % 4)]));
    const budgetBytes = bytesOf(images) * 0.6;
    const heaviest: PrewarmImage[] = [];
    for (const image of images) if (bytesOf([...heaviest, image]) <= budgetBytes) heaviest.push(image);
    const { how, images: chosen } = await choose(images, [herd], { budgetBytes, mostPodRuns: 1 });
    expect(how).toBe("someSets");
    expect(bytesOf(chosen)).toBeGreaterThan(0.9 * budgetBytes);
    expect(meanOf(herd, chosen)).toBeLessThanOrEqual(meanOf(herd, heaviest) * 1.000_2);
  });

  it("leaves out what is larger than the budget, and is nothing where nothing fits", async () => {
    const { herd, images } = herdOf([
      [400, 5],
      [50, 1],
    ]);
    expect((await choose(images, [herd], { budgetBytes: 60 * MB })).images).toEqual([images[1]]);
    expect((await choose(images, [herd], { budgetBytes: 10 * MB })).images).toEqual([]);
  });

  it("puts images on young nodes of the class alone", () => {
    const { herd, images } = herdOf([[100, 1]]);
    const nodes = [...herd.scenario.nodes, ...herd.scenario.nodes];
    const two = { ...herd, scenario: { ...herd.scenario, nodes }, young: new Set([1]) };
    const present = withPresent(two, new Set(images.map(({ ref }) => ref))).nodes.map((one) => one.present);
    expect(present).toEqual([[], ["image-0"]]);
  });
});
