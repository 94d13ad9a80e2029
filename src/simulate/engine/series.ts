/** Figures over time, for the report's charts. */
import type { Cluster } from "./cluster.ts";
import type { NodeCounters } from "../model/types.ts";
import type { SimNode } from "./node.ts";

/** One column per moment. With several nodes, await is the worst one; all other figures are sums. */
export interface Series {
  readonly seconds: readonly number[];
  readonly awaitMs: readonly number[];
  /** As `awaitMs`, of the nodes that joined in the run alone; null while there is none. */
  readonly youngAwaitMs: readonly (number | null)[];
  /** Share of the time since the moment before in which their disks were busy, the mean, 0 to 1; null while unknown. */
  readonly youngBusy: readonly (number | null)[];
  readonly writeMibPerSecond: readonly number[];
  readonly inStartup: readonly number[];
  /** null if there is no limit. */
  readonly limit: readonly (number | null)[];
  readonly ready: readonly number[];
}

const MIB = 1_048_576;
/** The first time between two moments, and the most moments to keep. At that number, every second one is dropped. */
const FIRST_STEP_MS = 250;
const MOST_MOMENTS = 600;

interface Moment {
  readonly atMs: number;
  readonly awaitMs: number;
  /** Of the nodes that joined in the run; `diskMs`: how long their disks were busy, in sum. */
  readonly young: { readonly nodes: number; readonly awaitMs: number; readonly diskMs: number };
  readonly writtenBytes: number;
  readonly inStartup: number;
  readonly limit: number | undefined;
  readonly ready: number;
}

export class SeriesRecorder {
  readonly #cluster: Cluster;
  #moments: Moment[] = [];
  #stepMs = FIRST_STEP_MS;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    cluster.agenda.at(0, () => this.#note());
  }

  /** The figures from `startMs` on, which becomes second 0. */
  since(startMs: number): Series {
    const moments = this.#moments.filter(({ atMs }) => atMs >= startMs);
    return {
      seconds: moments.map(({ atMs }) => (atMs - startMs) / 1_000),
      awaitMs: moments.map(({ awaitMs }) => awaitMs),
      youngAwaitMs: moments.map(({ young }) => (young.nodes > 0 ? young.awaitMs : null)),
      youngBusy: moments.map((moment, at) => busyShare(moment, moments[at - 1])),
      writeMibPerSecond: moments.map((moment, at) => writeRate(moment, moments[at - 1])),
      inStartup: moments.map(({ inStartup }) => inStartup),
      limit: moments.map(({ limit }) => limit ?? null),
      ready: moments.map(({ ready }) => ready),
    };
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
  const young = joined.flatMap(({ readyMs }, at) => (readyMs >= 0 && readyMs <= nowMs ? (counters[at] ?? []) : []));
  const limits = joined.map((node: SimNode) => lever.limitOf(node)).filter((limit) => limit !== undefined);
  return {
    atMs: nowMs,
    awaitMs: counters.reduce((most, one) => Math.max(most, one.awaitMs), 0),
    young: {
      nodes: young.length,
      awaitMs: young.reduce((most, one) => Math.max(most, one.awaitMs), 0),
      diskMs: young.reduce((sum, one) => sum + one.disk.ioMs, 0),
    },
    writtenBytes: counters.reduce((sum, one) => sum + one.disk.writtenBytes, 0),
    inStartup: joined.reduce((sum, node) => sum + node.inStartup, 0),
    limit: limits.length > 0 ? limits.reduce((sum, limit) => sum + limit, 0) : undefined,
    ready: pods.reduce((sum, pod) => sum + (pod.readyMs === undefined ? 0 : 1), 0),
  };
}

/** Null where nodes joined or rebooted meanwhile, so that the sums are of different disks. */
function busyShare({ atMs, young }: Moment, before: Moment | undefined): number | null {
  const spanMs = atMs - (before?.atMs ?? atMs);
  if (!before || spanMs <= 0 || young.nodes === 0 || young.nodes !== before.young.nodes) return null;
  const busyMs = young.diskMs - before.young.diskMs;
  return busyMs < 0 ? null : Math.min(1, busyMs / spanMs / young.nodes);
}

function writeRate(moment: Moment, before: Moment | undefined): number {
  const spanMs = moment.atMs - (before?.atMs ?? moment.atMs);
  if (!before || spanMs <= 0) return 0;
  return (((moment.writtenBytes - before.writtenBytes) / spanMs) * 1_000) / MIB;
}
