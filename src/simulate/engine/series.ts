/** Figures over time, for the report's charts. */
import type { Cluster } from "./cluster.ts";
import type { NodeCounters } from "../model/types.ts";
import type { SimNode } from "./node.ts";

/** One column per moment. With several nodes, await is the worst one; all other figures are sums. */
export interface Series {
  readonly seconds: readonly number[];
  readonly awaitMs: readonly number[];
  /** Of the nodes that joined in the run alone, each second of its first half hour: has moments of its own. */
  readonly young: YoungSeries;
  readonly writeMibPerSecond: readonly number[];
  readonly inStartup: readonly number[];
  /** null if there is no limit. */
  readonly limit: readonly (number | null)[];
  readonly ready: readonly number[];
}

export interface YoungSeries {
  readonly seconds: readonly number[];
  /** The worst node's; null while there is none. */
  readonly awaitMs: readonly (number | null)[];
  /** Share of the time since the moment before in which the disks were busy, the mean, 0 to 1; null while unknown. */
  readonly busy: readonly (number | null)[];
}

const MIB = 1_048_576;
/** The first time between two moments, and the most moments to keep. At that number, every second one is dropped. */
const FIRST_STEP_MS = 250;
const MOST_MOMENTS = 600;

/** A pod that finds no place keeps a run going for hours: thinned with it, a herd of a minute would have two. */
const YOUNG_STEP_MS = 1_000;
const YOUNG_UNTIL_MS = 1_800_000;

/** `diskMs`: how long the disks were busy, in sum. */
interface YoungMoment {
  readonly atMs: number;
  readonly nodes: number;
  readonly awaitMs: number;
  readonly diskMs: number;
}

interface Moment {
  readonly atMs: number;
  readonly awaitMs: number;
  readonly writtenBytes: number;
  readonly inStartup: number;
  readonly limit: number | undefined;
  readonly ready: number;
}

export class SeriesRecorder {
  readonly #cluster: Cluster;
  #moments: Moment[] = [];
  readonly #young: YoungMoment[] = [];
  #stepMs = FIRST_STEP_MS;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    cluster.agenda.at(0, () => this.#note());
    cluster.agenda.at(0, () => this.#noteYoung());
  }

  /** The figures from `startMs` on, which becomes second 0. */
  since(startMs: number): Series {
    const moments = this.#moments.filter(({ atMs }) => atMs >= startMs);
    return {
      seconds: moments.map(({ atMs }) => (atMs - startMs) / 1_000),
      awaitMs: moments.map(({ awaitMs }) => awaitMs),
      young: youngSince(this.#young, startMs),
      writeMibPerSecond: moments.map((moment, at) => writeRate(moment, moments[at - 1])),
      inStartup: moments.map(({ inStartup }) => inStartup),
      limit: moments.map(({ limit }) => limit ?? null),
      ready: moments.map(({ ready }) => ready),
    };
  }

  #noteYoung(): void {
    const { agenda, unfinished } = this.#cluster;
    this.#young.push(youngMomentOf(this.#cluster));
    if (unfinished && agenda.nowMs < YOUNG_UNTIL_MS) agenda.after(YOUNG_STEP_MS, () => this.#noteYoung());
  }

  #note(): void {
    const { agenda } = this.#cluster;
    this.#moments.push(momentOf(this.#cluster));
    if (this.#moments.length >= MOST_MOMENTS) {
      this.#moments = this.#moments.filter((_, at) => at % 2 === 0);
      this.#stepMs *= 2;
    }
    if (this.#cluster.unfinished) agenda.after(this.#stepMs, () => this.#note());
  }
}

function momentOf({ agenda, nodes, pods, lever }: Cluster): Moment {
  const { nowMs } = agenda;
  const joined = nodes.filter((node) => node.spec.pods > 0);
  const counters: NodeCounters[] = joined.map((node) => node.model.counters(nowMs));
  const limits = joined.map((node: SimNode) => lever.limitOf(node)).filter((limit) => limit !== undefined);
  return {
    atMs: nowMs,
    awaitMs: counters.reduce((most, one) => Math.max(most, one.awaitMs), 0),
    writtenBytes: counters.reduce((sum, one) => sum + one.disk.writtenBytes, 0),
    inStartup: joined.reduce((sum, node) => sum + node.inStartup, 0),
    limit: limits.length > 0 ? limits.reduce((sum, limit) => sum + limit, 0) : undefined,
    ready: pods.reduce((sum, pod) => sum + (pod.readyMs === undefined ? 0 : 1), 0),
  };
}

function youngMomentOf({ agenda: { nowMs }, nodes }: Cluster): YoungMoment {
  const young = nodes.filter(({ spec, readyMs }) => spec.pods > 0 && readyMs >= 0 && readyMs <= nowMs);
  const counters = young.map(({ model }) => model.counters(nowMs));
  return {
    atMs: nowMs,
    nodes: young.length,
    awaitMs: counters.reduce((most, one) => Math.max(most, one.awaitMs), 0),
    diskMs: counters.reduce((sum, one) => sum + one.disk.ioMs, 0),
  };
}

function youngSince(all: readonly YoungMoment[], startMs: number): YoungSeries {
  const moments = all.filter(({ atMs }) => atMs >= startMs);
  return {
    seconds: moments.map(({ atMs }) => (atMs - startMs) / 1_000),
    awaitMs: moments.map(({ nodes, awaitMs }) => (nodes > 0 ? awaitMs : null)),
    busy: moments.map((moment, at) => busyShare(moment, moments[at - 1])),
  };
}

/** Null where nodes joined or rebooted meanwhile, so that the sums are of different disks. */
function busyShare({ atMs, nodes, diskMs }: YoungMoment, before: YoungMoment | undefined): number | null {
  const spanMs = atMs - (before?.atMs ?? atMs);
  if (!before || spanMs <= 0 || nodes === 0 || nodes !== before.nodes) return null;
  const busyMs = diskMs - before.diskMs;
  return busyMs < 0 ? null : Math.min(1, busyMs / spanMs / nodes);
}

function writeRate(moment: Moment, before: Moment | undefined): number {
  const spanMs = moment.atMs - (before?.atMs ?? moment.atMs);
  if (!before || spanMs <= 0) return 0;
  return (((moment.writtenBytes - before.writtenBytes) / spanMs) * 1_000) / MIB;
}
