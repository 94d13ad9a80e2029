/**
 * Cuts a recording into herds: nodes that open within minutes of each other and share workloads, and the pods that come
 * to them while they are young.
 */
import type { RecordedNode, RecordedPod, RecordedShape, Recording } from "./recording.ts";

/** Nodes of one scale-up open within minutes; assumed. */
const WAVE_GAP_MS = 300_000;
/** A node is young for this long, as in the policy's default. */
export const YOUNG_MS = 600_000;
/** Pods for a node may be bound before it is Ready, and those of one roll-out are created within this. Assumed. */
const EARLY_MS = 120_000;
/** Pods wait for a node no longer than this, or it is another herd; assumed. */
const LONGEST_LEAD_MS = 1_800_000;
/** A node is registered no longer than this before it opens. */
const JOIN_MS = 1_800_000;
/** Fewer pods are no herd. */
const LEAST_PODS = 5;
/** Herds that are simulated of a recording. */
const MOST_HERDS = 3;

export interface HerdPod extends RecordedPod {
  readonly shape: RecordedShape;
  readonly createdMs: number;
  readonly readyMs: number;
}

export interface Herd {
  /** When its first node opened, epoch ms: times count from here. */
  readonly startMs: number;
  /** When its last pod was Ready. */
  readonly endMs: number;
  /** Nodes that opened, the first one first. */
  readonly nodes: readonly RecordedNode[];
  /** Nodes that were there before and took pods of the herd's workloads meanwhile; all that started there is in it. */
  readonly settled: readonly RecordedNode[];
  /** In the order of creation. */
  readonly pods: readonly HerdPod[];
  /** Pods that belong to it and are left out, by why. */
  readonly leftOut: Readonly<Record<LeftOut, number>>;
}

/**
 * `notReady`: never Ready in the recording. `noObject`: no object tells its images. `done`: it ended by itself first.
 * `ended`: it was evicted, preempted, deleted or refused, and nothing tells that it was Ready before.
 */
export type LeftOut = "notReady" | "noObject" | "done" | "ended";

/** How many pods are left out. */
export const leftOutOf = ({ leftOut }: Herd): number => Object.values(leftOut).reduce((sum, one) => sum + one, 0);

export const isDaemon = ({ owner }: RecordedShape) => owner.startsWith("DaemonSet/");
/** Static pods: the kubelet starts them by itself, before the node opens. */
const isStatic = (shape: RecordedShape | undefined) => shape?.owner.startsWith("Node/") === true;
const workloadOf = ({ namespace, shape }: RecordedPod) => `${namespace}/${shape?.owner ?? ""}`;
const cameMs = ({ boundMs, runningMs, createdMs }: RecordedPod) => boundMs ?? runningMs ?? createdMs;

/** The herds of a recording, the first one first. */
export function herdsOf(recording: Recording): readonly Herd[] {
  const placed = recording.pods.filter((pod) => !isStatic(pod.shape) && cameMs(pod) !== undefined);
  const byNode = Map.groupBy(placed, ({ node }) => node);
  const comeTo = ({ name, openedMs = 0 }: RecordedNode) =>
    (byNode.get(name) ?? []).filter((pod) => isBetween(cameMs(pod), openedMs - EARLY_MS, openedMs + YOUNG_MS));
  const young = recording.nodes.filter(isNew).filter((node) => comeTo(node).length > 0);
  const waves = inWaves(young.sort((a, b) => a.openedMs - b.openedMs));
  const herds = waves
    .flatMap((wave) => connected(wave, comeTo))
    .map((nodes) => herdAt(nodes, comeTo, recording, placed));
  return herds.filter(({ pods, leftOut }) => pods.length + leftOut.notReady + leftOut.ended >= LEAST_PODS);
}

/** The largest ones, the first one first. */
export const largestHerds = (herds: readonly Herd[]): readonly Herd[] =>
  herds
    .toSorted((a, b) => b.pods.length - a.pods.length)
    .slice(0, MOST_HERDS)
    .sort((a, b) => a.startMs - b.startMs);

type OpenedNode = RecordedNode & { readonly openedMs: number };
type ComeTo = (node: RecordedNode) => readonly RecordedPod[];

const isBetween = (ms: number | undefined, from: number, to: number) => ms !== undefined && ms >= from && ms <= to;

/** It opened soon after it was made; one that was there for long and is Ready again is not young. */
const isNew = (node: RecordedNode): node is OpenedNode =>
  node.openedMs !== undefined &&
  (node.createdMs === undefined || isBetween(node.openedMs - node.createdMs, -1_000, JOIN_MS));

function inWaves(nodes: readonly OpenedNode[]): OpenedNode[][] {
  const waves: OpenedNode[][] = [];
  let lastMs = -Infinity;
  for (const node of nodes) {
    if (node.openedMs - lastMs > WAVE_GAP_MS) waves.push([]);
    waves.at(-1)?.push(node);
    lastMs = node.openedMs;
  }
  return waves;
}

/** Parts of a wave that share no workload, DaemonSets aside: other pools, whose pods could not go here. */
function connected(wave: readonly OpenedNode[], comeTo: ComeTo): OpenedNode[][] {
  const parts: { nodes: OpenedNode[]; workloads: Set<string> }[] = [];
  for (const node of wave) {
    const own = new Set(
      comeTo(node)
        .filter(({ shape }) => shape === undefined || !isDaemon(shape))
        .map(workloadOf),
    );
    const touched = parts.filter(({ workloads }) => [...own].some((one) => workloads.has(one)));
    const merged = { nodes: [...touched.flatMap(({ nodes }) => nodes), node], workloads: own };
    for (const part of touched) {
      for (const one of part.workloads) own.add(one);
      parts.splice(parts.indexOf(part), 1);
    }
    parts.push(merged);
  }
  // Nodes that only DaemonSets came to opened for the largest part: no pod told that they belong elsewhere.
  const [largest] = parts.filter(({ workloads }) => workloads.size > 0).sort((a, b) => b.nodes.length - a.nodes.length);
  for (const part of largest ? parts.filter(({ workloads }) => workloads.size === 0) : []) {
    largest?.nodes.push(...part.nodes);
    parts.splice(parts.indexOf(part), 1);
  }
  return parts.map(({ nodes }) => nodes.sort((a, b) => a.openedMs - b.openedMs));
}

function herdAt(
  nodes: readonly OpenedNode[],
  comeTo: ComeTo,
  recording: Recording,
  placed: readonly RecordedPod[],
): Herd {
  const startMs = nodes[0]?.openedMs ?? 0;
  const untilMs = (nodes.at(-1)?.openedMs ?? startMs) + YOUNG_MS;
  const own = nodes.flatMap(comeTo);
  const createdFirstMs = own.reduce((least, { createdMs }) => Math.min(least, createdMs ?? least), startMs);
  const fromMs = Math.max(createdFirstMs, startMs - LONGEST_LEAD_MS) - EARLY_MS;
  const names = new Set(nodes.map(({ name }) => name));
  const workloads = new Set(own.filter(({ shape }) => shape !== undefined).map(workloadOf));
  const meanwhile = placed.filter(
    ({ node, shape, createdMs }) =>
      node !== "" && !names.has(node) && shape !== undefined && isBetween(createdMs, fromMs, untilMs),
  );
  const settledNames = new Set(meanwhile.filter((pod) => workloads.has(workloadOf(pod))).map(({ node }) => node));
  // On those nodes all that started meanwhile shared room and disk with the herd.
  const elsewhere = meanwhile.filter(({ node }) => settledNames.has(node));
  const all = [...own, ...elsewhere];
  const pods = all.flatMap(herdPod).sort((a, b) => a.createdMs - b.createdMs);
  const noObject = all.filter(({ shape }) => shape === undefined).length;
  const isUnbound = (pod: RecordedPod) =>
    pod.node === "" && workloads.has(workloadOf(pod)) && isBetween(pod.createdMs, fromMs, untilMs);
  const unbound = placed.filter(isUnbound);
  const unready = all.filter(({ shape, readyMs }) => shape !== undefined && readyMs === undefined);
  const done = unready.filter(({ isDone }) => isDone).length;
  // What is deleted later had time enough to be Ready: the recording does not tell of it.
  const wasEnded = ({ isDone, isEnded, endedMs = Infinity }: RecordedPod) => !isDone && (isEnded || endedMs <= untilMs);
  const ended = unready.filter(wasEnded).length;
  const unboundEnded = unbound.filter(wasEnded).length;
  const notReady = all.length - pods.length - noObject - done - ended + unbound.length - unboundEnded;
  return {
    startMs,
    endMs: pods.reduce((last, { readyMs }) => Math.max(last, readyMs), startMs),
    nodes,
    settled: recording.nodes.filter(({ name }) => settledNames.has(name)),
    pods,
    leftOut: { notReady, noObject, done, ended: ended + unboundEnded },
  };
}

function herdPod(pod: RecordedPod): readonly HerdPod[] {
  const { shape, readyMs } = pod;
  const createdMs = pod.createdMs ?? pod.boundMs;
  if (shape === undefined || shape.images.length === 0 || readyMs === undefined || createdMs === undefined) return [];
  return [{ ...pod, shape, readyMs, createdMs }];
}

/** Seconds until the pod was Ready, from when it existed and a node was open; a DaemonSet's pod from its own node. */
export function readySecondsOf(pod: HerdPod, { startMs, nodes }: Herd): number {
  const openedMs = isDaemon(pod.shape) ? (nodes.find(({ name }) => name === pod.node)?.openedMs ?? startMs) : startMs;
  return Math.max(0, pod.readyMs - Math.max(pod.createdMs, openedMs, startMs)) / 1_000;
}
