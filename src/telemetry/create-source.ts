/** Makes the source that a policy names. */
import type { Telemetry } from "../policy/telemetry.ts";
import { kubeletSource, type ProxyClient } from "./kubelet.ts";
import { nodeExporterSource } from "./node-exporter.ts";
import { noSource } from "./none.ts";
import { prometheusSource } from "./prometheus.ts";
import type { TelemetrySink, TelemetrySource } from "./source.ts";

export interface SourceOptions {
  readonly settings: Telemetry;
  readonly sink: TelemetrySink;
  /** For the kubelet's source. */
  readonly client: ProxyClient;
  /** Epoch ms. */
  readonly now: () => number;
  /** A monotonic clock, in ms. */
  readonly steadyNow?: (() => number) | undefined;
}

/** Makes an idle source. */
export function createSource({ settings, client, ...shared }: SourceOptions): TelemetrySource {
  switch (settings.source) {
    case "node-exporter":
      return nodeExporterSource({ settings, ...shared });
    case "prometheus":
      return prometheusSource({ settings, ...shared });
    case "kubelet":
      return kubeletSource({ settings, client, ...shared });
    case "none":
      return noSource();
    default:
      return settings satisfies never;
  }
}
