/** Makes the one query for the figures of all nodes, and reads Prometheus' answer. Pure. */
import { MAX_DISKS } from "./counters.ts";
import { readMounts } from "./image-device.ts";
import type { DiskRates } from "../core/signals/sample.ts";

/** Label with the name of the figure in each series of the answer. */
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
  /** Pattern of the devices that count; a loop device counts only where it is named. */
  readonly device?: string;
  /** Rates are of the last two scrapes within this time. */
  readonly staleSeconds: number;
}

/** One instant query: every figure of every node, each marked with the label `paceline`. */
export function figuresQuery({ nodeLabel, selector, device, staleSeconds }: QuerySettings): string {
  const series = (family: string, ...matchers: string[]) => {
    const all = [...(selector === undefined ? [] : [selector]), ...matchers];
    return all.length === 0 ? family : `${family}{${all.join(",")}}`;
  };
  const window = `[${Math.ceil(staleSeconds)}s]`;
  const rate = (family: string, ...matchers: string[]) => `irate(${series(family, ...matchers)}${window})`;
  // ram, loop and similar devices are no disk of a node. Leaving them out halves the answer on some machines.
  const noDisk = device === undefined ? "ram|zram|sr|fd|loop" : "ram|zram|sr|fd";
  const disk = (name: string) => rate(`node_disk_${name}`, `device!~"(${noDisk})[0-9]+"`);
  // Two servers or jobs may scrape the same exporter; max counts it once.
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
  const mounts = series("node_filesystem_size_bytes", `mountpoint=~"${readMounts.join("|")}"`);
  return [
    ...diskParts.map((part) => marked(part, `max by (${nodeLabel},device) (${disks[part]})`)),
    ...nodeParts.map((part) => marked(part, nodes[part])),
    marked("mount", `max by (${nodeLabel},device,mountpoint) (${mounts})`),
    marked("mapped", `max by (${nodeLabel},device,name) (${series("node_disk_device_mapper_info")})`),
  ].join(" or ");
}

const marked = (part: string, expression: string) => `label_replace(${expression},"${PART}","${part}","","")`;

/** The figures of one node in the answer. */
export interface NodeFigures {
  readonly disks: Map<string, Partial<Record<DiskPart, number>>>;
  readonly node: Partial<Record<NodePart, number>>;
  /**
   * When Prometheus scraped the node, by its own clock, in s. It identifies the scrape, however late the answer comes.
   */
  scrapedSeconds: number;
  /** Device by mount point. */
  readonly mounts: Map<string, string>;
  /** Device by its name under /dev/mapper. */
  readonly mapped: Map<string, string>;
}

const isPart = <Part extends string>(parts: readonly Part[], word: string): word is Part =>
  (parts as readonly string[]).includes(word);

/**
 * Adds one series of the answer. Other series, and those of unknown nodes, are ignored. Of several series of one figure
 * the largest counts (of the age the smallest).
 * @param nodeOf the node that a value of the node label stands for
 */
export function addSeries<Node>(
  figures: Map<Node, NodeFigures>,
  nodeLabel: string,
  nodeOf: (label: string) => Node | undefined,
  element: unknown,
): void {
  const { metric, value } = (element ?? {}) as { metric?: Record<string, unknown>; value?: unknown };
  const [label, part] = [metric?.[nodeLabel], metric?.[PART]];
  if (typeof label !== "string" || typeof part !== "string" || !Array.isArray(value)) return;
  const node = nodeOf(label);
  if (node === undefined) return;
  const entry = figures.get(node) ?? noFigures();
  figures.set(node, entry);
  const word = (name: string) => (typeof metric?.[name] === "string" ? metric[name] : undefined);
  const [at, figure] = [Number(value[0]), numberIn(value[1])];
  if (part === "age") addAge(entry, at, figure);
  else if (isPart(diskParts, part)) addDisk(entry, word("device") ?? "", part, figure);
  else if (isPart(nodeParts, part)) addLarger(entry.node, part, figure);
  else if (part === "mount") addMount(entry, word("mountpoint"), word("device"));
  else if (part === "mapped") addMapped(entry, word("name"), word("device"));
}

/** Prometheus writes numbers as text. Anything else is no number: Number() makes 0 of null and of "". */
const numberIn = (value: unknown) => (typeof value === "string" && value.trim() !== "" ? Number(value) : NaN);

const noFigures = (): NodeFigures => ({
  disks: new Map<string, Partial<Record<DiskPart, number>>>(),
  node: {},
  scrapedSeconds: -Infinity,
  mounts: new Map<string, string>(),
  mapped: new Map<string, string>(),
});

function addLarger<Part extends string>(figures: Partial<Record<Part, number>>, part: Part, figure: number): void {
  const known: number | undefined = figures[part];
  if (Number.isFinite(figure)) figures[part] = known === undefined ? figure : Math.max(known, figure);
}

function addAge(entry: NodeFigures, askedSeconds: number, age: number): void {
  const scraped = askedSeconds - age;
  if (!Number.isFinite(scraped) || scraped <= entry.scrapedSeconds) return;
  entry.scrapedSeconds = scraped;
  entry.node.age = age;
}

function addDisk({ disks }: NodeFigures, device: string, part: DiskPart, figure: number): void {
  const disk = disks.get(device) ?? {};
  addLarger(disk, part, figure);
  if (disks.size < MAX_DISKS || disks.has(device)) disks.set(device, disk);
}

function addMount({ mounts }: NodeFigures, mountpoint: string | undefined, device = ""): void {
  if (mountpoint !== undefined && readMounts.includes(mountpoint)) mounts.set(mountpoint, device);
}

function addMapped({ mapped }: NodeFigures, name = "", device = ""): void {
  if (mapped.size < MAX_DISKS) mapped.set(name, device);
}
