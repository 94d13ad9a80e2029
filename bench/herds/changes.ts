/**
 * What `--perturb` changes, each by itself on every herd. A verdict must not depend on a constant of the model, nor on
 * what Paceline believes of it.
 */
import type { Assumptions } from "../../src/simulate/model/constants.ts";
import type { Herd } from "./herd.ts";

export interface Change {
  readonly name: string;
  readonly apply: (herd: Herd) => Herd;
}

/** Throughput and IOPS of every disk, both times `factor`. */
const disk = (factor: number) => (herd: Herd) => {
  const nodes = herd.scenario.nodes.map((node) => {
    const { mibPerSecond, iops, readMibPerSecond: read } = node.disk;
    const own = { mibPerSecond: factor * mibPerSecond, iops: factor * iops };
    return { ...node, disk: { ...own, ...(read !== undefined && { readMibPerSecond: factor * read }) } };
  });
  return { ...herd, scenario: { ...herd.scenario, nodes } };
};

/**
 * Bytes that reach the disk for each compressed byte, as `unpackRatio` of the policy counts them: one for the blob, the
 * rest unpacked. The unpacked sizes stay.
 */
const trueRatio = (ratio: number) => (herd: Herd) => {
  const images = herd.scenario.images.map((image) => ({ ...image, compressedRatio: 1 / (ratio - 1) }));
  return { ...herd, scenario: { ...herd.scenario, images } };
};

/** What Paceline takes for that ratio before it has learnt it. */
const believedRatio = (unpackRatio: number) => (herd: Herd) => {
  const nodeClasses = herd.policy.nodeClasses.map((nodeClass) => ({ ...nodeClass, unpackRatio }));
  return { ...herd, policy: { ...herd.policy, nodeClasses } };
};

const assuming = (assumptions: Partial<Assumptions>) => (herd: Herd) => ({
  ...herd,
  assumptions: { ...herd.assumptions, ...assumptions },
});

const otherFlushes = (herd: Herd): Herd => {
  const flushes = herd.scenario.runtime.flushes === "files" ? "file-system" : "files";
  return { ...herd, scenario: { ...herd.scenario, runtime: { flushes } } };
};

const blind = (herd: Herd): Herd => ({ ...herd, scenario: { ...herd.scenario, telemetry: "none" } });

/** MiB that a shim reads again where the page cache is full; the model assumes 12, of 4 to 20. */
const SHIM_IO = { shimIoMib: 20 };
/** Images that unpack 2 : 1, and their blobs. */
const TWO_TO_ONE = 3;

const harsh = (herd: Herd) => trueRatio(TWO_TO_ONE)(assuming({ dirtyRatio: 0.1, ...SHIM_IO })(disk(0.7)(herd)));

export const asTheyAre: Change = { name: "as they are", apply: (herd) => herd };

export const changes: readonly Change[] = [
  { name: "disk × 0.7", apply: disk(0.7) },
  { name: "disk × 1.3", apply: disk(1.3) },
  { name: "true unpack ratio 2", apply: trueRatio(2) },
  { name: "true unpack ratio 6", apply: trueRatio(6) },
  { name: "believed unpack ratio 2", apply: believedRatio(2) },
  { name: "believed unpack ratio 6", apply: believedRatio(6) },
  { name: "dirty ratio 0.1", apply: assuming({ dirtyRatio: 0.1 }) },
  { name: "dirty ratio 0.4", apply: assuming({ dirtyRatio: 0.4 }) },
  { name: "the other kind of flushes", apply: otherFlushes },
  { name: "blind", apply: blind },
  { name: "shim I/O 20 MiB", apply: assuming(SHIM_IO) },
  { name: "disk × 0.7, dirty ratio 0.1, shim I/O 20 MiB, images 2 : 1", apply: harsh },
];
