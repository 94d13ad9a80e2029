/** What a Prometheus recorded of a herd's young nodes, and what it tells of their disks. Pure. */
import type { NodeSample } from "../core/facts.ts";
import { MIB } from "../core/measures.ts";
import { BUSY } from "../core/rules/limit.ts";
import { percentile } from "../simulate/engine/summary.ts";
import { assumedDefaults } from "../simulate/model/constants.ts";
import { type Herd, YOUNG_MS } from "./herd.ts";
import type { RecordedNode } from "./recording.ts";

/** Requests in the device at a time, on the mean. Fewer, and the disk may wait for its writers. Assumed. */
const LEAST_QUEUE = 2;
/** One sample may be an accident. */
const LEAST_SAMPLES = 2;
const REQUEST_BYTES = assumedDefaults.requestKib * 1_024;

/** Undefined is unknown: no sample has it. */
export interface YoungFigures {
  /** The largest of all nodes: 95 % of a node's samples are below it. */
  readonly awaitP95Ms: number | undefined;
  /** Share of time that the disks were busy, the mean of all samples, 0 to 1. */
  readonly utilisationMean: number | undefined;
  /** Share of time in which some task waited for I/O, the mean of all samples, 0 to 1. */
  readonly ioPressureMean?: number | undefined;
  /** Load average of one minute for each core, the mean of all samples. */
  readonly loadPerCoreMean?: number | undefined;
}

export interface MeasuredDisk {
  readonly mibPerSecond: number;
  readonly iops: number;
  /** Samples of a saturated disk that this is from. */
  readonly samples: number;
}

export interface HerdTelemetry {
  readonly samples: number;
  readonly recorded: YoungFigures;
  /** By instance type; one whose disks were never seen saturated is not in it. */
  readonly disks: ReadonlyMap<string, MeasuredDisk>;
  /** Young nodes of which Prometheus has nothing. */
  readonly unknownNodes: readonly string[];
}

/** From a herd's first open node until its last pod is Ready, or its last node is young no more; epoch ms. */
export function youngWindow({ nodes, startMs, endMs }: Herd): { readonly fromMs: number; readonly toMs: number } {
  const lastMs = nodes.reduce((last, { openedMs }) => Math.max(last, openedMs ?? startMs), startMs);
  return { fromMs: startMs, toMs: Math.min(endMs, lastMs + YOUNG_MS) };
}

/** @param samplesOf of each node, by name; those outside of its own young time are left out */
export function herdTelemetry(herd: Herd, samplesOf: ReadonlyMap<string, readonly NodeSample[]>): HerdTelemetry {
  const { toMs } = youngWindow(herd);
  const young = ({ openedMs = herd.startMs, name }: RecordedNode) =>
    (samplesOf.get(name) ?? []).filter(({ atMs }) => atMs >= openedMs && atMs <= Math.min(toMs, openedMs + YOUNG_MS));
  const byNode = herd.nodes.map((node) => ({ node, samples: young(node) }));
  const all = byNode.flatMap(({ samples }) => samples);
  const disks = [...Map.groupBy(byNode, ({ node }) => node.instanceType)].flatMap(([type, those]) => {
    const disk = measuredDisk(those.flatMap(({ samples }) => samples));
    return disk === undefined ? [] : [[type, disk] as const];
  });
  const loads = all.map(({ load1, cores }) =>
    load1 === undefined || !(Number(cores) > 0) ? undefined : load1 / Number(cores),
  );
  return {
    samples: all.length,
    recorded: {
      awaitP95Ms: largest(byNode.map(({ samples }) => quantile(known(samples.map(({ awaitMs }) => awaitMs)), 0.95))),
      utilisationMean: mean(known(all.map(({ utilisation }) => utilisation))),
      ioPressureMean: mean(known(all.map(({ ioPressure }) => ioPressure))),
      loadPerCoreMean: mean(known(loads)),
    },
    disks: new Map(disks),
    unknownNodes: byNode.filter(({ samples }) => samples.length === 0).map(({ node }) => node.name),
  };
}

/**
 * What a disk can do: what it moved ÷ the share of time that it was busy (the utilisation law, as in core/rules/limit),
 * of saturated samples alone; undefined where there are fewer than two. Reads count, because a scenario's disk shares
 * its throughput with them.
 */
export function measuredDisk(samples: readonly NodeSample[]): MeasuredDisk | undefined {
  const seen = samples.flatMap(
    ({ utilisation = 0, awaitMs = 0, iops = 0, writeBytesPerSecond, readBytesPerSecond }) => {
      if (writeBytesPerSecond === undefined || readBytesPerSecond === undefined) return [];
      const isSaturated = utilisation >= BUSY && (iops * awaitMs) / 1_000 >= LEAST_QUEUE;
      const busy = Math.min(1, utilisation);
      const bytes = (writeBytesPerSecond + readBytesPerSecond) / busy;
      return isSaturated && bytes > 0 ? [{ bytes, iops: iops / busy }] : [];
    },
  );
  if (seen.length < LEAST_SAMPLES) return undefined;
  const bytes = quantile(known(seen.map((one) => one.bytes)), 0.9);
  const iops = quantile(known(seen.map((one) => one.iops)), 0.9);
  if (bytes === undefined || iops === undefined) return undefined;
  return {
    mibPerSecond: rounded(within(bytes / MIB, 0.1, 100_000)),
    // Large requests need few of them: the model's are of one size, and must not make the disk slower than it was.
    iops: Math.ceil(within(Math.max(iops, bytes / REQUEST_BYTES), 1, 10_000_000)),
    samples: seen.length,
  };
}

/** Values that are unknown are left out. */
export const known = (values: readonly (number | undefined | null)[]) =>
  values.filter((value): value is number => typeof value === "number" && Number.isFinite(value));
/** Undefined of none. */
export const mean = (values: readonly number[]) =>
  values.length === 0 ? undefined : values.reduce((sum, one) => sum + one, 0) / values.length;
/** The value that a share of all is not above; undefined of none. */
export const quantile = (values: readonly number[], share: number): number | undefined =>
  values.length === 0
    ? undefined
    : percentile(
        [...values].sort((a, b) => a - b),
        share,
      );
const largest = (values: readonly (number | undefined)[]) =>
  known(values).reduce<number | undefined>((most, one) => Math.max(most ?? one, one), undefined);
const within = (value: number, least: number, most: number) => Math.min(most, Math.max(least, value));
const rounded = (value: number) => Math.round(value * 10) / 10;
