/** No telemetry: image bytes, start latency and failed starts carry the loop. */
import type { TelemetrySource } from "./source.ts";

/** Asks nobody and says nothing. */
export function noSource(): TelemetrySource {
  return { name: "none", start: () => undefined, stop: () => Promise.resolve() };
}
