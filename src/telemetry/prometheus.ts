/** Telemetry from Prometheus, or anything with its API: one query for all nodes in each round. */
import type { NodeSample } from "../core/facts.ts";
import type { NodeName } from "../core/ids.ts";
import type { TelemetryOf } from "../policy/telemetry.ts";
import { createAccess, type AccessKeeper } from "./access.ts";
import { exchange } from "./exchange.ts";
import { imageDeviceOf } from "./image-device.ts";
import { jsonElements } from "./json-elements.ts";
import { nodeFinder } from "./node-label.ts";
import { addSeries, diskParts, figuresQuery, type NodeFigures } from "./prometheus-query.ts";
import { startPolling } from "./polling.ts";
import {
  chooseDisk,
  diskSample,
  deviceFilter,
  type DeviceFilter,
  diskFiguresOf,
  type DiskRates,
} from "../core/signals/sample.ts";
import {
  asFailure,
  TelemetryFailure,
  type TelemetrySink,
  type TelemetrySource,
  type TelemetryTarget,
} from "./source.ts";

export type PrometheusSettings = TelemetryOf<"prometheus">;

/** Largest answer that is read, in bytes. 5,000 nodes with two disks each have about 12 MB. */
export const MAX_ANSWER_BYTES = 67_108_864;

export interface PrometheusOptions {
  readonly settings: PrometheusSettings;
  readonly sink: TelemetrySink;
  /** Epoch ms. */
  readonly now: () => number;
  /** A monotonic clock, in ms; default: the process's own. */
  readonly steadyNow?: (() => number) | undefined;
}

/** Asks for the figures of all nodes, round by round. Opens nothing before `start`. */
export function prometheusSource(options: PrometheusOptions): TelemetrySource {
  const { settings, sink, now, steadyNow = () => performance.now() } = options;
  const access = createAccess(settings, steadyNow);
  const counts = deviceFilter(settings.device);
  /** When Prometheus scraped each node's last figures, by its own clock, in s. */
  const told = new Map<NodeName, number>();
  let stopped = false;
  let endPolling: (() => Promise<void>) | undefined;

  const tell = (targets: readonly TelemetryTarget[], figures: ReadonlyMap<NodeName, NodeFigures>, askedMs: number) => {
    for (const { name, paced } of targets) {
      const of = figures.get(name);
      if (of?.node.age === undefined) {
        if (paced) sink.failure(name, new TelemetryFailure("NoSeries", noSeries(settings, name)));
      } else if (isNews(told.get(name), of.scrapedSeconds)) {
        told.set(name, of.scrapedSeconds);
        sink.sample(name, sampleFrom(of, counts, askedMs));
      }
    }
    const existing = new Set(targets.map(({ name }) => name));
    for (const name of told.keys()) if (!existing.has(name)) told.delete(name);
  };
  const poll = async () => {
    const startMs = steadyNow();
    const askedMs = now();
    try {
      const targets = sink.targets();
      const figures = await query(settings, access, nodeFinder(targets));
      if (stopped) return;
      tell(targets, figures, askedMs);
      sink.round?.({ asked: targets.length, durationMs: steadyNow() - startMs });
    } catch (error) {
      if (!stopped) sink.failure(undefined, asFailure(error));
    }
  };

  return {
    name: "prometheus",
    start: () => void (endPolling ??= startPolling(settings.intervalMs, poll)),
    async stop() {
      stopped = true;
      const ended = endPolling?.();
      await access.close();
      await ended;
    },
  };
}

/** Two readings of the same scrape differ only by rounding, in s. */
const SAME_SCRAPE_SECONDS = 0.01;
/** An earlier time is news, too: when Prometheus' clock is set back, figures must not wait until it catches up. */
const isNews = (told: number | undefined, scraped: number) =>
  told === undefined || Math.abs(scraped - told) > SAME_SCRAPE_SECONDS;

/** Sends one query. @throws TelemetryFailure; Error when a file of the credentials cannot be read */
async function query(
  settings: PrometheusSettings,
  access: AccessKeeper,
  nodeOf: (label: string) => NodeName | undefined,
): Promise<Map<NodeName, NodeFigures>> {
  const { agent, headers } = await access.open();
  const url = `${settings.url.replace(/\/+$/, "")}/api/v1/query`;
  const form = new URLSearchParams({ query: figuresQuery(settings) }).toString();
  const figures = new Map<NodeName, NodeFigures>();
  const reader = jsonElements((element) => addSeries(figures, settings.nodeLabel, nodeOf, element));
  const bounds = { dispatcher: agent, timeoutMs: settings.timeoutMs, maxBytes: MAX_ANSWER_BYTES };
  const { status, excerpt } = await exchange({
    ...bounds,
    url,
    method: "POST",
    headers: { ...headers, "content-type": "application/x-www-form-urlencoded", accept: "application/json" },
    body: form,
    onChunk: readingBy(url, (chunk) => reader.push(chunk)),
  });
  if (status !== 200) {
    throw new TelemetryFailure(
      "BadStatus",
      `${url} answers ${status}: ${excerpt}; check telemetry.url and credentials`,
    );
  }
  readingBy(url, () => checkFrame(reader.end()))();
  return figures;
}

/** Turns errors of a reader into a TelemetryFailure of this server. */
function readingBy<Given extends unknown[]>(url: string, read: (...given: Given) => void) {
  return (...given: Given) => {
    try {
      read(...given);
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      throw new TelemetryFailure("BadAnswer", `${url} does not answer as Prometheus does: ${detail.slice(0, 200)}`);
    }
  };
}

function checkFrame(frame: unknown): void {
  const { status, data } = (frame ?? {}) as { status?: unknown; data?: { resultType?: unknown } | null };
  if (status !== "success" || data?.resultType !== "vector") throw new Error("its answer is no vector of series");
}

/** The sample of one node, dated by the age that Prometheus itself reports, so the two clocks may differ. */
function sampleFrom(figures: NodeFigures, counts: DeviceFilter, askedMs: number): NodeSample {
  const { age = 0, ...node } = figures.node;
  const disks = [...figures.disks].flatMap(([device, parts]) => {
    const rates = isWhole(parts) ? diskFiguresOf(device, parts) : undefined;
    return rates === undefined ? [] : [rates];
  });
  const imageDevice = imageDeviceOf(figures.mounts, (device) => figures.disks.has(device), figures.mapped);
  const disk = chooseDisk(disks, counts, imageDevice);
  return {
    ...node,
    ioPressure: node.ioPressure && Math.min(1, node.ioPressure),
    cpuPressure: node.cpuPressure && Math.min(1, node.cpuPressure),
    ...diskSample(disk, imageDevice),
    atMs: askedMs - age * 1_000,
  };
}

const isWhole = (parts: Partial<DiskRates>): parts is DiskRates =>
  diskParts.every((part) => Number.isFinite(parts[part]));

const noSeries = ({ url, nodeLabel }: PrometheusSettings, name: NodeName) =>
  `${url} has no fresh series whose label ${nodeLabel} is the name or address of node ${name}; ` +
  "check telemetry.nodeLabel, telemetry.selector and what Prometheus scrapes";
