/** A herd as a scenario of `paceline simulate`. Its names are numbers; what they stand for is told beside it. */
import { MIB } from "../core/measures.ts";
import { assumedDefaults, GIB, gp3, nodeDefaults } from "../simulate/model/constants.ts";
import type { Herd, HerdPod } from "./herd.ts";
import type { MeasuredDisk } from "./herd-telemetry.ts";
import { isDaemon } from "./herd.ts";
import { machineOf } from "./instance-types.ts";
import type { Machines } from "./machines.ts";
import type { RecordedNode, Recording } from "./recording.ts";
import { listedSizes, runtimeOf } from "./runtimes.ts";

/** Pods of one template that were created with less time between them are one workload of the scenario. */
const WAVE_MS = 1_000;
/** With more workloads than this, longer waves are taken together, so that the file stays readable. */
const MANY_WORKLOADS = 2_000;
const DAY_SECONDS = 86_400;

/** Pods of one template that were created together. */
export interface HerdWorkload {
  readonly name: string;
  /** As recorded: namespace and `Kind/name`. */
  readonly owner: string;
  readonly isDaemonSet: boolean;
  readonly pods: readonly HerdPod[];
}

/** Where a figure of the scenario comes from. */
export type Origin = "recorded" | "given" | "measured" | "instance type" | "assumed";

export interface Origins {
  /** By instance type: what the disk is, and what says so. */
  readonly disks: ReadonlyMap<string, { readonly name: string; readonly from: Origin }>;
  readonly sizes: Origin;
  readonly kubelet: Origin;
  readonly runtime: Origin;
}

export interface HerdScenario {
  /** What `parseScenario` takes, as YAML or JSON. */
  readonly file: Readonly<Record<string, unknown>>;
  readonly workloads: readonly HerdWorkload[];
  /** Full names, by the scenario's names. */
  readonly images: ReadonlyMap<string, string>;
  /** Recorded names of the scenario's nodes, in the order in which it has them. */
  readonly nodes: readonly RecordedNode[];
  readonly origins: Origins;
  /** Images of which no size is told, by full name, and pods that use one. */
  readonly unknownSizes: readonly string[];
  readonly podsOfUnknownSize: number;
  /** Nodes whose cores or memory nothing tells. */
  readonly unknownMachines: readonly string[];
}

export interface ScenarioOptions {
  readonly machines: Machines;
  /** MiB/s; replaces what is told or assumed of all disks. */
  readonly diskMibPerSecond?: number | undefined;
  /** By instance type, what Prometheus saw of saturated disks. Weighs less than what is given, more than tables. */
  readonly measured?: ReadonlyMap<string, MeasuredDisk> | undefined;
  /** Leaves out the instance types, too. */
  readonly anonymous?: boolean | undefined;
}

export function scenarioOf(herd: Herd, recording: Recording, options: ScenarioOptions): HerdScenario {
  const { machines } = options;
  const workloads = workloadsOf(herd);
  const used = [...new Set(herd.pods.flatMap(({ shape }) => [...shape.initImages, ...shape.images]))];
  const imageNames = new Map(used.map((name, at) => [name, `image-${at + 1}`]));
  const own = new Set(herd.nodes.map(({ name }) => name));
  const listed = new Set(
    recording.nodes.filter(({ name }) => !own.has(name)).flatMap((node) => [...node.images.keys()]),
  );
  const sizeOf = (name: string) => recording.imageBytes.get(name);
  const told = used.flatMap((name) => sizeOf(name) ?? []).sort((a, b) => a - b);
  const ratio = machines.images?.compressedRatio ?? assumedDefaults.compressedRatio;
  const unknownSizes = used.filter((name) => sizeOf(name) === undefined);
  const nodes = [...herd.settled, ...herd.nodes];
  const listedRatio = listedSizes(nodes.map(runtimeOf)) === "unpacked" ? 1 : ratio;
  const middle = told[Math.floor(told.length / 2)] ?? assumedDefaults.unknownImageMib * MIB * listedRatio;
  const classes = new Map(
    [...new Set(nodes.map(({ instanceType }) => instanceType))].map((type, at) => [type, at + 1]),
  );
  const context: Context = { herd, workloads, imageNames, classes, options };
  const devices = devicesOf(herd, options.anonymous === true);
  const file = {
    description: `A herd of ${herd.pods.length} pods on ${nodes.length} nodes, rebuilt from a recording by paceline replay.`,
    nodes: nodes.map((node) => nodeEntry(node, context, devices)),
    images: used.map((name) => ({
      name: imageNames.get(name),
      mib: clamped(rounded((sizeOf(name) ?? middle) / MIB / listedRatio), 0.1, 1e6),
      ...machines.images,
      known: listed.has(name),
    })),
    workloads: workloads.map((workload) => workloadEntry(workload, herd, imageNames, devices)),
    ...(machines.kubelet && { kubelet: machines.kubelet }),
    runtime: machines.runtime ?? { flushes: flushesOf(nodes) },
    ...(machines.registry && { registry: machines.registry }),
  };
  return {
    file,
    workloads,
    nodes,
    images: new Map([...imageNames].map(([full, name]) => [name, full])),
    origins: {
      disks: new Map(nodes.map((node) => [node.instanceType, diskOf(node, options)])),
      sizes: unknownSizes.length === 0 ? "recorded" : "assumed",
      kubelet: machines.kubelet ? "given" : "assumed",
      runtime: machines.runtime ? "given" : flushesOrigin(nodes),
    },
    unknownSizes,
    podsOfUnknownSize: podsUsing(herd, new Set(unknownSizes)),
    unknownMachines: nodes.filter((node) => sizesOf(node, machines) === undefined).map(({ name }) => name),
  };
}

interface Context {
  readonly herd: Herd;
  readonly workloads: readonly HerdWorkload[];
  readonly imageNames: ReadonlyMap<string, string>;
  readonly classes: ReadonlyMap<string, number>;
  readonly options: ScenarioOptions;
}

const podsUsing = ({ pods }: Herd, images: ReadonlySet<string>) =>
  pods.filter(({ shape }) => [...shape.initImages, ...shape.images].some((name) => images.has(name))).length;

function workloadsOf(herd: Herd): readonly HerdWorkload[] {
  let waveMs = WAVE_MS;
  let groups = grouped(herd, waveMs);
  while (groups.length > MANY_WORKLOADS && waveMs < DAY_SECONDS * 1_000) {
    waveMs *= 10;
    groups = grouped(herd, waveMs);
  }
  return groups.map((pods, at) => {
    const [first] = pods;
    return {
      name: `workload-${at + 1}`,
      owner: `${first?.namespace ?? ""}/${first?.shape.owner ?? ""}`,
      isDaemonSet: isEverywhere(pods, herd),
      pods,
    };
  });
}

function grouped({ pods }: Herd, waveMs: number): (readonly HerdPod[])[] {
  const open = new Map<unknown, HerdPod[]>();
  const groups: HerdPod[][] = [];
  for (const pod of pods) {
    // A DaemonSet's pods are created as nodes come, and are one workload all the same.
    const key = isDaemon(pod.shape) ? `${pod.namespace}/${pod.shape.owner}` : pod.shape;
    const before = open.get(key);
    const last = before?.at(-1);
    if (before && last && (isDaemon(pod.shape) || pod.createdMs - last.createdMs <= waveMs)) before.push(pod);
    else {
      const group = [pod];
      open.set(key, group);
      groups.push(group);
    }
  }
  return groups;
}

/** A DaemonSet of a scenario has its pod on every node; one for few nodes is rather a Deployment there. */
function isEverywhere(pods: readonly HerdPod[], { nodes }: Herd): boolean {
  const [first] = pods;
  if (first === undefined || !isDaemon(first.shape)) return false;
  const there = new Set(pods.map(({ node }) => node));
  return nodes.filter(({ name }) => there.has(name)).length * 2 >= nodes.length;
}

/** A node's cores and memory; undefined where nothing tells them. */
function sizesOf({ capacity, instanceType }: RecordedNode, { nodes }: Machines) {
  const given = nodes[instanceType] ?? nodes["default"];
  const known = machineOf(instanceType);
  const cpu = given?.cpu ?? (capacity?.["cpu"] ? capacity["cpu"] / 1_000 : known?.cores);
  const memoryGib = given?.memoryGib ?? (capacity?.["memory"] ? capacity["memory"] / GIB : known?.memoryGib);
  return cpu === undefined || memoryGib === undefined ? undefined : { cpu, memoryGib };
}

function diskOf({ instanceType }: RecordedNode, { machines, diskMibPerSecond, measured }: ScenarioOptions) {
  const given = (machines.nodes[instanceType] ?? machines.nodes["default"])?.disk;
  const known = machineOf(instanceType)?.disk;
  const seen = measured?.get(instanceType);
  const base = given ?? seen ?? known ?? gp3;
  const { iops } = base;
  const mibPerSecond = diskMibPerSecond ?? base.mibPerSecond;
  const from = originOf(given ?? diskMibPerSecond, seen, known);
  const what = from === "instance type" ? known?.name : from === "assumed" ? "EBS gp3 at its baseline" : undefined;
  const readMibPerSecond = given?.readMibPerSecond;
  return {
    name: `${what === undefined ? "" : `${what}: `}${mibPerSecond} MiB/s, ${iops} IOPS`,
    from,
    disk: { mibPerSecond, iops, ...(readMibPerSecond !== undefined && { readMibPerSecond }) },
  };
}

/** What is given goes before what was measured, and that before what a table says. */
function originOf(given: unknown, seen: unknown, known: unknown): Origin {
  if (given !== undefined) return "given";
  if (seen !== undefined) return "measured";
  return known === undefined ? "assumed" : "instance type";
}

function nodeEntry(node: RecordedNode, context: Context, devices: ReadonlyMap<string, string>): object {
  const { herd, classes, options } = context;
  const { startMs } = herd;
  const isSettled = herd.settled.includes(node);
  const { cpu, memoryGib } = sizesOf(node, options.machines) ?? {
    cpu: nodeDefaults.cores,
    memoryGib: nodeDefaults.memoryBytes / GIB,
  };
  const type = node.instanceType;
  const name = options.anonymous === true ? `class-${classes.get(type) ?? 0}` : type;
  const [resource, count] = [...devices.keys()]
    .map((one) => [one, node.allocatable?.[one] ?? 0] as const)
    .find(([, amount]) => amount > 0) ?? ["", 0];
  const joinSeconds = isSettled ? -DAY_SECONDS : rounded(((node.openedMs ?? startMs) - startMs) / 1_000);
  return {
    ...(/^[\w.:/@-]{1,253}$/.test(name) && { class: name }),
    joinSeconds: clamped(joinSeconds, -DAY_SECONDS, DAY_SECONDS),
    disk: diskOf(node, options).disk,
    cpu: clamped(cpu, 0.1, 1_024),
    memoryGib: clamped(rounded(memoryGib), 0.5, 24_576),
    pods: clamped(isSettled ? roomTaken(node, context) : (node.allocatable?.["pods"] ?? nodeDefaults.pods), 0, 1_000),
    present: presentOn(node, context),
    ...(count > 0 && { devices: { resource: devices.get(resource), count: Math.min(1_000, count) } }),
  };
}

/**
 * A node that was there before had room for what it took, and not for more: pods would not have waited for a node
 * otherwise. DaemonSets have their pod on it in any case.
 */
function roomTaken({ name }: RecordedNode, { herd, workloads }: Context): number {
  const daemonSets = workloads.filter(({ isDaemonSet }) => isDaemonSet);
  const theirs = new Set(daemonSets.flatMap(({ pods }) => pods));
  return herd.pods.filter((pod) => pod.node === name && !theirs.has(pod)).length + daemonSets.length;
}

function presentOn({ name, presentAtOpen, images }: RecordedNode, { herd, imageNames }: Context): readonly string[] {
  const isSettled = herd.settled.some((node) => node.name === name);
  // Of a node that was there for long, only the list at the end is told: what the herd brought is in it, too.
  const came = new Set(
    herd.pods.filter((pod) => pod.node === name).flatMap(({ shape }) => [...shape.initImages, ...shape.images]),
  );
  const there = isSettled ? new Set([...images.keys()].filter((image) => !came.has(image))) : presentAtOpen;
  return [...imageNames].flatMap(([full, own]) => (there?.has(full) || presentAtOpen?.has(full) ? [own] : []));
}

function workloadEntry(
  { name, pods, isDaemonSet }: HerdWorkload,
  { startMs }: Herd,
  imageNames: ReadonlyMap<string, string>,
  devices: ReadonlyMap<string, string>,
): object {
  const [first] = pods;
  if (first === undefined) return {};
  const { shape } = first;
  const between = (fromMs: number | undefined, toMs: number | undefined) =>
    fromMs === undefined || toMs === undefined ? undefined : Math.max(0, toMs - fromMs) / 1_000;
  const startedMsOf = ({ startedMs, runningMs, readyMs }: HerdPod) =>
    startedMs ?? (shape.hasStartupProbe ? readyMs : runningMs);
  const probeSeconds = leastSeconds(pods, (pod) => between(pod.runningMs, startedMsOf(pod)));
  const readySeconds = leastSeconds(pods, (pod) => between(startedMsOf(pod), pod.readyMs));
  const initSeconds = leastSeconds(pods, (pod) => pod.initSeconds);
  const nameOf = (image: string) => imageNames.get(image) ?? "";
  const device = Object.keys(shape.requests).find((resource) => devices.has(resource));
  const { cpu = 0, memory = 0 } = shape.requests;
  const inits = shape.initImages.slice(0, 20);
  return {
    name,
    kind: isDaemonSet ? "DaemonSet" : "Deployment",
    ...(!isDaemonSet && { replicas: pods.length }),
    createdSeconds: clamped(rounded((first.createdMs - startMs) / 1_000), -DAY_SECONDS, DAY_SECONDS),
    images: shape.images.slice(0, 20).map(nameOf),
    ...(inits.length > 0 && {
      initContainers: inits.map((image) => ({ image: nameOf(image), runSeconds: initSeconds / inits.length })),
    }),
    ...(probeSeconds > 0 && { startupProbeSeconds: clamped(probeSeconds, 0, DAY_SECONDS) }),
    readySeconds: clamped(readySeconds, 0, 3_600),
    priority: clamped(Math.round(shape.priority), -1e9, 1e9),
    cpuMillis: clamped(cpu, 0, 1_024_000),
    memoryMib: clamped(rounded(memory / MIB), 0, 1e7),
    ...(device !== undefined && { device: devices.get(device) }),
    toleratesEverything: shape.toleratesEverything,
  };
}

/** Its own start, without waiting for others: the least of all its pods. 0 where none tells it. */
function leastSeconds(pods: readonly HerdPod[], of: (pod: HerdPod) => number | undefined): number {
  const told = pods.flatMap((pod) => of(pod) ?? []);
  return told.length === 0
    ? 0
    : rounded(
        Math.max(
          0,
          Math.min(
            DAY_SECONDS,
            told.reduce((a, b) => Math.min(a, b)),
          ),
        ),
      );
}

/** The scenario's names of extended resources, by the recorded ones. */
function devicesOf({ pods, nodes }: Herd, anonymous: boolean): ReadonlyMap<string, string> {
  const wanted = new Set(pods.flatMap(({ shape }) => Object.keys(shape.requests).filter(isDevice)));
  const there = [...wanted].filter((one) => nodes.some(({ allocatable }) => (allocatable?.[one] ?? 0) > 0));
  const fits = (name: string) => /^[\w.-]{1,253}\/[\w.-]{1,63}$/.test(name);
  return new Map(there.map((one, at) => [one, anonymous || !fits(one) ? `example.com/device-${at + 1}` : one]));
}

const isDevice = (resource: string) => resource.includes("/");

/** containerd 1 unpacks layers straight into their place, and nothing flushes them (docs/model.md). */
const flushesOf = (nodes: readonly RecordedNode[]) =>
  nodes.some(({ runtime }) => /^containerd:\/\/1\./.test(runtime)) ? "files" : "file-system";

/** Of other runtimes than containerd it is not known. */
function flushesOrigin(nodes: readonly RecordedNode[]): Origin {
  const told = nodes.map(runtimeOf).filter((name) => name !== "");
  return told.length > 0 && told.every((name) => name === "containerd") ? "recorded" : "assumed";
}

const rounded = (value: number) => Math.round(value * 1_000) / 1_000;
const clamped = (value: number, least: number, most: number) =>
  Number.isFinite(value) ? Math.min(most, Math.max(least, value)) : least;
