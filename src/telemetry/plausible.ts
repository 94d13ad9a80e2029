/** Removes figures that cannot be true: an absurd figure is unknown. Pure. */
import type { NodeSample } from "../core/facts.ts";

type Figure = Exclude<keyof NodeSample, "atMs" | "device">;

/** Largest credible value of each figure; the smallest is 0. Well above any machine of today. */
const LARGEST: Readonly<Record<Figure, number>> = {
  /** Ten minutes: the kernel gives up on a request long before. */
  awaitMs: 600_000,
  /** Ten times the fastest node's disks together. */
  iops: 1e9,
  utilisation: 1,
  /** 1 TB/s, ten times the fastest node's disks together. */
  writeBytesPerSecond: 1e12,
  readBytesPerSecond: 1e12,
  /** 1 PB. */
  dirtyBytes: 1e15,
  writebackBytes: 1e15,
  ioPressure: 1,
  cpuPressure: 1,
  load1: 1e6,
  cores: 65_536,
  memoryBytes: 1e15,
};

const figures = Object.keys(LARGEST) as readonly Figure[];

const isPlausible = (value: number, largest: number) => value >= 0 && value <= largest;

/**
 * The sample without figures that are negative, NaN, infinite or too large. It is dated `nowMs` at the latest, because
 * a sample from the future would count as fresh for too long.
 */
export function plausible(sample: NodeSample, nowMs: number): NodeSample {
  const kept: Partial<Record<Figure, number>> = {};
  for (const figure of figures) {
    const value = sample[figure];
    if (value !== undefined && isPlausible(value, LARGEST[figure])) kept[figure] = value;
  }
  return { ...kept, ...(sample.device && { device: sample.device }), atMs: Math.min(sample.atMs, nowMs) };
}
