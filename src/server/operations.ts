/** Routes for people and probes: health, readiness, metrics, status. */
import type { FastifyInstance } from "fastify";
import type { AppDependencies } from "./dependencies.ts";
import { pageRoutes } from "./page.ts";
import { missingForReady, type LeaderState } from "./state.ts";
import { type ShownNode, withFigure } from "../core/leader-figures.ts";
import type { ClusterStatus } from "../core/verdict.ts";

/** The answer of `/status.json`. */
export interface StatusAnswer extends Omit<ClusterStatus, "nodes"> {
  readonly nodes: readonly ShownNode[];
  readonly version: string;
  readonly synced: boolean;
  readonly leader: LeaderState;
  readonly policyValid: boolean;
  /** Time since the first new pod about which no replica was asked; 0 when they are asked, undefined: not known. */
  readonly silentSeconds?: number;
}

/** Makes the answer of `/status.json`: of nodes that others lead, too, the limits that count. */
export function statusAnswer({ pacer, state, now, version }: AppDependencies): StatusAnswer {
  const { synced } = state.replica();
  const leader = state.leader();
  const nowMs = now();
  const status = pacer.status(nowMs);
  const [figures, policy] = [leader.leading ? undefined : state.leaderFigures?.(), state.policy()];
  const nodes = status.nodes.map((node) => {
    const figure = figures?.get(node.name);
    return figure && policy ? withFigure(node, figure, policy.telemetry, nowMs) : node;
  });
  const silentSeconds = Math.round(pacer.silence.silentMs(nowMs) / 1_000);
  return { version, synced, leader, policyValid: state.policyValid(), silentSeconds, ...status, nodes };
}

const flag = (on: boolean) => (on ? 1 : 0);

/** Sets the gauges. Counters and histograms are up to date already. */
function refreshGauges({ pacer, state, now, metrics }: AppDependencies): void {
  const nowMs = now();
  const { alive, leading } = state.leader();
  metrics.leading.set(flag(leading));
  metrics.leaderAlive.set(flag(alive));
  metrics.webhookSilence.set(leading ? pacer.silence.silentMs(nowMs) / 1_000 : 0);
  metrics.synced.set(flag(state.replica().synced));
  metrics.policyValid.set(flag(state.policyValid()));
  metrics.holdCap.set(state.policy()?.maxHoldSeconds ?? 0);
  const endMs = state.certificateEndMs?.();
  if (endMs !== undefined) metrics.certificateEnd.set(endMs / 1_000);
  metrics.eventsDropped.reset();
  metrics.eventsDropped.inc(state.eventsDropped());
  for (const [resource, ageMs] of Object.entries(state.watchAgesMs(nowMs))) {
    metrics.watchAge.set({ resource }, ageMs / 1_000);
  }
  metrics.nodes.set(pacer.status(nowMs), state.telemetryAgesMs(nowMs));
}

/** Adds `/healthz`, `/readyz`, `/metrics`, `/status.json`, and the page at `/` that shows it. */
export function operationsRoutes(app: FastifyInstance, dependencies: AppDependencies): void {
  app.get("/healthz", () => ({ ok: true }));
  app.get("/readyz", (_request, reply) => {
    const missing = missingForReady(dependencies.state, dependencies.now());
    return reply.code(missing.length === 0 ? 200 : 503).send({ ready: missing.length === 0, missing });
  });
  app.get("/metrics", async (_request, reply) => {
    refreshGauges(dependencies);
    const { registry } = dependencies.metrics;
    return reply.type(registry.contentType).send(await registry.metrics());
  });
  app.get("/status.json", () => statusAnswer(dependencies));
  pageRoutes(app);
}
