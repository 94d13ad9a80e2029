/** Telemetry straight from each node's node_exporter. */
import { isIPv6 } from "node:net";
import type { NodeName } from "../core/ids.ts";
import type { TelemetryOf } from "../policy/telemetry.ts";
import { createAccess } from "./access.ts";
import type { CounterSnapshot } from "../core/signals/snapshot.ts";
import { startRounds, type RoundsOptions } from "./rounds.ts";
import { scrapeCounters } from "./scrape.ts";
import { deviceFilter, sampleOf } from "../core/signals/sample.ts";
import {
  asFailure,
  TelemetryFailure,
  type TelemetrySink,
  type TelemetrySource,
  type TelemetryTarget,
} from "./source.ts";

export type NodeExporterSettings = TelemetryOf<"node-exporter">;

export interface NodeExporterOptions {
  readonly settings: NodeExporterSettings;
  readonly sink: TelemetrySink;
  /** Epoch ms. */
  readonly now: () => number;
  /** A monotonic clock, in ms; default: the process's own. */
  readonly steadyNow?: (() => number) | undefined;
  /** For measuring: other bounds than the usual ones. */
  readonly bounds?: (Pick<RoundsOptions, "maxInFlight" | "spread"> & { readonly maxKept?: number }) | undefined;
}

/**
 * Connections that are kept between rounds. For further nodes each scrape opens its own. Range 1,000–10,000: each costs
 * about 60 KiB of memory (bench/telemetry.ts) and a file descriptor. 5,000 young nodes were measured with all kept.
 */
const MAX_KEPT = 8_192;

/**
 * Longest time for rates, in intervals: older rates say little of now. There is room for a lost answer and late rounds.
 */
const LONGEST_WINDOW_INTERVALS = 3;
/** The same for nodes that are not paced, in rotations. */
const LONGEST_WINDOW_ROTATIONS = 2;

/**
 * Longest time between two scrapes, in ms, whose means count as present figures. After a longer gap (the exporter was
 * away), the next scrape gives only gauges, like the first one.
 */
export function longestWindowMs(settings: NodeExporterSettings, paced: boolean): number {
  if (!paced) return LONGEST_WINDOW_ROTATIONS * settings.rotationSeconds * 1_000;
  return Math.max(settings.staleSeconds * 1_000, LONGEST_WINDOW_INTERVALS * settings.intervalMs);
}

/** Address of a node's metrics page. */
export function exporterUrl({ scheme, port, path }: NodeExporterSettings, address: string): string {
  return `${scheme}://${isIPv6(address) ? `[${address}]` : address}:${port}${path}`;
}

/** Scrapes the nodes that the sink names. Opens nothing before `start`. */
export function nodeExporterSource(options: NodeExporterOptions): TelemetrySource {
  const { settings, sink, now, steadyNow = () => performance.now(), bounds } = options;
  const counts = deviceFilter(settings.device);
  const last = new Map<NodeName, CounterSnapshot>();
  const access = createAccess(settings, steadyNow);
  const kept = new Set<NodeName>();
  let stopped = false;
  let endRounds: (() => Promise<void>) | undefined;

  const scrape = async ({ name, address, paced }: TelemetryTarget) => {
    if (address === undefined) throw new TelemetryFailure("NoAddress", noAddress(settings, name));
    const { agent, headers } = await access.open();
    const url = exporterUrl(settings, address);
    const { timeoutMs } = settings;
    const keep = paced && (kept.has(name) || kept.size < (bounds?.maxKept ?? MAX_KEPT));
    if (keep) kept.add(name);
    else kept.delete(name);
    const snapshot = await scrapeCounters({ url, dispatcher: agent, headers, timeoutMs, keep, now, steadyNow });
    if (stopped) return;
    const before = last.get(name);
    last.set(name, snapshot);
    const windowMs = snapshot.steadyMs - (before?.steadyMs ?? -Infinity);
    const recent = windowMs <= longestWindowMs(settings, paced) ? before : undefined;
    sink.sample(name, sampleOf(snapshot, recent, counts));
    if (![...snapshot.disks.keys()].some((device) => counts(device)))
      throw new TelemetryFailure("NoDisk", noDisk(settings, address));
  };
  const ask = async (target: TelemetryTarget) => {
    try {
      await scrape(target);
      return true;
    } catch (error) {
      if (!stopped) sink.failure(target.name, asFailure(error));
      // A node without disks still answers quickly.
      return error instanceof TelemetryFailure && error.kind === "NoDisk";
    }
  };
  const forget = (existing: ReadonlySet<NodeName>) => {
    for (const names of [last, kept]) for (const name of names.keys()) if (!existing.has(name)) names.delete(name);
  };

  return {
    name: "node-exporter",
    start() {
      const { intervalMs, rotationSeconds } = settings;
      const rounds = { intervalMs, rotationMs: rotationSeconds * 1_000, ask, steadyNow, ...bounds };
      const onRound = (round: Parameters<NonNullable<TelemetrySink["round"]>>[0]) => sink.round?.(round);
      endRounds ??= startRounds({ ...rounds, targets: () => sink.targets(), beforeRound: forget, onRound });
    },
    async stop() {
      stopped = true;
      const ended = endRounds?.();
      await access.close();
      await ended;
    },
  };
}

const noAddress = ({ address }: NodeExporterSettings, name: NodeName) =>
  address.type === "InternalIP"
    ? `node ${name} has no InternalIP`
    : `no ready endpoint of the exporter is on node ${name}; check telemetry.address and the exporter's DaemonSet`;

const noDisk = (settings: NodeExporterSettings, address: string) =>
  `${exporterUrl(settings, address)} lists no disk${settings.device === undefined ? "" : ` named ${settings.device}`}; ` +
  "check that its diskstats collector is on, and telemetry.device";
