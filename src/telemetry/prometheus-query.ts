/** The one query that asks Prometheus for the figures of all nodes, and the reading of its answer. Pure. */
import { imageMounts } from "./image-device.ts";
import type { DiskRates } from "./signals.ts";

/** Label that tells which figure a series of the answer is. */
const PART = "paceline";

/** Figures of one device. */
export const diskParts = [
  "ios",
  "waitedSeconds",
  "busy",
  "writtenBytes",
  "readBytes",
] as const satisfies readonly (keyof DiskRates)[];
/** Figures of one node; `age` is the time since Prometheus scraped it, in s. */
export const nodeParts = [
  "dirtyBytes",
  "writebackBytes",
  "memoryBytes",
  "ioPressure",
  "cpuPressure",
  "load1",
  "cores",
  "age",
] as const;

type DiskPart = (typeof diskParts)[number];
type NodePart = (typeof nodeParts)[number];

export interface QuerySettings {
  readonly nodeLabel: string;
  /** Label matchers without braces. */
  readonly selector?: string;
  /** Rates are of the last two scrapes within this time. */
  readonly staleSeconds: number;
}

/** One instant query: every figure of every node, each marked with the label `paceline`. */
export function figuresQuery({ nodeLabel, selector, staleSeconds }: QuerySettings): string {
  const series = (family: string, ...matchers: string[]) => {
    const all = [...(selector === undefined ? [] : [selector]), ...matchers];
    return all.length === 0 ? family : `${family}{${all.join(",")}}`;
  };
  const window = `[${Math.ceil(staleSeconds)}s]`;
  const rate = (family: string, ...matchers: string[]) => `irate(${series(family, ...matchers)}${window})`;
  // ram, loop and such are no node's disk: not asked for, which halves the answer on some machines.
  const disk = (name: string) => rate(`node_disk_${name}`, 'device!~"(ram|zram|sr|fd)[0-9]+"');
  // Two servers or jobs may scrape the same exporter: max counts it once.
  const perNode = (expression: string) => `max by (${nodeLabel}) (${expression})`;
  const scrapeAge = (family: string) => `min by (${nodeLabel}) (time() - timestamp(${series(family)}))`;
  const disks: Record<DiskPart, string> = {
    ios: `${disk("reads_completed_total")} + ${disk("writes_completed_total")}`,
    waitedSeconds: `${disk("read_time_seconds_total")} + ${disk("write_time_seconds_total")}`,
    busy: disk("io_time_seconds_total"),
    writtenBytes: disk("written_bytes_total"),
    readBytes: disk("read_bytes_total"),
  };
  const nodes: Record<NodePart, string> = {
    dirtyBytes: perNode(series("node_memory_Dirty_bytes")),
    writebackBytes: perNode(series("node_memory_Writeback_bytes")),
    memoryBytes: perNode(series("node_memory_MemTotal_bytes")),
    ioPressure: perNode(rate("node_pressure_io_waiting_seconds_total")),
    cpuPressure: perNode(rate("node_pressure_cpu_waiting_seconds_total")),
    load1: perNode(series("node_load1")),
    cores: `count by (${nodeLabel}) (count by (${nodeLabel},cpu) (${series("node_cpu_seconds_total", 'mode="idle"')}))`,
    age: `(${scrapeAge("node_disk_io_time_seconds_total")} or ${scrapeAge("node_load1")})`,
  };
  const mounts = series("node_filesystem_size_bytes", `mountpoint=~"${imageMounts.join("|")}"`);
  return [
    ...diskParts.map((part) => marked(part, `max by (${nodeLabel},device) (${disks[part]})`)),
    ...nodeParts.map((part) => marked(part, nodes[part])),
    marked("mount", `max by (${nodeLabel},device,mountpoint) (${mounts})`),
  ].join(" or ");
}

const marked = (part: string, expression: string) => `label_replace(${expression},"${PART}","${part}","","")`;

/** What the answer says of one value of the node label. */
export interface NodeFigures {
  readonly disks: Map<string, Partial<Record<DiskPart, number>>>;
  readonly node: Partial<Record<NodePart, number>>;
  /** Device by mount point. */
  readonly mounts: Map<string, string>;
}

const isPart = <Part extends string>(parts: readonly Part[], word: string): word is Part =>
  (parts as readonly string[]).includes(word);

/** Sorts one series of the answer in; series that are not ours are passed over. */
export function addSeries(figures: Map<string, NodeFigures>, nodeLabel: string, element: unknown): void {
  const { metric, value } = (element ?? {}) as { metric?: Record<string, unknown>; value?: unknown };
  const label = metric?.[nodeLabel];
  const part = metric?.[PART];
  if (typeof label !== "string" || typeof part !== "string" || !Array.isArray(value)) return;
  const number = Number(value[1]);
  const entry: NodeFigures = figures.get(label) ?? { disks: new Map(), node: {}, mounts: new Map<string, string>() };
  figures.set(label, entry);
  const device = typeof metric?.["device"] === "string" ? metric["device"] : "";
  if (isPart(diskParts, part)) {
    entry.disks.set(device, { ...entry.disks.get(device), [part]: number });
  } else if (isPart(nodeParts, part)) {
    if (Number.isFinite(number)) entry.node[part] = number;
  } else if (part === "mount" && typeof metric?.["mountpoint"] === "string") {
    entry.mounts.set(metric["mountpoint"], device);
  }
}
