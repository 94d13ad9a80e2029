/** Telemetry from Prometheus, or anything with its API: one query for all nodes in each round. */
import type { NodeName } from "../core/ids.ts";
import type { TelemetryOf } from "../policy/telemetry.ts";
import { createAccess, type AccessKeeper } from "./access.ts";
import { nodeFinder } from "./node-label.ts";
import { askPrometheus } from "./prometheus-ask.ts";
import { addSeries, figuresQuery, type NodeFigures } from "./prometheus-query.ts";
import { sampleFrom } from "./prometheus-sample.ts";
import { startPolling } from "./polling.ts";
import { deviceFilter } from "../core/signals/sample.ts";
import {
  asFailure,
  TelemetryFailure,
  type TelemetrySink,
  type TelemetrySource,
  type TelemetryTarget,
} from "./source.ts";

export type PrometheusSettings = TelemetryOf<"prometheus">;

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

async function query(
  settings: PrometheusSettings,
  access: AccessKeeper,
  nodeOf: (label: string) => NodeName | undefined,
): Promise<Map<NodeName, NodeFigures>> {
  const figures = new Map<NodeName, NodeFigures>();
  await askPrometheus({
    ...{ settings, access: await access.open(), timeoutMs: settings.timeoutMs },
    ...{ path: "/api/v1/query", form: { query: figuresQuery(settings) }, resultType: "vector" },
    cure: "check telemetry.url and credentials",
    onElement: (element) => addSeries(figures, settings.nodeLabel, nodeOf, element),
  });
  return figures;
}

const noSeries = ({ url, nodeLabel }: PrometheusSettings, name: NodeName) =>
  `${url} has no fresh series whose label ${nodeLabel} is the name or address of node ${name}; ` +
  "check telemetry.nodeLabel, telemetry.selector and what Prometheus scrapes";
