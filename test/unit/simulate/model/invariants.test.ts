/** Invariants for every node, herd and order of events. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { GIB, MIB } from "../../../../src/simulate/model/constants.ts";
import { imageSize } from "../../../../src/simulate/model/image-size.ts";
import { NodeModel } from "../../../../src/simulate/model/node-model.ts";
import { seededRandom } from "../../../../src/simulate/model/random.ts";
import type {
  ImageSpec,
  ModelPod,
  NodeCounters,
  NodeEvent,
  NodeModelOptions,
  RuntimeFlushes,
} from "../../../../src/simulate/model/types.ts";
import { lastStatus, nothingSmall } from "./one-node.ts";

interface Herd {
  readonly options: () => NodeModelOptions;
  readonly images: readonly ImageSpec[];
  readonly arrivals: readonly { readonly pod: ModelPod; readonly atMs: number }[];
}

const imageArbitrary = fc.record({
  mib: fc.integer({ min: 1, max: 800 }),
  layers: fc.integer({ min: 1, max: 8 }),
  compressedRatio: fc.constantFrom(0.25, 0.5, 1),
});

/** Small herds on many kinds of nodes, some with little memory, some with a fast disk, with both kinds of flushes. */
const herds: fc.Arbitrary<Herd> = fc
  .record({
    seed: fc.integer(),
    mibPerSecond: fc.constantFrom(10, 125, 2_000),
    memoryGib: fc.constantFrom(1, 8, 64),
    cores: fc.integer({ min: 1, max: 8 }),
    serializeImagePulls: fc.boolean(),
    runtimeFlushes: fc.constantFrom<RuntimeFlushes[]>("file-system", "files"),
    specs: fc.array(imageArbitrary, { minLength: 1, maxLength: 6 }),
    pods: fc.array(
      fc.record({
        image: fc.nat(),
        atMs: fc.integer({ min: 0, max: 60_000 }),
        startCpuSeconds: fc.constantFrom(0, 1, 7),
      }),
      { minLength: 1, maxLength: 25 },
    ),
  })
  .map(({ seed, mibPerSecond, memoryGib, cores, serializeImagePulls, runtimeFlushes, specs, pods }) => {
    const images = specs.map((spec, at) => ({ ...spec, name: `image-${at}` }));
    return {
      images,
      options: () => ({
        startMs: 0,
        random: seededRandom(seed),
        disk: { mibPerSecond, iops: 16_000 },
        memoryBytes: memoryGib * GIB,
        cores,
        kubelet: { serializeImagePulls },
        runtimeFlushes,
        images,
      }),
      arrivals: pods
        .map(({ image, atMs, startCpuSeconds }, at) => ({
          atMs,
          pod: {
            uid: `pod-${at}`,
            namespace: "default",
            name: `pod-${at}`,
            containers: [{ name: "main", image: `image-${image % images.length}` }],
            startCpuSeconds,
          },
        }))
        .sort((a, b) => a.atMs - b.atMs),
    };
  });

const END_MS = 4 * 3_600_000;

/** Runs the herd to the end, and stops at `stops` on the way. */
function play(herd: Herd, stops: readonly number[], seen?: (counters: NodeCounters) => void) {
  const node = new NodeModel(herd.options());
  const events: NodeEvent[] = [];
  const moments = [
    ...herd.arrivals.map(({ pod, atMs }) => ({ atMs, act: () => node.addPod(pod, atMs) })),
    ...stops.map((atMs) => ({ atMs, act: () => seen?.(node.counters(atMs)) })),
  ].sort((a, b) => a.atMs - b.atMs);
  for (const { atMs, act } of moments) {
    events.push(...node.advanceTo(atMs));
    act();
  }
  events.push(...node.advanceTo(END_MS));
  return { node, events };
}

const timesToStop = fc.array(fc.integer({ min: 0, max: 600_000 }), { maxLength: 30 });
const settings = { numRuns: 60 };

test("one step or many give exactly the same events at the same times", () => {
  fc.assert(
    fc.property(herds, timesToStop, (herd, stops) => {
      expect(play(herd, stops).events).toEqual(play(herd, []).events);
    }),
    settings,
  );
});

test("every pod becomes ready in the end, and each image is pulled once", () => {
  fc.assert(
    fc.property(herds, (herd) => {
      const { events } = play(herd, []);
      for (const { pod } of herd.arrivals) expect(lastStatus(events, pod.uid)?.ready).toBe(true);
      const used = new Set(herd.arrivals.flatMap(({ pod }) => pod.containers.map(({ image }) => image)));
      expect(events.filter((event) => event.kind === "images")).toHaveLength(used.size);
    }),
    settings,
  );
});

test("bytes are conserved: each image reaches the disk once, and nothing stays dirty", () => {
  const assumptions = { ...nothingSmall, unpackMibPerSecondPerCore: 120 };
  fc.assert(
    fc.property(herds, (herd) => {
      const { node } = play({ ...herd, options: () => ({ ...herd.options(), assumptions }) }, []);
      const used = new Set(herd.arrivals.flatMap(({ pod }) => pod.containers.map(({ image }) => image)));
      const bytes = herd.images
        .filter((image) => used.has(image.name))
        .reduce((sum, image) => sum + imageSize(image, assumptions).diskBytes, 0);
      const { disk, memory } = node.counters(END_MS);
      expect(disk.writtenBytes / MIB).toBeCloseTo(bytes / MIB, 3);
      expect(memory.dirtyBytes + memory.writebackBytes).toBe(0);
    }),
    settings,
  );
});

test("counters never decrease, dirty pages stay under the limit, and the device does not exceed its speed", () => {
  fc.assert(
    fc.property(herds, timesToStop, (herd, stops) => {
      const seen: NodeCounters[] = [];
      play(herd, stops, (counters) => seen.push(counters));
      const limit = 0.2 * (seen[0]?.memory.totalBytes ?? 0);
      for (const [at, now] of seen.entries()) {
        expect(now.memory.dirtyBytes + now.memory.writebackBytes).toBeLessThanOrEqual(limit + 1);
        expect(now.awaitMs).toBeGreaterThan(0);
        const before = seen[at - 1];
        if (before === undefined) continue;
        for (const [name, value] of totals(now))
          expect(value, name).toBeGreaterThanOrEqual(new Map(totals(before)).get(name) ?? 0);
        expect(now.disk.ioMs - before.disk.ioMs).toBeLessThanOrEqual(now.upMs - before.upMs + 1e-6);
      }
    }),
    settings,
  );
});

function totals({ disk, pressure, cpuMs, upMs }: NodeCounters): [string, number][] {
  const { ioNow: _, ...counted } = disk;
  return [...Object.entries(counted), ...Object.entries(pressure), ["cpuMs", cpuMs], ["upMs", upMs]];
}

test("equal seeds give equal herds", () => {
  fc.assert(
    fc.property(herds, (herd) => {
      expect(play(herd, []).events).toEqual(play(herd, []).events);
    }),
    { numRuns: 10 },
  );
});
