/** The service's HTTP app with a loaded pacer. It records every handler's time ("in the handler" in the budgets). */
import { pino } from "pino";
import { formatHold } from "../../src/kube/parse/annotations.ts";
import { podFacts } from "../../src/kube/parse/facts.ts";
import type { KubeObject } from "../../src/kube/parse/kube-json.ts";
import type { PacingPolicy } from "../../src/policy/schema.ts";
import { buildApp } from "../../src/server/app.ts";
import { createMetrics, type Handler } from "../../src/server/metrics.ts";
import { percentile } from "../figures.ts";
import type { LoadedPacer } from "./loaded-pacer.ts";

/** Takes the times of a handler's calls since the last call of this, in ms. */
export type TakeTimes = (handler: Handler) => readonly number[];

/** Builds the app as src/service/service.ts does, synced and with a leader. It does not listen yet. */
export function benchApp({ pacer, interner }: LoadedPacer, policy: PacingPolicy) {
  const metrics = createMetrics();
  const times = new Map<string, number[]>();
  // The same span that paceline_handler_duration_seconds measures, each value instead of buckets.
  metrics.handlerSeconds.startTimer = (labels) => {
    const handler = String(labels?.handler);
    const beganMs = performance.now();
    return () => {
      const tookMs = performance.now() - beganMs;
      const taken = times.get(handler) ?? [];
      times.set(handler, taken);
      taken.push(tookMs);
      return tookMs / 1_000;
    };
  };
  const app = buildApp({
    ...{ pacer, metrics, formatHold, version: "bench", now: () => Date.now() },
    toPodFacts: (raw, { namespace }) => podFacts(raw as KubeObject, interner, { namespace, createdAtMs: Date.now() }),
    state: {
      replica: () => ({ synced: true, leaderAlive: true }),
      leader: () => ({ holder: "bench", alive: true, leading: true }),
      policy: () => policy,
      policyValid: () => true,
      watchAgesMs: () => ({}),
      telemetryAgesMs: () => new Map(),
      eventsDropped: () => 0,
    },
    // Held pods are logged at info, as in service; the lines are discarded.
    log: pino({ level: "info" }, { write: () => undefined }),
  });
  const takeTimes: TakeTimes = (handler) => {
    const taken = times.get(handler) ?? [];
    times.delete(handler);
    return taken;
  };
  return { app, takeTimes };
}

/** The middle and the worst beside the p99, for a figure's note. */
export function noteOf(times: readonly number[]): string {
  return `p50 ${percentile(times, 0.5).toFixed(2)}, p90 ${percentile(times, 0.9).toFixed(2)}, most ${percentile(times, 1).toFixed(1)} ms`;
}
