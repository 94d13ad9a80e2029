/** Reads one exporter's text over HTTP, bounded in time and size. */
import type { Dispatcher } from "undici";
import type { CounterSnapshot } from "../core/signals/snapshot.ts";
import { counterCollector, wantedFamilies } from "./counters.ts";
import { exchange } from "./exchange.ts";
import { prometheusTextReader } from "./prometheus-text.ts";
import { TelemetryFailure } from "./source.ts";

/**
 * Largest answer that is read, in bytes. A node_exporter with its usual collectors sends 58 KB on a small machine
 * (measured, 1.5.0); assumed: 5 KB more for each pod's interface and mounts, so 250 pods are about 1.3 MB.
 */
export const MAX_BODY_BYTES = 4_194_304;

export interface ScrapeRequest {
  readonly url: string;
  readonly dispatcher: Dispatcher;
  readonly headers: Readonly<Record<string, string>>;
  /** Time-out of the whole request, body included. */
  readonly timeoutMs: number;
  /** Keep the connection for the next round. */
  readonly keep: boolean;
  /** Epoch ms, to date the figures. */
  readonly now: () => number;
  /** A monotonic clock, in ms, to measure the time between readings. */
  readonly steadyNow: () => number;
}

/**
 * Reads the counters at a URL. The snapshot has the time at which the answer's head arrived.
 * @throws TelemetryFailure for every failure
 */
export async function scrapeCounters(request: ScrapeRequest): Promise<CounterSnapshot> {
  const { now, steadyNow, keep, ...asked } = request;
  const collector = counterCollector();
  let [atMs, steadyMs] = [0, 0];
  const { status } = await exchange({
    ...asked,
    maxBytes: MAX_BODY_BYTES,
    close: !keep,
    onHead: () => ([atMs, steadyMs] = [now(), steadyNow()]),
    onChunk: prometheusTextReader(wantedFamilies, collector.add),
  });
  if (status !== 200) {
    throw new TelemetryFailure("BadStatus", `${request.url} answers ${status}; check telemetry.path, port and token`);
  }
  if (collector.isEmpty) {
    throw new TelemetryFailure(
      "BadAnswer",
      `${request.url} has no series of node_exporter; check telemetry.path, port`,
    );
  }
  return collector.snapshot(atMs, steadyMs);
}
