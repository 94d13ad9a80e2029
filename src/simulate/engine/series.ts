/** Figures over time, for the report's charts. */
import type { Cluster } from "./cluster.ts";
import type { NodeCounters } from "../model/types.ts";
import type { SimNode } from "./node.ts";

/** One column per moment. With several nodes, await is the worst one; all other figures are sums. */
export interface Series {
  readonly seconds: readonly number[];
  readonly awaitMs: readonly number[];
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

function writeRate(moment: Moment, before: Moment | undefined): number {
  const spanMs = moment.atMs - (before?.atMs ?? moment.atMs);
  if (!before || spanMs <= 0) return 0;
  return (((moment.writtenBytes - before.writtenBytes) / spanMs) * 1_000) / MIB;
}
