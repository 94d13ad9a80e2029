/** Reads a node's figures from the kubelet's Summary (/stats/summary). Pure. */
import type { NodeSample } from "../core/facts.ts";

/** One summary; figures that it lacks are undefined. */
export interface KubeletReading {
  /** When the kubelet took the figures, by its own clock, epoch ms; undefined when it does not say. */
  readonly takenMs: number | undefined;
  /** Share of the last 10 s in which some task waited, 0 to 1. */
  readonly ioPressure: number | undefined;
  readonly cpuPressure: number | undefined;
  readonly memoryBytes: number | undefined;
  /** Bytes used on the image file system, and when they were read (the kubelet reads file systems less often). */
  readonly imageBytes: number | undefined;
  readonly imageTakenMs: number | undefined;
}

type Tree = Readonly<Record<string, unknown>>;

const tree = (value: unknown): Tree => (typeof value === "object" && value !== null ? (value as Tree) : {});
const number = (value: unknown) => (typeof value === "number" && Number.isFinite(value) ? value : undefined);
const timeMs = (value: unknown) => number(typeof value === "string" ? Date.parse(value) : undefined);

/**
 * Share of time, from the kubelet's percentage over 10 s, its shortest window. On cgroup v1 the kubelet serves zeros
 * throughout. Where there is PSI, even an idle node has waited since its boot, so that its total tells the two apart.
 */
function pressure(of: unknown): number | undefined {
  const some = tree(tree(tree(of)["psi"])["some"]);
  const [percent, total] = [number(some["avg10"]), number(some["total"])];
  if (percent === undefined || (percent === 0 && !(total !== undefined && total > 0))) return undefined;
  return percent / 100;
}

/** The node's memory: available and working set together. */
function memoryBytes(memory: Tree): number | undefined {
  const [available, used] = [number(memory["availableBytes"]), number(memory["workingSetBytes"])];
  return available === undefined || used === undefined ? undefined : available + used;
}

/** Reads a parsed Summary; undefined for any other value. */
export function readSummary(summary: unknown): KubeletReading | undefined {
  const found = tree(summary)["node"];
  if (typeof found !== "object" || found === null) return undefined;
  const node = tree(found);
  const images = tree(tree(node["runtime"])["imageFs"] ?? node["fs"]);
  return {
    takenMs: timeMs(tree(node["io"])["time"]) ?? timeMs(tree(node["cpu"])["time"]),
    ioPressure: pressure(node["io"]),
    cpuPressure: pressure(node["cpu"]),
    memoryBytes: memoryBytes(tree(node["memory"])),
    imageBytes: number(images["usedBytes"]),
    imageTakenMs: timeMs(images["time"]),
  };
}

/**
 * Growth of the image file system, bytes/s: the disk has written at least this. Undefined without an earlier reading,
 * without a newer one, or if it shrank (images were removed).
 */
export function imageGrowth(now: KubeletReading, before: KubeletReading | undefined): number | undefined {
  if (now.imageBytes === undefined || before?.imageBytes === undefined) return undefined;
  const seconds = ((now.imageTakenMs ?? NaN) - (before.imageTakenMs ?? NaN)) / 1_000;
  const bytes = now.imageBytes - before.imageBytes;
  return seconds > 0 && bytes >= 0 ? bytes / seconds : undefined;
}

/** The node's figures, without await and utilisation, which the kubelet does not know. */
export function summarySample(now: KubeletReading, before: KubeletReading | undefined, atMs: number): NodeSample {
  const { ioPressure, cpuPressure, memoryBytes } = now;
  return { atMs, ioPressure, cpuPressure, memoryBytes, writeBytesPerSecond: imageGrowth(now, before) };
}
