/** No telemetry: Paceline decides by image bytes, start latency and failed starts. */
import type { TelemetrySource } from "./source.ts";

/** Makes a source that asks no node and gives no figures. */
export function noSource(): TelemetrySource {
  return { name: "none", start: () => undefined, stop: () => Promise.resolve() };
}
